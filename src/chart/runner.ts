import { toError } from '../core/errors.ts';
import type { Trail } from '../core/trail.ts';
import type { Chart, ChartState, Transition } from './chart.ts';
import type { Notifications } from './notifications.ts';

/** The position of a runner that has no trail. */
const NOT_RECORDED = -1;

/** The owner of a runner. It has a method for each order of the chart, and the runner calls the method by its name. */
export interface ChartOwner {
  /** An order threw. The chart is over, and gives no further order. */
  chartCrashed(error: Error): void;
  /** A fact led from one state to another. The orders follow. */
  chartMoved?(from: ChartState, to: ChartState): void;
  /** The chart has taken all facts. Notifications follow. */
  chartSettled?(): void;
}

/** Sees what a runner does. */
export interface RunnerObserver {
  /** A fact led to a state. */
  stepped(fact: string, to: ChartState): void;
  crashed(error: Error): void;
}

/**
 * Runs one chart: for a connection, a client, a pool or a supervisor.
 *
 * ```
 * fact ─▶ transition ─▶ state ─▶ orders ─▶ … further facts … ─▶ settled ─▶ notifications ─▶ user code
 * ```
 * A fact that is sent while orders run is taken after them. Orders are methods of the owner and never run user code.
 * Calls to user code are added to the notifications.
 */
export class ChartRunner<Fact extends string = string> {
  readonly #chart: Chart;
  readonly #owner: ChartOwner;
  /** The queue of calls to user code. */
  readonly notifications: Notifications;
  #state: ChartState;
  /** Facts that were sent while orders ran; `null` when there are none, as most of the time. */
  #facts: Fact[] | null = null;
  #isStepping = false;
  #error: Error | null = null;
  /** Where the next fact is recorded; `NOT_RECORDED` without a recorder, and after the trail was taken. */
  #position: number;
  #observer: RunnerObserver | null = null;

  /** {@link start} starts the chart. */
  constructor(chart: Chart, owner: ChartOwner, notifications: Notifications) {
    this.#chart = chart;
    this.#owner = owner;
    this.notifications = notifications;
    this.#state = chart.start.to;
    this.#state.population += 1;
    this.#position = chart.recorder?.begin() ?? NOT_RECORDED;
  }

  /** Carries out the orders of the first state. */
  start(): void {
    this.#run(null);
  }

  /** The name of the chart. */
  get name(): string {
    return this.#chart.table.name;
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

  /** Shows its steps to one observer from now on. */
  observe(observer: RunnerObserver): void {
    this.#observer = observer;
  }

  /** Returns the last facts, and stops recording. Empty without a recorder. */
  takeTrail(): Trail {
    const position = this.#position;
    this.#position = NOT_RECORDED;
    const { recorder } = this.#chart;
    return recorder === null || position === NOT_RECORDED ? [] : recorder.take(position);
  }

  /** Sends the chart a fact. It takes the fact at once, or after the orders that are running. */
  send(fact: Fact): void {
    if (this.#isStepping) {
      this.#facts ??= [];
      this.#facts.push(fact);
      return;
    }
    this.#run(fact);
  }

  /** @param first - `null` to start. */
  #run(first: Fact | null): void {
    this.#isStepping = true;
    this.notifications.hold();
    try {
      if (first === null) this.#execute(this.#chart.start);
      else this.#take(first);
      for (let fact = this.#nextFact(); fact !== undefined; fact = this.#nextFact())
        this.#take(fact);
    } catch (thrown) {
      this.#crash(toError(thrown));
    } finally {
      this.#isStepping = false;
      this.#owner.chartSettled?.();
      this.notifications.release();
    }
  }

  #nextFact(): Fact | undefined {
    const fact = this.#facts?.shift();
    if (fact === undefined) this.#facts = null;
    return fact;
  }

  #take(fact: Fact): void {
    const transition = this.#error !== null ? null : this.#state.transition(fact);
    if (transition === null) return;
    const { to } = transition;
    this.#record(transition);
    // A final state is shown after its orders: if one of them throws, the end is an error instead.
    if (!to.isFinal) this.#observer?.stepped(fact, to);
    transition.taken += 1;
    this.#state.population -= 1;
    to.population += 1;
    const from = this.#state;
    this.#state = to;
    this.#owner.chartMoved?.(from, to);
    this.#execute(transition);
    if (to.isFinal) this.#observer?.stepped(fact, to);
  }

  #record({ code }: Transition): void {
    const { recorder } = this.#chart;
    if (recorder === null || this.#position === NOT_RECORDED) return;
    this.#position = recorder.record(this.#position, code);
  }

  #execute({ orders }: Transition): void {
    const owner = this.#owner as unknown as Record<string, (params: unknown) => void>;
    for (const [name, params] of orders) owner[name]?.(params);
  }

  #crash(error: Error): void {
    if (this.#error !== null) return;
    this.#error = error;
    this.#facts = null;
    this.#state.population -= 1;
    this.#chart.crashed += 1;
    this.#observer?.crashed(error);
    this.#owner.chartCrashed(error);
  }
}
