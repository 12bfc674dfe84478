import type { IncomingMessage } from 'node:http';
import type { RenewOptions } from '../core/connection.ts';
import { toError } from '../core/errors.ts';
import type { RefusalAnswer } from '../core/failure.ts';
import { guarded, ignoreRejection, isThenable } from '../core/guard.ts';
import type { Deadline, DeadlineOwner, TimerWheel } from '../core/timer-wheel.ts';
import { warnOnce } from '../core/warnings.ts';
import { kindOf } from '../core/wording.ts';
import {
  Admitted,
  type AuthenticateContext,
  authenticationAnswer,
  authenticationRefusal,
  checkedTerms,
  checkRenewal,
  inCloseFrame,
  isAdmitted,
  isRefusal,
} from './authenticate-result.ts';
import type { Handlers, Release } from './handlers.ts';
import type { InboundConnection } from './inbound-connection.ts';
import type { Keys } from './keys.ts';
import type { ResolvedOptions } from './options.ts';
import type { Registry } from './registry.ts';
import type { Reporter } from './report.ts';

type AuthenticationOptions<Peer> = Pick<
  ResolvedOptions<Peer>,
  'authenticate' | 'key' | 'admission'
>;

/** The dependencies of authentication. @internal */
export interface AuthenticationParts<Peer, In, Out> {
  readonly registry: Registry;
  readonly keys: Keys;
  readonly reporter: Reporter<Peer, In, Out>;
  readonly handlers: Handlers<Peer, In, Out>;
  readonly wheel: TimerWheel;
}

/** One call of `authenticate`. Its signal is made when it is first read; most functions never read it. */
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

  /** Whether an error only reports that this attempt was aborted. */
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

/** The terms of a lease. */
interface LeaseTerms {
  readonly release?: (() => unknown) | undefined;
  readonly expiresInMs?: number | undefined;
}

/** What `authenticate` took for one connection, and when the connection expires. */
class Lease implements DeadlineOwner {
  readonly release: (() => unknown) | undefined;
  expiry: Deadline | null = null;
  readonly #connection: InboundConnection;

  constructor(connection: InboundConnection, release: (() => unknown) | undefined) {
    this.#connection = connection;
    this.release = release;
  }

  deadlinePassed(): void {
    this.expiry = null;
    this.#connection.end('expired');
  }
}

/**
 * The leases of one supervisor's connections.
 *
 * They are in a map and not in the connections, because most connections have none.
 */
class Leases {
  readonly #wheel: TimerWheel;
  readonly #leases = new Map<InboundConnection, Lease>();

  constructor(wheel: TimerWheel) {
    this.#wheel = wheel;
  }

  begin(connection: InboundConnection, { release, expiresInMs }: LeaseTerms): void {
    if (release === undefined && expiresInMs === undefined) return;
    const lease = new Lease(connection, release);
    this.#leases.set(connection, lease);
    this.#expire(lease, expiresInMs ?? null);
  }

  /** Sets when the connection expires: `null` for never, `undefined` for as before. */
  renew(connection: InboundConnection, expiresInMs: number | null | undefined): void {
    if (expiresInMs === undefined) return;
    const lease = this.#leases.get(connection);
    if (lease !== undefined) this.#expire(lease, expiresInMs);
    else if (expiresInMs !== null) this.begin(connection, { expiresInMs });
  }

  /** Ends the lease of a connection that is over. Returns its `release`, which is due now. */
  end(connection: InboundConnection): (() => unknown) | undefined {
    const lease = this.#leases.get(connection);
    if (lease === undefined) return undefined;
    this.#leases.delete(connection);
    this.#wheel.cancel(lease.expiry);
    return lease.release;
  }

  #expire(lease: Lease, expiresInMs: number | null): void {
    lease.expiry = this.#wheel.cancel(lease.expiry);
    if (expiresInMs === null) return;
    lease.expiry = this.#wheel.schedule(Math.max(0, expiresInMs), lease, 'expiry');
  }
}

/** Calls `authenticate` for each request and admits or refuses the client. It also keeps the leases. @internal */
export class Authentication<Peer, In, Out> {
  readonly #options: AuthenticationOptions<Peer>;
  readonly #registry: Registry;
  readonly #reporter: Reporter<Peer, In, Out>;
  readonly #handlers: Handlers<Peer, In, Out>;
  readonly #keys: Keys;
  readonly #leases: Leases;
  /** Connections whose `authenticate` has not settled. A connection leaves the map when it ends. */
  readonly #pending = new Map<InboundConnection, Attempt>();

  constructor(
    options: AuthenticationOptions<Peer>,
    { registry, reporter, handlers, keys, wheel }: AuthenticationParts<Peer, In, Out>,
  ) {
    this.#options = options;
    this.#registry = registry;
    this.#reporter = reporter;
    this.#handlers = handlers;
    this.#keys = keys;
    this.#leases = new Leases(wheel);
  }

  /** Admits a connection or refuses it, now or later. */
  begin(connection: InboundConnection, request: IncomingMessage): void {
    const { authenticate } = this.#options;
    if (authenticate === undefined) {
      this.#admit(connection, nobody);
      return;
    }
    const attempt = new Attempt();
    this.#try(connection, attempt, () => {
      const result = authenticate(request, attempt);
      if (isThenable(result)) this.#await(connection, attempt, result);
      else this.#settle(connection, result);
    });
  }

  /** Runs code of the application. Inspecting what it returned may run such code too. */
  #try(connection: InboundConnection, attempt: Attempt, run: () => void): void {
    try {
      run();
    } catch (thrown) {
      this.#threw(connection, attempt, thrown);
    }
  }

  /** Handles the end of a connection: aborts `authenticate` if it still runs. Returns the `release` that is due now. */
  end(connection: InboundConnection): Release | undefined {
    const attempt = this.#pending.get(connection);
    this.#pending.delete(connection);
    attempt?.abort();
    return this.#leases.end(connection);
  }

  /** If `key` throws, peer and key stay as before, and the error is reported as one of this connection. */
  renew(connection: InboundConnection, peer: Peer, options: RenewOptions): boolean {
    checkRenewal(options);
    if (!connection.isOpen) return false;
    const named = this.#handlers.run('key', connection, () => ({ key: this.#keyOf(peer) }));
    if (named === undefined || !connection.isOpen) return false;
    connection.side.peer = peer;
    const isOther = named.key !== connection.side.key;
    this.#registry.rename(connection, named.key);
    if (isOther) this.#keys.entered(connection);
    this.#leases.renew(connection, options.expiresInMs);
    return true;
  }

  #keyOf(peer: Peer): string | undefined {
    return checkedKey(this.#options.key?.(peer));
  }

  #await(connection: InboundConnection, attempt: Attempt, result: PromiseLike<unknown>): void {
    if (connection.isOver) attempt.abort();
    else this.#pending.set(connection, attempt);
    // Wrapped, so that it settles once and asynchronously, whatever the thenable of the application does.
    Promise.resolve(result).then(
      (known) => {
        this.#pending.delete(connection);
        this.#try(connection, attempt, () => this.#settle(connection, known));
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
    const { peer, release } = admission;
    if (connection.isOver) {
      this.#handlers.release(release);
      return;
    }
    // First, so that it is released whatever fails below.
    this.#leases.begin(connection, { release });
    let asked: 'authenticate' | 'key' = 'authenticate';
    try {
      const { headers, expiresInMs } = checkedTerms(admission);
      const answer = answerInstead(peer, expiresInMs);
      if (answer !== null) {
        this.#turnAway(connection, answer);
        return;
      }
      // Reading the result may run code of the application, which may have ended the connection.
      if (connection.isOver) return;
      this.#leases.renew(connection, expiresInMs);
      asked = 'key';
      connection.side.grant({ peer, headers, key: this.#keyOf(peer as Peer) });
    } catch (thrown) {
      this.#refuse(connection, asked, toError(thrown));
    }
  }

  #threw(connection: InboundConnection, attempt: Attempt, thrown: unknown): void {
    const error = toError(thrown);
    if (!attempt.isReason(error)) this.#refuse(connection, 'authenticate', error);
  }

  /** Whether refusals are close frames, which pages can read, instead of HTTP answers. */
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
      this.#reporter.errored(handler, refusal.error ?? error);
    }
  }
}

/** The result for a supervisor without `authenticate`. */
const nobody = new Admitted(undefined, {});

const expired: RefusalAnswer = { cause: 'unauthorized', status: 401, body: 'expired' };

/** The refusal for an `admitted` that has no peer or has expired; `null` otherwise. @throws Refusal, TypeError */
function answerInstead(peer: unknown, expiresInMs = 1): RefusalAnswer | null {
  if (peer === null || peer === false) return notAdmitted;
  if (isRefusal(peer)) throw peer;
  ignoreRejection(peer);
  if (isAdmitted(peer) || isThenable(peer)) {
    throw new TypeError(
      `admitted(peer): peer must not be ${kindOf(peer)}; await it, or return it without admitted()`,
    );
  }
  return expiresInMs <= 0 ? expired : null;
}

const notAdmitted: RefusalAnswer = { cause: 'unauthorized', status: 401, body: 'not admitted' };

/** Whether this result of `authenticate` refuses. `undefined` is usually a mistake, so it causes a warning. */
function isNobody(result: unknown): boolean {
  if (result === undefined) {
    warnOnce(
      'MOORING_NO_PEER',
      'authenticate returned undefined, so the connection is refused with 401. Return admitted() to admit a client that has no peer.',
    );
  }
  return result === undefined || result === null || result === false;
}

function checkedKey(key: unknown): string | undefined {
  if (key === undefined || typeof key === 'string') return key;
  ignoreRejection(key);
  throw new TypeError(`key must return a string or undefined, not ${typeof key}`);
}
