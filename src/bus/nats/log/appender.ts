import type { Msg, MsgHdrs, NatsConnection } from '@nats-io/transport-node';
import type { NewEntry, Stored } from '../../../core/bus-log.ts';
import type { Clock, TimerHandle } from '../../../core/clock.ts';
import { messageTooLarge } from '../../../core/errors.ts';
import { whenAborted } from '../../../core/guard.ts';
import { tagOf } from '../../place.ts';
import { ANSWER_MS, NO_ROOM, type Refusal } from './jet-stream.ts';
import { headersOf } from './kept-message.ts';

/** How many appends may be under way to the server, and how many bytes. */
const SENT_MAX = 1_024;
const SENT_BYTES_MAX = 8_388_608;

/** How many more appends may wait, and how many bytes all may have together. */
const WAITING_MAX = 10_000;
const BYTES_MAX = 67_108_864;

/** The pause after the server has refused one for now. */
const RETRY_MS = 250;

/** The code of JetStream for a message that it is about to keep, or not: see `server/errors.json` of nats-server. */
const IN_PROCESS = 10_158;

/** Statuses of the HTTP kind from here on are faults of the server, which may pass. */
const SERVER_FAULT = 500;

/** Other refusals that may pass: there is no room, or too much is sent at once. */
const MAY_PASS = [...NO_ROOM, 10_167];

/** The part of the time for which the server knows an id in which an append is sent again. The rest is for the way. */
const SAME_ID_SHARE = 0.9;

/** An append that is not settled. */
interface Append {
  readonly subject: string;
  /** As JetStream knows it: see `nameOf`. */
  readonly name: string;
  readonly entry: NewEntry;
  readonly headers: MsgHdrs;
  readonly resolve: (stored: Stored) => void;
  readonly reject: (error: unknown) => void;
  readonly stopWaiting: () => void;
  /** In which round it was sent last; 0 if in none. */
  round: number;
  sentAtMs: number;
  /** How often it was sent without an answer, and since when. It may have been kept since then. */
  unanswered: number;
  unansweredSinceMs: number;
}

/** The answer of JetStream to an append. */
interface Ack {
  readonly seq: number;
  readonly duplicate?: boolean;
  readonly error?: Refusal;
}

/** What an appender needs of a connection. */
export interface AppendStream {
  readonly nats: Pick<NatsConnection, 'publish' | 'subscribe' | 'flush' | 'isClosed'>;
  /** A subject of its own, for answers. */
  inbox(): string;
}

/** What an appender needs of its log. */
export interface AppenderHost {
  readonly clock: Clock;
  /** The name of the log. */
  readonly logName: string;
  readonly payloadBytesMax: number;
  /** How long the server knows the id of a message. */
  readonly sameIdMs: number;
  /** A message was kept under a number, now or before. @param name - see `nameOf` */
  kept(seq: number, name: string, isDuplicate: boolean): void;
  /** The server does not answer as a stream that is there. */
  doubted(): void;
  errored(error: Error): void;
}

/**
 * Appends messages, many at a time, with one subscription for all answers.
 *
 * All appends that are not settled are in one map, in their order. A round sends them from the first on. A new round begins with
 * each connection, after a fault of the server that may pass, and when an answer is missing: then all are sent again in the
 * same order under the same ids, so JetStream keeps each of them once. One that may have been kept so long ago that JetStream
 * does not know its id any more is given up.
 */
export class Appender {
  readonly #host: AppenderHost;
  readonly #unsettled = new Map<number, Append>();
  /** The latest key of an append, which is also the end of the subject of its answer. */
  #lastKey = 0;
  /** What this round has not sent. An iterator over a map also gets to what is added later. */
  #unsent = this.#unsettled.entries();
  #round = 1;
  /** How many appends this round has sent that are not settled, and their bytes. */
  #sent = 0;
  #sentBytes = 0;
  /** The bytes of all appends. */
  #bytes = 0;
  #stream: AppendStream | null = null;
  #inbox = '';
  /** Whether this round sends no more. */
  #isPaused = false;
  /** Begins the next round, or looks for a missing answer. */
  #timer: TimerHandle | null = null;
  /** The latest refusal that was reported. */
  #refusal = '';

  constructor(host: AppenderHost) {
    this.#host = host;
  }

  /** @param token - the topic in `subject` */
  append(subject: string, token: string, entry: NewEntry, signal: AbortSignal): Promise<Stored> {
    const bytes = entry.payload.length;
    if (signal.aborted) return Promise.reject(signal.reason);
    if (this.#unsettled.size - this.#sent >= WAITING_MAX || this.#bytes + bytes > BYTES_MAX)
      return Promise.reject(new Error('too many appends wait for the NATS server'));
    this.#bytes += bytes;
    this.#lastKey += 1;
    const key = this.#lastKey;
    const name = `${token}/${entry.id}`;
    const headers = headersOf(name, entry.isBinary);
    return new Promise((resolve, reject) => {
      const stopWaiting = whenAborted(signal, () => this.#reject(key, signal.reason));
      const settling = { resolve, reject, stopWaiting };
      const sending = { round: 0, sentAtMs: 0, unanswered: 0, unansweredSinceMs: 0 };
      const append = { subject, name, entry, headers, ...settling, ...sending };
      this.#unsettled.set(key, append);
      this.#send();
    });
  }

  /** A connection is up, and it is known what the log is called. */
  connected(stream: AppendStream): void {
    this.#stream = stream;
    this.#inbox = `${stream.inbox()}.`;
    stream.nats.subscribe(`${this.#inbox}*`, {
      callback: (error, message) => {
        if (error === null) this.#answered(message);
      },
    });
    this.#startRound();
  }

  disconnected(): void {
    this.#stream = null;
    this.#clearTimer();
  }

  /** Rejects all appends. */
  close(): void {
    this.disconnected();
    for (const key of this.#unsettled.keys()) this.#reject(key, closed());
  }

  #startRound(): void {
    this.#clearTimer();
    this.#isPaused = false;
    this.#round += 1;
    this.#sent = 0;
    this.#sentBytes = 0;
    this.#unsent = this.#unsettled.entries();
    this.#send();
  }

  /** Sends what there is room for. The server takes the bytes that it has answered. */
  #send(): void {
    while (this.#stream !== null && !this.#isPaused && this.#hasRoom) {
      // It is never at the end, after which an iterator sees nothing more.
      const next = this.#unsent.next();
      if (next.done === true) return;
      const [key, append] = next.value;
      this.#sendOne(this.#stream, key, append);
    }
  }

  get #hasRoom(): boolean {
    const isWaiting = this.#sent < this.#unsettled.size;
    return isWaiting && this.#sent < SENT_MAX && this.#sentBytes < SENT_BYTES_MAX;
  }

  #sendOne({ nats }: AppendStream, key: number, append: Append): void {
    const { payload } = append.entry;
    append.round = this.#round;
    append.sentAtMs = this.#host.clock.now();
    this.#sent += 1;
    this.#sentBytes += payload.length;
    const { payloadBytesMax } = this.#host;
    if (payload.length > payloadBytesMax) {
      this.#reject(key, messageTooLarge(payload.length, payloadBytesMax));
      return;
    }
    if (this.#mayDouble(append)) {
      this.#reject(
        key,
        new Error('the NATS server has not answered for too long to be asked again'),
      );
      return;
    }
    // Otherwise, a new connection begins a new round.
    if (nats.isClosed()) return;
    if (append.unanswered === 0) append.unansweredSinceMs = append.sentAtMs;
    append.unanswered += 1;
    nats.publish(append.subject, payload, {
      reply: this.#inbox + key,
      headers: append.headers,
    });
    this.#timer ??= this.#host.clock.setTimer(ANSWER_MS, () => this.#lookForMissing());
  }

  /** Whether it may have been kept under an id that the server has forgotten meanwhile. */
  #mayDouble({ unanswered, unansweredSinceMs, sentAtMs }: Append): boolean {
    return unanswered > 0 && sentAtMs - unansweredSinceMs >= this.#host.sameIdMs * SAME_ID_SHARE;
  }

  #answered(message: Msg): void {
    const key = Number(message.subject.slice(this.#inbox.length));
    const append = this.#unsettled.get(key);
    // It may have been sent in an earlier round, too.
    if (append === undefined) return;
    append.unanswered -= 1;
    const { seq, duplicate: isDuplicate = false, error } = ackIn(message);
    // It was sent before, and the replicas have not agreed yet. Older servers call it a duplicate without a number.
    if (error?.err_code === IN_PROCESS || (error === undefined && seq === 0)) this.#retryLater();
    else if (error === undefined) {
      this.#settle(key, append);
      this.#refusal = '';
      this.#host.kept(seq, append.name, isDuplicate);
      const place = { log: this.#host.logName, offset: seq, tag: tagOf(append.entry.id) };
      append.resolve({ place, isDuplicate });
      this.#send();
    } else if (mayPass(error)) this.#failed(error);
    else this.#reject(key, refused(error));
  }

  /** A fault of the server, which may pass. */
  #failed(refusal: Refusal): void {
    if (refusal === unheard) this.#host.doubted();
    else this.#report(refused(refusal));
    this.#retryLater();
  }

  /** Begins the next round after a pause. */
  #retryLater(): void {
    if (this.#isPaused) return;
    this.#isPaused = true;
    this.#clearTimer();
    this.#timer = this.#host.clock.setTimer(RETRY_MS, () => this.#startRound());
  }

  #report(error: Error): void {
    if (error.message === this.#refusal) return;
    this.#refusal = error.message;
    this.#host.errored(error);
  }

  /** Begins a new round if the oldest append has no answer, after the server has read what was sent before. */
  #lookForMissing(): void {
    this.#timer = null;
    const [oldest] = this.#unsettled.values();
    if (oldest?.round !== this.#round) return;
    const { clock } = this.#host;
    const leftMs = oldest.sentAtMs + ANSWER_MS - clock.now();
    if (leftMs > 0) {
      this.#timer = clock.setTimer(leftMs, () => this.#lookForMissing());
      return;
    }
    const stream = this.#stream;
    this.#isPaused = true;
    this.#host.doubted();
    // A connection that is lost rejects, and another one begins a new round.
    stream?.nats.flush().then(
      () => stream === this.#stream && this.#startRound(),
      () => {},
    );
  }

  #reject(key: number, error: unknown): void {
    const append = this.#unsettled.get(key);
    if (append === undefined) return;
    this.#settle(key, append);
    append.reject(error);
    this.#send();
  }

  #settle(key: number, append: Append): void {
    const bytes = append.entry.payload.length;
    this.#unsettled.delete(key);
    this.#bytes -= bytes;
    append.stopWaiting();
    if (append.round !== this.#round) return;
    this.#sent -= 1;
    this.#sentBytes -= bytes;
  }

  #clearTimer(): void {
    if (this.#timer !== null) this.#host.clock.clearTimer(this.#timer);
    this.#timer = null;
  }
}

/** No stream listens to the subject, or its leader is gone. */
const unheard: Refusal = { code: 503, description: 'no stream takes it' };

/** An answer without a payload is the status "no responders". */
function ackIn(message: Msg): Ack {
  if (message.data.length === 0) return { seq: 0, error: unheard };
  try {
    return message.json<Ack>();
  } catch {
    return { seq: 0, error: { code: SERVER_FAULT, description: 'its answer is not JSON' } };
  }
}

function mayPass({ code, err_code: errCode = 0 }: Refusal): boolean {
  return code >= SERVER_FAULT || MAY_PASS.includes(errCode);
}

function refused({ code, err_code: errCode = code, description }: Refusal): Error {
  return new Error(`the NATS server refuses to keep a message: ${description} (${errCode})`);
}

/** The error of what is asked of a link that is closed. */
export function closed(): Error {
  return new Error('the link to the bus is closed');
}
