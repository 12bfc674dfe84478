import type { ChartSystem } from '../chart/chart-system.ts';
import type { HostedActor } from '../chart/hosted-actor.ts';
import { type Child, type HasChildren, parentSide } from '../core/child.ts';
import type { CloseFrame } from '../core/close-code.ts';
import type { ConnectionState, DialedConnection } from '../core/connection.ts';
import type { ConnectionReport, ManagedConnection } from './managed-connection.ts';

/** A child as its parent sees it. */
export interface ChildActor extends Child {
  /** Closes what is open and dials no more. Resolves when nothing is left. */
  stop(frame: CloseFrame): Promise<void>;
}

/** What a client or a pool tells the supervisor it belongs to. */
export interface Parent {
  /** The parent of its actors. */
  readonly actor: HostedActor;
  /** Runs the charts of its children. */
  readonly charts: ChartSystem;
  /** Whether anybody listens to what is reported of its children. */
  readonly isHeard: boolean;
  /** Takes it in; `false` when the supervisor stops, and so must the child. */
  adopt(child: ChildActor): boolean;
  /** It has come to its end. */
  release(child: ChildActor): void;
  childMoved(child: ChildActor): void;
  /** A name for one more connection. */
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
}

/** What a client needs of the supervisor that it was given. */
export function parentOf(supervisor: HasChildren | undefined): Parent | null {
  return supervisor === undefined ? null : (supervisor[parentSide] as Parent);
}
