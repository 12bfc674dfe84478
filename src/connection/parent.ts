import type { ChartSystem } from '../chart/chart-system.ts';
import type { HostedActor } from '../chart/hosted-actor.ts';
import { type Child, type HasChildren, parentSide } from '../core/child.ts';
import type { CloseFrame } from '../core/close-code.ts';
import type { ConnectionState, DialedConnection } from '../core/connection.ts';
import type { ConnectionReport } from './connection-host.ts';
import type { ManagedConnection } from './managed-connection.ts';

/** A client or a pool as its parent sees it. */
export interface ChildActor extends Child {
  /** Closes every connection and dials no more. Resolves when nothing is left. */
  stop(frame: CloseFrame): Promise<void>;
}

/** What a client or a pool needs of its parent: a supervisor, or the pool that a client is a member of. */
export interface Parent {
  /** The parent of its actors. */
  readonly actor: HostedActor;
  /** Runs the charts of its children. */
  readonly charts: ChartSystem;
  /** Whether anything listens to the reports about its children. */
  readonly isHeard: boolean;
  /** Adds a child. Returns `false` if the supervisor is stopping; then the child must also stop. */
  adopt(child: ChildActor): boolean;
  /** Removes a child that has ended. */
  release(child: ChildActor): void;
  childMoved(child: ChildActor): void;
  /** Makes the id of a connection. */
  nextId(): string;
  connectionMoved(
    connection: ManagedConnection,
    from: ConnectionState | null,
    to: ConnectionState,
  ): void;
  connectionCrashed(error: Error): void;
  connectionQuarantined(connection: ManagedConnection): void;
  connectionReported(
    connection: ManagedConnection,
    report: ConnectionReport,
    handle: DialedConnection,
  ): void;
  /** `onOpen` of a connection has settled, and the connection is open. */
  connectionWelcomed(connection: ManagedConnection, handle: DialedConnection): void;
}

/** Returns the internal side of the supervisor that a client or a pool was given. */
export function parentOf(supervisor: HasChildren | undefined): Parent | null {
  return supervisor === undefined ? null : (supervisor[parentSide] as Parent);
}
