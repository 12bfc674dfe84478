import type { ReadResult } from '../core/contract.ts';
import { MooringError, toError } from '../core/errors.ts';
import { isThenable } from '../core/guard.ts';
import { type Heading, headingText, type Words } from '../core/heading.ts';
import {
  isRequestRefusal,
  isWord,
  type Receipt,
  type RequestOptions,
  refusalText,
} from '../core/request.ts';
import { escapeText, ownCopy } from '../core/text.ts';
import { Ask, tooMany } from './ask.ts';
import type { ConnectionHost } from './connection-host.ts';
import { Handling } from './handling.ts';
import type { ManagedConnection } from './managed-connection.ts';

/** The heading that belongs to the next message. */
export interface Announced {
  /** A receipt is given at once, so no other part sees it. */
  readonly word: 'ask' | 're' | 'receipt';
  readonly id: string | number;
}

/** Something that waits until the outbox accepts messages again. */
interface Unsent {
  readonly heading: string;
  readonly payload?: string | Uint8Array | undefined;
  /** Whose request it is. */
  readonly ask?: Ask;
  /** Called when it has been accepted, or never will be. */
  readonly settle?: () => void;
}

/**
 * The requests, replies and receipts of one connection between two Mooring peers, in both directions. It is made for the first
 * of them.
 *
 * ```
 * request ─▶ ["ask", id] message ═▶ onRequest ─▶ ["re", id] message  or  ["no", id, code, text] ═▶ answer
 *    └──(given up)──▶ ["drop", id] ═▶ signal aborts
 * send with receipt ─▶ ["receipt", n] message ═▶ intake ─▶ ["got", n] ═▶ 'received'
 * ```
 * A heading and its message are sent together, so nothing can come between them. Whatever the outbox refuses waits here. What the
 * peer may cause to wait counts as a handler in flight, so reading pauses before it is much.
 */
export class Exchange {
  readonly #connection: ManagedConnection;
  readonly #host: ConnectionHost;
  #announced: Announced | null = null;
  /** Requests of this side, by id. */
  readonly #asks = new Map<string, Ask>();
  /** Requests of the peer that `onRequest` works on. */
  readonly #handlings = new Set<Handling>();
  /** Requests of the peer that are held back, by id. */
  readonly #held = new Map<Announced['id'], { isGivenUp: boolean }>();
  /** Messages of this side, by number. */
  readonly #receipts = new Map<number, (receipt: Receipt) => void>();
  #lastReceipt = 0;
  #unsent: Unsent[] = [];

  constructor(connection: ManagedConnection, host: ConnectionHost) {
    this.#connection = connection;
    this.#host = host;
  }

  /** Whether the next message is part of a request. */
  get isAnnounced(): boolean {
    return this.#announced !== null && this.#announced.word !== 'receipt';
  }

  /** Whether this side waits for answers or receipts. */
  get awaitsAnswers(): boolean {
    return this.#awaited > 0;
  }

  get #awaited(): number {
    return this.#asks.size + this.#receipts.size;
  }

  /** Whether this side waits for the peer, or the peer for `onRequest`. */
  get isBusy(): boolean {
    return this.awaitsAnswers || this.#handlings.size > 0;
  }

  /** Whether no further request or receipt may be awaited. */
  get #isFull(): boolean {
    const { requestsMax } = this.#connection.context.limits;
    return this.#awaited >= requestsMax;
  }

  /** Makes a request that belongs to this connection. @throws MooringError `too-many-requests`; or the reason of the signal */
  request(payload: string | Uint8Array, options: RequestOptions): Promise<unknown> {
    const { context } = this.#connection;
    if (this.#isFull) throw tooMany(context.limits.requestsMax);
    const ask = new Ask({ payload, options, context });
    this.ask(ask);
    return ask.answer;
  }

  /** Sends a request, and settles it with the answer. */
  ask(ask: Ask): void {
    this.#asks.set(ask.id, ask);
    ask.whenOver = () => this.#withdraw(ask);
    this.#send({ heading: headingText('ask', ask.id), payload: ask.payload, ask });
    this.#answersAwaited();
  }

  /** Takes back a request that is given up. */
  #withdraw(ask: Ask): void {
    if (!this.#asks.delete(ask.id)) return;
    const unsent = this.#unsent.findIndex((each) => each.ask === ask);
    if (unsent === -1) this.#send({ heading: headingText('drop', ask.id) });
    else this.#unsent.splice(unsent, 1);
    this.#answersAwaited();
  }

  /** Last in each method, because messages that were held back may be delivered now. */
  #answersAwaited(): void {
    this.#connection.intake.awaitAnswers(this.#awaited);
    this.#connection.side.answersAwaited();
  }

  /** Sends a message, and settles with what became of it. */
  sendForReceipt(payload: string | Uint8Array): Promise<Receipt> {
    return new Promise((settle) => {
      if (this.#isFull || !this.#connection.isOpen) settle('refused');
      else this.#sendForReceipt(payload, settle);
    });
  }

  #sendForReceipt(payload: string | Uint8Array, settle: (receipt: Receipt) => void): void {
    this.#lastReceipt += 1;
    const number = this.#lastReceipt;
    const heading = headingText('receipt', number);
    // Until the peer has greeted, nobody can say that it reads too slowly.
    if (this.#send({ heading, payload }) || !this.#connection.side.isGreeted)
      this.#awaitReceipt(number, settle);
    else {
      this.#unsent.pop();
      settle('refused');
    }
  }

  #awaitReceipt(number: number, settle: (receipt: Receipt) => void): void {
    this.#receipts.set(number, settle);
    this.#answersAwaited();
  }

  /** Sends something now, or when the outbox accepts it. Returns whether it has left this object. */
  #send(unsent: Unsent): boolean {
    const { heading, payload, ask } = unsent;
    const { side } = this.#connection;
    const isSent = this.#unsent.length === 0 && side.write(heading, payload) !== 'refused';
    // A request has a copy of its own.
    if (!isSent) this.#unsent.push(ask ? unsent : { ...unsent, payload: ownCopy(payload) });
    return isSent;
  }

  /** The outbox accepts messages again. */
  flush(): void {
    // Taken out first, because a subscriber that learns of a full outbox may give up the next one.
    for (let first = this.#unsent.shift(); first; first = this.#unsent.shift()) {
      if (this.#connection.side.write(first.heading, first.payload) === 'refused') {
        this.#unsent.unshift(first);
        return;
      }
      first.settle?.();
    }
  }

  /** Answers the peer. An answer that has to wait counts as in flight. */
  #answer(heading: Heading, payload?: string | Uint8Array): void {
    if (!this.#connection.isOpen) return;
    let settle = () => {};
    const isSent = this.#send({
      heading: headingText(...heading),
      payload,
      settle: () => settle(),
    });
    if (isSent) return;
    const accepted = new Promise<void>((resolve) => {
      settle = resolve;
    });
    this.#connection.intake.track(accepted, 0);
  }

  // Headings of the peer.

  /** A heading announces a message. One that came before it, and whose message did not, is forgotten. */
  announce(word: Announced['word'], id: unknown): void {
    const isId = word === 'receipt' ? Number.isSafeInteger(id) : isWord(id);
    this.#announced = isId ? { word, id: id as string | number } : null;
  }

  /** The peer refuses a request of this side. */
  refused(id: unknown, code: unknown, text: unknown): void {
    const ask = this.#asks.get(id as string);
    if (ask === undefined || !isWord(code) || typeof text !== 'string') return;
    const refusal = { code, text: refusalText(text) };
    const said = escapeText(refusal.text);
    const message = `the peer refused the request: ${code}${said && `: ${said}`}`;
    this.#settle(ask, () => ask.reject(new MooringError('request-refused', message, { refusal })));
  }

  /** The peer no longer waits for the answer to a request. */
  dropped(id: unknown): void {
    const held = this.#held.get(id as string);
    if (held !== undefined) held.isGivenUp = true;
    this.#held.delete(id as string);
    for (const handling of [...this.#handlings]) if (handling.id === id) this.#abort(handling);
  }

  /** The peer has a message of this side. */
  received(number: unknown): void {
    const settle = this.#receipts.get(number as number);
    if (settle === undefined) return;
    this.#receipts.delete(number as number);
    settle('received');
    this.#answersAwaited();
  }

  // Messages of the peer.

  /**
   * Returns the heading of the message that has just come, if it is part of a request; `null` for a message of the application.
   * The receipt of such a message leaves at once.
   */
  take(): Announced | null {
    const announced = this.#announced;
    this.#announced = null;
    if (announced?.word !== 'receipt') return announced;
    this.#answer(['got', announced.id]);
    return null;
  }

  /** A request, or the answer to one of this side, which nothing holds back. */
  arrived(announced: Announced, payload: Uint8Array, isBinary: boolean): unknown {
    if (announced.word === 're') {
      this.#answered(announced, payload, isBinary);
      return undefined;
    }
    const { side } = this.#connection;
    const deliver = () => this.#asked(announced, payload, isBinary);
    if (!side.holdsRequests) return deliver();
    side.hold(this.#heldBack(announced, deliver), payload.length);
    return undefined;
  }

  /** The message is an answer. */
  #answered({ id }: Announced, payload: Uint8Array, isBinary: boolean): void {
    const ask = this.#asks.get(id as string);
    if (ask === undefined) return;
    try {
      const read = this.#host.contracts.replies.read(payload, isBinary);
      this.#settle(ask, () => {
        if ('message' in read) ask.resolve(read.message);
        else ask.reject(invalidAnswer(read.fault));
      });
    } catch (thrown) {
      this.#settle(ask, () => ask.reject(toError(thrown)));
    }
  }

  /** Settles a request that the peer has answered, so that it is not dropped. */
  #settle(ask: Ask, settle: () => void): void {
    this.#asks.delete(ask.id);
    settle();
    this.#answersAwaited();
  }

  /** A request is held back. Returns what delivers it, unless the peer has given it up by then. */
  #heldBack({ id }: Announced, deliver: () => unknown): () => unknown {
    const held = this.#held.get(id) ?? { isGivenUp: false };
    this.#held.set(id, held);
    return () => {
      this.#held.delete(id);
      return held.isGivenUp ? undefined : deliver();
    };
  }

  /** The message is a request. Returns a promise while the application works on it. */
  #asked({ id }: Announced, payload: Uint8Array, isBinary: boolean): unknown {
    const { handlers, contracts } = this.#host;
    if (!handlers.handlesRequests) {
      this.#answer(['no', id, 'unhandled', 'this peer has no onRequest']);
      return undefined;
    }
    let read: ReadResult<unknown>;
    try {
      read = contracts.requests.read(payload, isBinary);
    } catch (thrown) {
      this.#failed(id, thrown);
      return undefined;
    }
    if (!this.#connection.isOpen) return undefined;
    if ('message' in read) return this.#handle(new Handling(String(id)), read.message);
    const { path, problem } = read.fault;
    this.#answer([
      'no',
      id,
      'invalid-request',
      refusalText(`request${path && `.${path}`}: ${problem}`),
    ]);
    this.#host.messageInvalid(this.#connection, read.fault, true);
    return undefined;
  }

  #handle(handling: Handling, request: unknown): unknown {
    this.#handlings.add(handling);
    const settled = (result: unknown) => {
      if (this.#handlings.delete(handling)) this.#reply(handling.id, result);
    };
    const failed = (thrown: unknown) => {
      if (this.#handlings.delete(handling)) this.#refuse(handling.id, thrown);
    };
    try {
      const result = this.#host.handlers.request(this.#connection, request, handling.context);
      if (isThenable(result)) return Promise.resolve(result).then(settled, failed);
      settled(result);
    } catch (thrown) {
      failed(thrown);
    }
    return undefined;
  }

  #reply(id: string, result: unknown): void {
    try {
      if (isRequestRefusal(result)) {
        this.#refuse(id, result);
        return;
      }
      const { replies } = this.#host.contracts;
      const reply = replies.outbound(result);
      // Most codecs have no `undefined`, and a handler may have nothing to say.
      this.#answer(['re', id], replies.encode(reply === undefined ? null : reply));
    } catch (thrown) {
      this.#failed(id, thrown);
    }
  }

  #refuse(id: string, thrown: unknown): void {
    // Checked again, because another copy of the package may have made it.
    if (isRequestRefusal(thrown) && isWord(thrown.code))
      this.#answer(['no', id, thrown.code, refusalText(thrown.message)]);
    else this.#failed(id, thrown);
  }

  /** The application is at fault. The peer does not learn how. */
  #failed(id: string | number, thrown: unknown): void {
    this.#answer(['no', id, 'internal', '']);
    this.#host.handlers.errored('onRequest', toError(thrown), this.#connection);
  }

  /** Listeners of the signal are code of the application, which must not run inside a step. */
  #abort(handling: Handling): void {
    this.#handlings.delete(handling);
    this.#host.charts.notifications.add(() => handling.abort());
  }

  /** The gate has shut. */
  end(): void {
    this.#unsent = [];
    this.#announced = null;
    for (const handling of [...this.#handlings]) this.#abort(handling);
    // The newest first, because a client puts each at the head of its queue.
    const asks = [...this.#asks.values()].reverse();
    this.#asks.clear();
    for (const ask of asks) ask.lost();
    const receipts = [...this.#receipts.values()];
    this.#receipts.clear();
    for (const settle of receipts) settle('lost');
  }
}

function invalidAnswer({ path, problem }: { readonly path: string; readonly problem: string }) {
  return new MooringError('invalid-answer', `answer${path && `.${path}`}: ${escapeText(problem)}`);
}

/** What both sides do with the headings of requests and receipts. */
export const exchangeWords: Words<ManagedConnection> = /* @__PURE__ */ new Map<
  string,
  (connection: ManagedConnection, values: readonly unknown[]) => void
>([
  ['ask', ({ exchange }, [id]) => exchange?.announce('ask', id)],
  ['re', ({ exchange }, [id]) => exchange?.announce('re', id)],
  ['receipt', ({ exchange }, [number]) => exchange?.announce('receipt', number)],
  ['no', ({ exchange }, [id, code, text]) => exchange?.refused(id, code, text)],
  ['drop', ({ exchange }, [id]) => exchange?.dropped(id)],
  ['got', ({ exchange }, [number]) => exchange?.received(number)],
]);
