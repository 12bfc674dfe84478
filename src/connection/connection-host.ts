import type { ConnectionCondition } from '../../machines/connection-contract.ts';
import type { ChartSystem } from '../chart/chart-system.ts';
import type { HostedActor } from '../chart/hosted-actor.ts';
import type { ConnectionState } from '../core/connection.ts';
import type { Contract, RequestContracts } from '../core/contract.ts';
import type { InvalidMessage } from '../core/events.ts';
import type { RequestContext } from '../core/request.ts';
import type { ManagedConnection } from './managed-connection.ts';
import type { SharedRuntime } from './shared-runtime.ts';

/** What a connection reports after its chart has settled. */
export type ConnectionReport =
  | 'opened'
  | 'errored'
  | 'closing'
  | 'closed'
  | 'failed'
  | ConnectionCondition;

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
  /** The option `random` threw. Called inside a step, so user code must not run yet. */
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
  readonly contract: Pick<Contract<unknown, unknown, unknown>, 'read' | 'payload'>;
  /** Read the requests and answers of its peers, and encode those of this side. */
  readonly contracts: RequestContracts;
  readonly handlers: MessageHandlers;
  /** A message broke the contract. @param isAnswered - for a request, which has been answered already */
  messageInvalid(connection: ManagedConnection, fault: InvalidMessage, isAnswered?: boolean): void;
}

/** Runs the application's code for messages. */
export interface MessageHandlers {
  /** Runs `onMessage` and returns its result: a promise while an async handler works. */
  message(connection: ManagedConnection, message: unknown): unknown;
  /** Whether there is an `onRequest`. */
  readonly handlesRequests: boolean;
  /** Runs `onRequest`. Returns and throws what it does. */
  request(connection: ManagedConnection, request: unknown, context: RequestContext): unknown;
  /** The contract threw for a message of this connection, or `onRequest` failed, which does not end the connection. */
  errored(
    handler: 'messages' | 'onRequest',
    error: Error,
    connection: ManagedConnection | undefined,
  ): void;
}
