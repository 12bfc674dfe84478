import { toError } from '../core/errors.ts';
import type { Trail } from '../core/trail.ts';
import type { Chart, ChartState, Transition } from './chart.ts';
import type { Notifications } from './notifications.ts';

/** The position of a runner that has no trail. */
const NOT_RECORDED = -1;

/** What owns a runner: it has a method for each order of the chart, which the runner calls by its name. */
export interface ChartOwner {
  /** An order threw. The chart is at an end; nothing that it would have ordered follows. */
  chartCrashed(error: Error): void;
  /** A fact led from one state to another; the orders follow. */
  chartMoved?(from: ChartState, to: ChartState): void;
  /** The chart has taken all facts there were, and notifications follow. */
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
 * A fact that comes while orders are being carried out is taken after them. Orders are methods of the owner and never run
 * user code; what must reach user code is added to the notifications.
 */
export class ChartRunner<Fact extends string = string> {
  readonly #chart: Chart;
  readonly #owner: ChartOwner;
  /** What is on its way to user code. */
  readonly notifications: Notifications;
  #state: ChartState;
  /** Facts that came while orders were carried out; most of the time there are none. */
  #facts: Fact[] | null = null;
  #isStepping = false;
  #error: Error | null = null;
  /** Where its next fact is recorded; `NOT_RECORDED` when the trail was taken. */
  #position: number;
  #observer: RunnerObserver | null = null;

  /** The chart begins with {@link start}. */
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

  /** Where it is, or was when it crashed. */
  get state(): ChartState {
    return this.#state;
  }

  /** What an order threw; `null` as long as none has. */
  get error(): Error | null {
    return this.#error;
  }

  /** Whether it takes no further fact. */
  get isOver(): boolean {
    return this.#error !== null || this.#state.isFinal;
  }

  /** Shows its steps to one observer from now on. */
  observe(observer: RunnerObserver): void {
    this.#observer = observer;
  }

  /** The last facts that it took; nothing is recorded from now on. Empty where nothing is. */
  takeTrail(): Trail {
    const position = this.#position;
    this.#position = NOT_RECORDED;
    const { recorder } = this.#chart;
    return recorder === null || position === NOT_RECORDED ? [] : recorder.take(position);
  }

  /** Gives the chart a fact. It is taken at once, or after the orders that are being carried out. */
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
    const transition = this.isOver ? null : this.#state.transition(fact);
    if (transition === null) return;
    const { to } = transition;
    this.#record(transition);
    // The last state is shown when its orders are done: an order that throws makes an error of the end.
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
