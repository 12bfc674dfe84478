import type { IncomingMessage } from 'node:http';
import { toError } from '../core/errors.ts';
import type { RefusalAnswer } from '../core/failure.ts';
import { guarded, isThenable } from '../core/guard.ts';
import { warnOnce } from '../core/warnings.ts';
import { kindOf } from '../core/wording.ts';
import { Admitted, type AuthenticateContext, checkedTerms, isAdmitted } from './admitted.ts';
import type { InboundConnection } from './inbound-connection.ts';
import type { Leases } from './leases.ts';
import type { ResolvedOptions } from './options.ts';
import { authenticationAnswer, authenticationRefusal, inCloseFrame, isRefusal } from './refusal.ts';

type AuthenticationOptions<Peer> = Pick<
  ResolvedOptions<Peer>,
  'authenticate' | 'key' | 'admission'
>;

/** What authentication needs of the fleet it works for. */
export interface AuthenticationHost {
  readonly leases: Leases;
  readonly handlers: {
    errored(
      handler: 'authenticate' | 'key',
      error: Error,
      connection: InboundConnection | undefined,
    ): void;
    release(release: (() => unknown) | undefined): void;
  };
}

/** One call of `authenticate`. Most ask for no signal, and none is made for them. */
class Attempt implements AuthenticateContext {
  #controller: AbortController | null = null;
  #isAborted = false;

  get signal(): AbortSignal {
    this.#controller ??= new AbortController();
    if (this.#isAborted) this.#controller.abort();
    return this.#controller.signal;
  }

  abort(): void {
    this.#isAborted = true;
    this.#controller?.abort();
  }

  /** Whether an error says no more than that this attempt was aborted. */
  isReason(error: Error): boolean {
    const isAborted = this.#controller?.signal.aborted === true;
    return (
      isAborted &&
      guarded(
        () => error.name,
        () => {},
      ) === 'AbortError'
    );
  }
}

/** Calls `authenticate` for each request, and lets the client in or refuses it. */
export class Authentication<Peer> {
  readonly #options: AuthenticationOptions<Peer>;
  readonly #host: AuthenticationHost;
  /** Those that have been asked about and not answered for; they leave it when their client does. */
  readonly #pending = new Map<InboundConnection, Attempt>();

  constructor(options: AuthenticationOptions<Peer>, host: AuthenticationHost) {
    this.#options = options;
    this.#host = host;
  }

  /** Lets a connection in or refuses it, now or later. */
  begin(connection: InboundConnection, request: IncomingMessage): void {
    const { authenticate } = this.#options;
    if (authenticate === undefined) {
      this.#admit(connection, nobody);
      return;
    }
    const attempt = new Attempt();
    try {
      const result = authenticate(request, attempt);
      if (isThenable(result)) this.#await(connection, attempt, result);
      else this.#settle(connection, result);
    } catch (thrown) {
      this.#threw(connection, attempt, thrown);
    }
  }

  /** The connection has failed: whatever `authenticate` still does for it is in vain. */
  abort(connection: InboundConnection): void {
    const attempt = this.#pending.get(connection);
    this.#pending.delete(connection);
    attempt?.abort();
  }

  /** The key of a peer. @throws whatever `key` throws */
  keyOf(peer: Peer): string | undefined {
    return checkedKey(this.#options.key?.(peer));
  }

  #await(connection: InboundConnection, attempt: Attempt, result: PromiseLike<unknown>): void {
    if (connection.isOver) attempt.abort();
    else this.#pending.set(connection, attempt);
    // A promise of our own settles once and later, whatever the user's thenable does.
    Promise.resolve(result).then(
      (known) => {
        this.#pending.delete(connection);
        this.#settle(connection, known);
      },
      (thrown) => {
        this.#pending.delete(connection);
        this.#threw(connection, attempt, thrown);
      },
    );
  }

  #settle(connection: InboundConnection, result: unknown): void {
    if (isAdmitted(result)) this.#admit(connection, result);
    else if (isRefusal(result)) this.#refuse(connection, 'authenticate', result);
    else if (isNobody(result)) this.#turnAway(connection, notAdmitted);
    else this.#admit(connection, new Admitted(result, {}));
  }

  #turnAway(connection: InboundConnection, answer: RefusalAnswer): void {
    connection.side.refuse(this.#isInCloseFrame ? inCloseFrame(answer) : answer);
  }

  #admit(connection: InboundConnection, admission: Admitted<unknown>): void {
    const { leases, handlers } = this.#host;
    const { peer, release } = admission;
    if (connection.isOver) {
      handlers.release(release);
      return;
    }
    // First of all: whatever fails from here on, it is released.
    leases.begin(connection, { release });
    let asked: 'authenticate' | 'key' = 'authenticate';
    try {
      const { headers, expiresInMs } = checkedTerms(admission);
      const answer = answerInstead(peer, expiresInMs);
      if (answer !== null) {
        this.#turnAway(connection, answer);
        return;
      }
      leases.renew(connection, expiresInMs);
      asked = 'key';
      connection.side.grant({ peer, headers, key: this.keyOf(peer as Peer) });
    } catch (thrown) {
      this.#refuse(connection, asked, toError(thrown));
    }
  }

  #threw(connection: InboundConnection, attempt: Attempt, thrown: unknown): void {
    const error = toError(thrown);
    if (!attempt.isReason(error)) this.#refuse(connection, 'authenticate', error);
  }

  /** Whether a close frame that pages can read refuses, and no HTTP answer. */
  get #isInCloseFrame(): boolean {
    return this.#options.admission.refusals === 'close';
  }

  #refuse(connection: InboundConnection, handler: 'authenticate' | 'key', error: Error): void {
    const refusal =
      handler === 'key'
        ? authenticationRefusal(error)
        : authenticationAnswer(error, this.#isInCloseFrame);
    connection.side.refuse(refusal);
    if (refusal.cause === 'authenticate-error') {
      this.#host.handlers.errored(handler, refusal.error ?? error, undefined);
    }
  }
}

/** Let in without being asked. */
const nobody = new Admitted(undefined, {});

const expired: RefusalAnswer = { cause: 'unauthorized', status: 401, body: 'expired' };

/** What refuses although `admitted` was returned: it was given nobody, or a time that is over. @throws Refusal, TypeError */
function answerInstead(peer: unknown, expiresInMs = 1): RefusalAnswer | null {
  if (peer === null || peer === false) return notAdmitted;
  if (isRefusal(peer)) throw peer;
  if (isAdmitted(peer) || isThenable(peer)) {
    throw new TypeError(
      `admitted(peer): peer must not be ${kindOf(peer)}; await it, or return it as it is`,
    );
  }
  return expiresInMs <= 0 ? expired : null;
}

const notAdmitted: RefusalAnswer = { cause: 'unauthorized', status: 401, body: 'not admitted' };

/** Whether `authenticate` knows nobody by this result. To say nothing at all is mostly a mistake. */
function isNobody(result: unknown): boolean {
  if (result === undefined) {
    warnOnce(
      'MOORING_NO_PEER',
      'authenticate returned undefined, so the connection is refused with 401. Return admitted() to let in a client that has no peer.',
    );
  }
  return result === undefined || result === null || result === false;
}

function checkedKey(key: unknown): string | undefined {
  if (key === undefined || typeof key === 'string') return key;
  if (isThenable(key)) key.then(undefined, () => {});
  throw new TypeError(`key must return a string or undefined, not ${typeof key}`);
}
