import type { ChartSystem } from '../chart/chart-system.ts';
import type { HostedActor } from '../chart/hosted-actor.ts';
import type { ConnectionReport } from '../connection/connection-host.ts';
import type { ManagedConnection } from '../connection/managed-connection.ts';
import type { ChildActor, Parent } from '../connection/parent.ts';
import type { Child } from '../core/child.ts';
import type { CloseFrame } from '../core/close-code.ts';
import type { ConnectionState, DialedConnection } from '../core/connection.ts';
import { runEach } from '../core/guard.ts';
import type { Registry } from './registry.ts';
import type { AnyReporter } from './report.ts';

/** What the children of a supervisor need from it. */
export interface ChildrenParts {
  readonly actor: HostedActor;
  readonly charts: ChartSystem;
  readonly registry: Registry;
  readonly reporter: AnyReporter;
  /** Whether the supervisor takes no more children. */
  isEnding(): boolean;
  /** Called when a child or a connection of one has ended, which may have been the last. */
  shrank(): void;
  connectionCrashed(error: Error): void;
}

/** The clients and pools of one supervisor. */
export class Children implements Parent, Iterable<Child> {
  readonly #parts: ChildrenParts;
  /** Each child with the state that was last reported. */
  readonly #children = new Map<ChildActor, string>();
  readonly #open = new Map<ManagedConnection, DialedConnection>();
  #ids = 0;

  constructor(parts: ChildrenParts) {
    this.#parts = parts;
  }

  get actor(): HostedActor {
    return this.#parts.actor;
  }

  get charts(): ChartSystem {
    return this.#parts.charts;
  }

  get isHeard(): boolean {
    return this.#parts.reporter.isHeard;
  }

  get size(): number {
    return this.#children.size;
  }

  /** Iterates over a copy. */
  *[Symbol.iterator](): Iterator<Child> {
    for (const child of [...this.#children.keys()]) yield childOf(child);
  }

  /** The open connections of the children. */
  get connections(): Iterable<DialedConnection> {
    return [...this.#open.values()];
  }

  /** Asks every child to stop. */
  stop(frame: CloseFrame): void {
    runEach([...this.#children.keys()], (child) => void child.stop(frame));
  }

  // The interface for children.

  adopt(child: ChildActor): boolean {
    if (this.#parts.isEnding()) return false;
    this.#children.set(child, child.state);
    return true;
  }

  release(child: ChildActor): void {
    if (this.#children.delete(child)) this.#parts.shrank();
  }

  /** Reports a change of the state only. The child has the rest of its status on its own streams. */
  childMoved(child: ChildActor): void {
    const { state } = child;
    if (this.#children.get(child) === state) return;
    if (this.#children.has(child)) this.#children.set(child, state);
    this.#parts.reporter.emit({ type: 'child.changed', child: childOf(child) });
  }

  nextId(): string {
    this.#ids += 1;
    return `d${this.#ids.toString(36)}`;
  }

  connectionMoved(
    connection: ManagedConnection,
    from: ConnectionState | null,
    to: ConnectionState,
  ): void {
    this.#parts.registry.dialedMoved(connection, from, to);
  }

  connectionCrashed(error: Error): void {
    this.#parts.connectionCrashed(error);
  }

  connectionQuarantined(connection: ManagedConnection): void {
    this.#open.delete(connection);
  }

  connectionReported(
    connection: ManagedConnection,
    report: ConnectionReport,
    handle: DialedConnection,
  ): void {
    if (report === 'opened' && connection.isOpen) this.#open.set(connection, handle);
    this.#parts.reporter.reported(report, connection, handle);
    if (connection.isOver) this.#parts.shrank();
  }

  connectionWelcomed(): void {}
}

function childOf({ kind, address, state }: ChildActor): Child {
  return { kind, address, state };
}
