import type { Observable } from 'rxjs';
import type { ChartActor } from '../../core/actor.ts';
import type { DialedConnection } from '../../core/connection.ts';
import type { ClientEvent, DrainReport } from '../../core/events.ts';
import type { Ending } from '../client-types.ts';
import type { CircuitState } from './circuit-breaker.ts';

/** The top-level state of a pool's chart. */
export type PoolState = 'starting' | 'operational' | 'degraded' | 'draining' | 'stopped';

/** The status of one peer of a pool. */
export interface UpstreamStatus {
  /** The URL that its members dial. */
  readonly url: string;
  /**
   * `open` while the pool does not dial the peer; `half-open` after that, until one attempt has tested it. The test may
   * come late if all members are connected elsewhere. `status$` does not emit when the time alone changes the circuit.
   */
  readonly circuit: CircuitState;
  /** How many members have a connection to it, or dial it. */
  readonly members: number;
}

/** What a pool is doing. */
export interface PoolStatus {
  /** The top-level state of its chart. */
  readonly state: PoolState;
  /** Every active state of the chart as a path, for example `draining.closing`. */
  readonly states: readonly string[];
  /** How many members it has. */
  readonly size: number;
  /** How many connections are open. */
  readonly open: number;
  /** The status of each peer, in the order in which they were given. */
  readonly upstreams: readonly UpstreamStatus[];
}

/** How to drain a pool. */
export interface PoolDrainOptions {
  /** How long the drain may take, in milliseconds. @default 30_000 */
  withinMs?: number | undefined;
  /** The close code to send. @default 1000 */
  code?: number | undefined;
  /** The close reason to send. @default '' */
  reason?: string | undefined;
}

/** What a drain of a pool did. */
export type PoolDrainReport = Omit<DrainReport, 'unsettled'>;

/**
 * A fixed number of connections across a set of peers. The pool replaces lost connections.
 *
 * @typeParam In - a message of the inbound contract.
 * @typeParam Out - a message that may be sent: the input of `sends`.
 * @typeParam Ask - a request that this side may make: the input of `asks`.
 * @typeParam Answer - the answer to it: the output of `answers`.
 */
export interface Pool<In = unknown, Out = unknown, Ask = unknown, Answer = unknown>
  extends AsyncDisposable {
  /** The current status. */
  readonly status: PoolStatus;
  /** The XState actor of the pool, read-only. It is the parent of the actors of its members. */
  readonly actor: ChartActor;
  /** Emits the current status, and every change. Completes after `stopped`. */
  readonly status$: Observable<PoolStatus>;
  /** Emits the messages of every connection. Each connection also has its own `messages$`. */
  readonly messages$: Observable<In>;
  /** Emits how each attempt ended: exactly one ending for each attempt. */
  readonly endings$: Observable<Ending>;
  /** Emits other events: dropped messages, invalid messages and errors of your functions. */
  readonly events$: Observable<ClientEvent<Out>>;
  /** The open connections. */
  readonly connections: Iterable<DialedConnection<In, Out, Ask, Answer>>;
  /**
   * Returns the open connection with the fewest bytes that wait to be sent. Among equals, it returns the one that was
   * checked out longest ago. The connection is shared: other calls may return the same. Returns `undefined` if no
   * connection is open, or the pool drains.
   */
  checkout(): DialedConnection<In, Out, Ask, Answer> | undefined;
  /**
   * Closes every connection, and destroys the rest at the deadline. From now on, `checkout()` returns `undefined`.
   *
   * Resolves with a report, whatever the peers do. A second call resolves with the report of the first; its options
   * have no effect, and cause a warning if they differ. Rejects with a MooringError (`invalid-options` or
   * `invalid-close`) for wrong options.
   */
  drain(options?: PoolDrainOptions): Promise<PoolDrainReport>;
}
