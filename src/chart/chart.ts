import type { FlightRecorder } from './flight-recorder.ts';
import { type ChartTable, type Edge, type Order, type StateValue, statePaths } from './table.ts';

/** What a fact does in one state of a chart. All runners of the chart share it. */
export interface Transition {
  readonly to: ChartState;
  readonly orders: readonly Order[];
  /** Which of the active states takes the fact, by its place among the paths; -1 for the root. */
  readonly source: number;
  /** What stands for the fact in the flight recorder. */
  readonly code: number;
  /** How often it was taken. */
  taken: number;
}

/** One configuration of a chart. All runners that are in it share it. */
export class ChartState {
  readonly index: number;
  readonly value: StateValue;
  readonly isFinal: boolean;
  /** How many runners are in it; of a final state, how many have ended in it. */
  population = 0;
  /** What the host of actors makes of it, once for all actors. */
  snapshot: object | null = null;

  /** The facts that have come so far; `null` for those that do nothing here. */
  readonly transitions = new Map<string, Transition | null>();

  readonly #chart: Chart;
  #paths: readonly string[] | null = null;

  constructor(chart: Chart, index: number) {
    const row = chart.table.states[index];
    if (row === undefined)
      throw new Error(`the table of ${chart.table.name} has no state ${index}`);
    this.#chart = chart;
    this.index = index;
    this.value = row.value;
    this.isFinal = row.isFinal === true;
  }

  /** Every active state as a path, parents first. */
  get paths(): readonly string[] {
    this.#paths ??= Object.freeze(statePaths(this.value));
    return this.#paths;
  }

  /** What a fact does here; `null` when it does nothing. */
  transition(fact: string): Transition | null {
    const known = this.transitions.get(fact);
    if (known !== undefined) return known;
    const edge = this.#edge(fact);
    const transition = edge === undefined ? null : this.#chart.transition(edge, fact);
    this.transitions.set(fact, transition);
    return transition;
  }

  #edge(fact: string): Edge | undefined {
    const { shared, states } = this.#chart.table;
    return states[this.index]?.on?.[fact] ?? shared[this.paths[0] ?? '']?.[fact];
  }
}

/**
 * One chart, for all runners that belong together: those of one supervisor, or of one client.
 *
 * Its states are made when a runner first reaches them, and count who is in them.
 */
export class Chart {
  readonly table: ChartTable;
  readonly recorder: FlightRecorder | null;
  crashed = 0;
  readonly #states: ChartState[] = [];
  #start: Transition | null = null;

  /** @param recorder - keeps the last facts of each runner. */
  constructor(table: ChartTable, recorder: FlightRecorder | null = null) {
    this.table = table;
    this.recorder = recorder;
  }

  /** How every runner begins. */
  get start(): Transition {
    this.#start ??= this.transition([...this.table.start, -1]);
    return this.#start;
  }

  /** The states that a runner has reached. */
  get reached(): readonly ChartState[] {
    return this.#states.filter((state) => state !== undefined);
  }

  /** @internal */
  transition([to, orders, source]: Edge, fact?: string): Transition {
    return {
      to: this.#state(to),
      orders: orders.map((index) => this.table.orders[index] as Order),
      source,
      code: fact === undefined ? 0 : (this.recorder?.codeOf(fact) ?? 0),
      taken: 0,
    };
  }

  #state(index: number): ChartState {
    const state = this.#states[index] ?? new ChartState(this, index);
    this.#states[index] = state;
    return state;
  }
}
