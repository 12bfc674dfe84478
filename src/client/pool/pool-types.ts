import type { Observable } from 'rxjs';
import type { ChartActor } from '../../core/actor.ts';
import type { DialedConnection } from '../../core/connection.ts';
import type { DrainReport } from '../../core/events.ts';
import type { ClientEvent, Ending } from '../client-types.ts';
import type { CircuitState } from './circuit-breaker.ts';

/** The top-level state of a pool's chart. */
export type PoolState = 'starting' | 'operational' | 'degraded' | 'draining' | 'stopped';

/** How one of the peers of a pool fares. */
export interface UpstreamStatus {
  readonly url: string;
  /** `open` while it is left alone, `half-open` when the next attempt is to find out. */
  readonly circuit: CircuitState;
  /** Members that have a connection to it, or are on their way to one. */
  readonly members: number;
}

/** What a pool is doing. */
export interface PoolStatus {
  readonly state: PoolState;
  /** Every active state of the chart as a path, for example `draining.closing`. */
  readonly states: readonly string[];
  /** Members. */
  readonly size: number;
  /** Connections that can be checked out. */
  readonly open: number;
  readonly upstreams: readonly UpstreamStatus[];
}

/** How to drain a pool. */
export interface PoolDrainOptions {
  /** Time for everything, in milliseconds. @default 30_000 */
  withinMs?: number;
  /** The close code peers get. @default 1000 */
  code?: number;
  /** The close reason peers get. @default '' */
  reason?: string;
}

/** What a drain of a pool did. */
export type PoolDrainReport = Omit<DrainReport, 'unsettled'>;

/**
 * So many connections to a set of peers, each replaced when it is lost.
 *
 * @typeParam In - a message of the inbound contract.
 * @typeParam Out - a message that may be sent: the input of `sends`.
 */
export interface Pool<In = unknown, Out = unknown> extends AsyncDisposable {
  readonly status: PoolStatus;
  /** Its XState actor, for reading; the parent of the actors of its members. */
  readonly actor: ChartActor;
  /** The status, now and at every change. Completes after `stopped`. */
  readonly status$: Observable<PoolStatus>;
  /** Messages of every connection. Those of one alone are on its own `messages$`. */
  readonly messages$: Observable<In>;
  /** How each attempt came to its end: exactly one for each. */
  readonly endings$: Observable<Ending>;
  readonly events$: Observable<ClientEvent>;
  /** The open connections. */
  readonly connections: Iterable<DialedConnection<In, Out>>;
  /**
   * The open connection that has the least to send; among equals the one that was checked out longest ago. It is
   * shared, not taken: others may get the same. `undefined` when none is open, or the pool drains.
   */
  checkout(): DialedConnection<In, Out> | undefined;
  /**
   * Hands out nothing more, closes every connection, and destroys what is left at the deadline. Resolves
   * whatever the peers do, a second time with the report of the first; options of a second call change nothing, and that
   * is a warning. Rejects with a MooringError, `invalid-options` or `invalid-close`, for options that are wrong.
   */
  drain(options?: PoolDrainOptions): Promise<PoolDrainReport>;
}
