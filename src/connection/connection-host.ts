import type { ConnectionCondition } from '../../machines/connection-contract.ts';
import type { ChartSystem } from '../chart/chart-system.ts';
import type { HostedActor } from '../chart/hosted-actor.ts';
import type { Clock } from '../core/clock.ts';
import type { ConnectionState } from '../core/connection.ts';
import type { Contract } from '../core/contract.ts';
import type { InvalidMessage } from '../core/events.ts';
import type { HandlerName } from '../core/guard.ts';
import type { HeartbeatOptions, Limits, OverRatePolicy, Timeouts } from '../core/limits.ts';
import type { TimerWheel } from '../core/timer-wheel.ts';
import type { Rate } from '../core/token-bucket.ts';
import type { Reads } from '../transport/reads.ts';
import type { HeartbeatStagger } from './heartbeat-stagger.ts';
import type { ManagedConnection } from './managed-connection.ts';

/** What a connection reports after its chart has settled. */
export type ConnectionReport =
  | 'opened'
  | 'errored'
  | 'closing'
  | 'closed'
  | 'failed'
  | ConnectionCondition;

/** Everything that the connections of one supervisor share. */
export interface SharedRuntime {
  readonly clock: Clock;
  readonly heartbeatStagger: HeartbeatStagger;
  readonly wheel: TimerWheel;
  readonly timeouts: Readonly<Timeouts>;
  readonly heartbeat: Readonly<HeartbeatOptions>;
  readonly limits: Readonly<Limits>;
  readonly messageRate: Rate;
  readonly overRate: OverRatePolicy;
  /** In Node.js only: a page cannot see how its browser reads. */
  readonly reads?: Reads;
}

/** What a connection needs of its host: the acceptor of a supervisor, or the dialer of a client. */
export interface ConnectionHost {
  readonly context: SharedRuntime;
  readonly charts: ChartSystem;
  /** The parent of the actors of its connections. */
  readonly actor: HostedActor;
  /** The state of the connection has changed; `from` is `null` for a new connection. */
  connectionMoved(
    connection: ManagedConnection,
    from: ConnectionState | null,
    to: ConnectionState,
  ): void;
  /** The user's `random` threw. Called inside a step, so user code must not run yet. */
  randomErrored(error: Error): void;
  /** The connection has opened: it may enter the registry. */
  connectionOpened(connection: ManagedConnection): void;
  /** An order of its chart threw. The connection also ends, and reports its end. */
  connectionCrashed(error: Error): void;
  /** The connection must leave registry and topics, before any other code runs. */
  connectionQuarantined(connection: ManagedConnection): void;
  /** The connection reports a change, after its chart has settled. */
  connectionReported(connection: ManagedConnection, report: ConnectionReport): void;
  /** Reads the messages of its peers. */
  readonly contract: Pick<Contract<unknown, never>, 'read'>;
  readonly handlers: MessageHandlers;
  /** A message broke the contract. */
  messageInvalid(connection: ManagedConnection, fault: InvalidMessage): void;
}

/** Runs the user's code for messages. */
export interface MessageHandlers {
  /** Runs `onMessage` and returns its result: a promise while an async handler works. */
  message(connection: ManagedConnection, message: unknown): unknown;
  /** Code of the user threw for a message of this connection. */
  errored(handler: HandlerName, error: Error, connection: ManagedConnection | undefined): void;
}
