import { toError } from '../core/errors.ts';
import type { Trail } from '../core/trail.ts';
import type { Chart, ChartState, Transition } from './chart.ts';
import type { Notifications } from './notifications.ts';

/** The owner of a runner. It has a method for each order of the chart, and the runner calls the method by its name. */
export interface ChartOwner {
  /** An order threw. The chart is over, and gives no further order. */
  chartCrashed(error: Error): void;
  /** A fact led from one state to another. The orders follow. */
  chartMoved?(from: ChartState, to: ChartState): void;
  /** The chart has taken all facts. Notifications follow. The owner must send no further fact. */
  chartSettled?(): void;
  /** The chart has settled for the last time: it has reached a final state, or crashed. */
  chartEnded?(): void;
}

/** Observes the steps of a runner. */
export interface RunnerObserver {
  /** A fact led to a state. */
  stepped(fact: string, to: ChartState): void;
  crashed(error: Error): void;
}

/**
 * Runs the chart of one connection, client, pool or supervisor.
 *
 * ```
 * fact ─▶ transition ─▶ state ─▶ orders ─▶ … further facts … ─▶ settled ─▶ notifications ─▶ user code
 * ```
 * A fact that is sent while orders run is taken after them. Orders are methods of the owner. They run no user code
 * except the option `random`. Calls to user code are added to the notifications.
 */
export class ChartRunner<Fact extends string = string> {
  readonly chart: Chart;
  readonly #owner: ChartOwner;
  /** The queue of calls to user code. */
  readonly notifications: Notifications;
  #state: ChartState;
  /** Facts that were sent while orders ran; usually `null`. */
  #facts: Fact[] | null = null;
  #isStepping = false;
  #error: Error | null = null;
  /** Where the next fact is recorded; negative without a recorder, and after the trail was taken. */
  #position: number;
  #observer: RunnerObserver | null = null;

  /** {@link start} starts the chart. */
  constructor(chart: Chart, owner: ChartOwner, notifications: Notifications) {
    this.chart = chart;
    this.#owner = owner;
    this.notifications = notifications;
    this.#state = chart.start.to;
    this.#state.population += 1;
    this.#position = chart.recorder?.begin() ?? -1;
  }

  /** Carries out the orders of the first state. */
  start(): void {
    this.#run(this.chart.start);
  }

  /** The current state, or the state in which it crashed. */
  get state(): ChartState {
    return this.#state;
  }

  /** The error of an order that threw; `null` if none has. */
  get error(): Error | null {
    return this.#error;
  }

  /** Whether it takes no further facts. */
  get isOver(): boolean {
    return this.#error !== null || this.#state.isFinal;
  }

  /** Reports all further steps to this observer, which replaces the one before. */
  observe(observer: RunnerObserver): void {
    this.#observer = observer;
  }

  /** Returns the last facts, and stops recording. Empty without a recorder. */
  takeTrail(): Trail {
    const trail = this.chart.recorder?.take(this.#position);
    this.#position = -1;
    return trail ?? [];
  }

  /** Sends the chart a fact. It takes the fact at once, or after the orders that are running. */
  send(fact: Fact): void {
    if (this.isOver) return;
    if (!this.#isStepping) {
      this.#run(this.#state.transition(fact));
      return;
    }
    // Rarely more than one: `push` onto an empty list would make room for sixteen others.
    if (this.#facts === null) this.#facts = [fact];
    else this.#facts.push(fact);
  }

  #run(first: Transition | null): void {
    this.#isStepping = true;
    this.notifications.hold();
    try {
      let transition: Transition | null | undefined = first;
      while (transition !== undefined) {
        if (transition !== null) this.#step(transition);
        transition = this.#next();
      }
    } catch (thrown) {
      this.#crash(toError(thrown));
    } finally {
      this.#isStepping = false;
      this.#settle();
    }
  }

  #settle(): void {
    try {
      this.#owner.chartSettled?.();
      if (this.isOver) this.#owner.chartEnded?.();
    } finally {
      this.notifications.release();
    }
  }

  /** Returns the transition of the next fact; `null` if the fact does nothing, `undefined` if no fact is left. */
  #next(): Transition | null | undefined {
    const fact = this.#facts?.shift();
    if (fact !== undefined) return this.#state.transition(fact);
    this.#facts = null;
    return undefined;
  }

  #step(transition: Transition): void {
    const { fact, to, orders, code } = transition;
    const from = this.#state;
    if (fact !== null) this.#position = this.chart.recorder?.record(this.#position, code) ?? -1;
    // A final state is shown after its orders: if one of them throws, the end is an error instead.
    if (fact !== null && !to.isFinal) this.#observer?.stepped(fact, to);
    transition.taken += 1;
    from.population -= 1;
    to.population += 1;
    this.#state = to;
    this.#owner.chartMoved?.(from, to);
    const owner = this.#owner as unknown as Readonly<Record<string, (params: unknown) => void>>;
    for (const [name, params] of orders) (owner[name] as (params: unknown) => void)(params);
    if (fact !== null && to.isFinal) this.#observer?.stepped(fact, to);
  }

  #crash(error: Error): void {
    if (this.#error !== null) return;
    this.#error = error;
    this.#facts = null;
    this.#state.population -= 1;
    this.chart.crashed += 1;
    this.#observer?.crashed(error);
    this.#owner.chartCrashed(error);
  }
}
