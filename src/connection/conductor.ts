import { type ActorRefFrom, createActor } from 'xstate';
import { connectionMachine } from '../../machines/connection.ts';
import type { ConnectionFact, ConnectionOrders } from '../../machines/connection-contract.ts';
import { hide, thrownBy } from '../../machines/hidden.ts';
import { toError } from '../core/errors.ts';
import { runAll } from '../core/run-each.ts';
import type { ConnectionHost, ConnectionReport } from './connection-host.ts';
import { connectionLogic } from './connection-logic.ts';
import { abridged } from './inspection.ts';
import type { Reporter, ReportGate } from './report-gate.ts';

/** What an inspector sees of each connection. */
const inspectedMachine = abridged(connectionMachine);

/** The options of every actor that has started. */
const started = Object.freeze({});

/** What a conductor hands to the connection it works for. */
export interface ConductorObserver extends ConnectionOrders {
  /** A report is due; the chart has settled. */
  deliver(report: ConnectionReport): void;
  /** The chart itself threw and can decide nothing any more. */
  crashed(error: Error): void;
}

/**
 * Runs the chart of one connection: facts go in, and what it ordered to report comes out after it settled.
 *
 * User code is reached only from here, never from inside a transition; whatever it does to the connection
 * is a new fact, and its reports queue up behind those that are being delivered.
 */
export class Conductor implements Reporter {
  readonly #observer: ConductorObserver;
  readonly #gate: ReportGate;
  readonly #actor: ActorRefFrom<typeof connectionMachine> | ActorRefFrom<typeof connectionLogic>;
  /** Reports that are due; most of the time there are none. */
  #reports: ConnectionReport[] | null = null;
  #telling = false;
  #delivering = false;

  constructor(observer: ConductorObserver, { actor: parent, context }: ConnectionHost) {
    this.#observer = observer;
    this.#gate = context.reports;
    // One constant id for all: the parent chart caches what it looked up for every event type it has seen,
    // so an id of its own would leave some 300 bytes behind for each connection (measured).
    const id = 'connection';
    const input = hide<ConnectionOrders>(observer);
    // Only the machine itself tells an inspector of the transitions that it takes.
    this.#actor = context.isInspected
      ? createActor(inspectedMachine, { parent, id, input })
      : createActor(connectionLogic, { parent, id, input });
  }

  start(): void {
    this.#actor.start();
    // XState reads them no more. It has spread two objects into one, which gives that a hidden class of its own: 500 bytes
    // for each connection (measured).
    (this.#actor as { options?: object }).options = started;
  }

  /** The active states, nested as the chart nests them. */
  get value() {
    return this.#actor.getSnapshot().value;
  }

  /** Gives the chart a fact, then delivers what it ordered to report. */
  send(type: ConnectionFact['type']): void {
    if (this.#telling) {
      // From inside an order: XState takes it up when the transition is done, and so do the reports.
      this.#actor.send({ type });
      return;
    }
    this.#telling = true;
    this.#actor.send({ type });
    this.#telling = false;
    const snapshot = this.#actor.getSnapshot();
    if (snapshot.status === 'error') this.#observer.crashed(toError(thrownBy(snapshot.error)));
    if (this.#reports === null) return;
    if (this.#gate.isShut) this.#gate.add(this);
    else this.deliverReports();
  }

  /** Queues a report. */
  report(report: ConnectionReport): void {
    this.#reports ??= [];
    this.#reports.push(report);
  }

  deliverReports(): void {
    if (this.#delivering) return;
    this.#delivering = true;
    try {
      runAll(
        () => this.#next(),
        (report) => this.#observer.deliver(report),
      );
    } finally {
      this.#delivering = false;
    }
  }

  #next(): ConnectionReport | undefined {
    const report = this.#reports?.shift();
    if (report === undefined) this.#reports = null;
    return report;
  }
}
