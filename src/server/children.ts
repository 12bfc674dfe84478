import type { AnyActorRef } from 'xstate';
import type { ChildActor, Parent } from '../connection/parent.ts';
import type { Port } from '../connection/port.ts';
import type { PortReport } from '../connection/port-host.ts';
import type { Child } from '../core/child.ts';
import type { CloseFrame } from '../core/close-code.ts';
import type { ConnectionState, DialedConnection } from '../core/connection.ts';
import type { SupervisorNews } from '../core/events.ts';
import { runEach } from '../core/run-each.ts';
import type { Registry } from './registry.ts';
import { describeReport } from './report.ts';

/** What the children of a supervisor need of it. */
export interface ChildrenHost {
  readonly actor: AnyActorRef;
  readonly isInspected: boolean;
  readonly registry: Registry;
  /** Whether it takes no more children. */
  isEnding(): boolean;
  /** Whether anybody listens. */
  isHeard(): boolean;
  tell(news: SupervisorNews<DialedConnection>): void;
  /** A child, or a connection of one, has come to its end; perhaps it was the last. */
  shrank(): void;
}

/** The clients and pools of one supervisor. */
export class Children implements Parent, Iterable<Child> {
  readonly #host: ChildrenHost;
  /** Each with the state that was told last. */
  readonly #children = new Map<ChildActor, string>();
  readonly #open = new Map<Port, DialedConnection>();
  #ids = 0;

  constructor(host: ChildrenHost) {
    this.#host = host;
  }

  get actor(): AnyActorRef {
    return this.#host.actor;
  }

  get isInspected(): boolean {
    return this.#host.isInspected;
  }

  get isHeard(): boolean {
    return this.#host.isHeard();
  }

  get size(): number {
    return this.#children.size;
  }

  /** As they are now. */
  *[Symbol.iterator](): Iterator<Child> {
    for (const child of [...this.#children.keys()]) yield childOf(child);
  }

  /** Their connections that are open. */
  get connections(): Iterable<DialedConnection> {
    return [...this.#open.values()];
  }

  /** Asks every child to stop. */
  stop(frame: CloseFrame): void {
    runEach([...this.#children.keys()], (child) => void child.stop(frame));
  }

  // What a child tells.

  adopt(child: ChildActor): boolean {
    if (this.#host.isEnding()) return false;
    this.#children.set(child, child.state);
    return true;
  }

  release(child: ChildActor): void {
    if (this.#children.delete(child)) this.#host.shrank();
  }

  /** What else there is to know of its status is told by the child itself. */
  childMoved(child: ChildActor): void {
    const { state } = child;
    if (this.#children.get(child) === state) return;
    if (this.#children.has(child)) this.#children.set(child, state);
    this.#host.tell({ type: 'child.changed', child: childOf(child) });
  }

  nextId(): string {
    this.#ids += 1;
    return `d${this.#ids.toString(36)}`;
  }

  portMoved(port: Port, from: ConnectionState | null, to: ConnectionState): void {
    this.#host.registry.dialedMoved(port, from, to);
  }

  portQuarantined(port: Port): void {
    this.#open.delete(port);
  }

  portReported(port: Port, report: PortReport, connection: DialedConnection): void {
    if (report === 'opened' && port.isOpen) this.#open.set(port, connection);
    const news = describeReport(report, port, connection);
    if (news !== undefined) this.#host.tell(news);
    if (port.isOver) this.#host.shrank();
  }
}

function childOf({ kind, address, state }: ChildActor): Child {
  return { kind, address, state };
}
