import type { FlightRecorder } from './flight-recorder.ts';
import { type ChartTable, type Edge, type Order, type StateValue, statePaths } from './table.ts';

/** What a fact does in one state of a chart. All runners of the chart share it. */
export interface Transition {
  /** `null` for the one that every runner begins with. */
  readonly fact: string | null;
  readonly to: ChartState;
  readonly orders: readonly Order[];
  /** The path of the active state that takes the fact; empty for the root. */
  readonly source: string;
  /** The number of the fact in the flight recorder. */
  readonly code: number;
  /** How often it was taken. */
  taken: number;
}

/** One configuration of a chart. All runners that are in it share it. */
export class ChartState {
  readonly index: number;
  readonly value: StateValue;
  readonly isFinal: boolean;
  /** How many runners are in it; for a final state, how many have ended in it. */
  population = 0;
  /** The snapshot that all actors in this state share. */
  snapshot: object | null = null;

  readonly #chart: Chart;
  readonly #transitions = new Map<string, Transition | null>();
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

  /** The outermost active state. */
  get top(): string {
    return this.paths[0] as string;
  }

  /** What a fact does here; `null` when it does nothing. */
  transition(fact: string): Transition | null {
    const known = this.#transitions.get(fact);
    if (known !== undefined) return known;
    const edge = this.#edge(fact);
    const transition = edge === undefined ? null : this.#chart.transition(fact, edge, this);
    this.#transitions.set(fact, transition);
    return transition;
  }

  /** The transitions that have been taken at least once, by their fact. */
  get taken(): Iterable<readonly [fact: string, transition: Transition]> {
    return [...this.#transitions].flatMap(([fact, transition]) =>
      transition !== null && transition.taken > 0 ? [[fact, transition] as const] : [],
    );
  }

  #edge(fact: string): Edge | undefined {
    const { shared, states } = this.#chart.table;
    return states[this.index]?.on?.[fact] ?? shared[this.top]?.[fact];
  }
}

/** One arrow of a chart, as it is drawn, and how often it was taken. */
export interface ArrowCount {
  /** The path of the state that it leaves; empty for the root. */
  readonly from: string;
  readonly fact: string;
  /** The path of the state that it leads to; `null` when it stays where it is. */
  readonly to: string | null;
  readonly taken: number;
}

/** What all runners of one chart have done so far. */
export interface ChartCounts {
  /** How many are in each state, by its path; for a final state, how many have ended in it. */
  readonly states: Readonly<Record<string, number>>;
  /** The arrows that were taken at least once. */
  readonly arrows: readonly ArrowCount[];
  /** How many have ended because an order threw. They are in no state. */
  readonly crashed: number;
}

/**
 * One chart, shared by all its runners in one chart system.
 *
 * A state is made when a runner first reaches it, and counts the runners that are in it.
 */
export class Chart {
  readonly table: ChartTable;
  readonly recorder: FlightRecorder | null;
  crashed = 0;
  /** What the host of actors draws of it, once for all actors. */
  config: object | null = null;
  readonly #states: ChartState[] = [];
  #start: Transition | null = null;

  /** @param recorder - keeps the last facts of each runner. */
  constructor(table: ChartTable, recorder: FlightRecorder | null = null) {
    this.table = table;
    this.recorder = recorder;
  }

  /** How every runner begins. */
  get start(): Transition {
    this.#start ??= this.#transition(null, [...this.table.start, -1], '');
    return this.#start;
  }

  /** @internal */
  transition(fact: string, edge: Edge, from: ChartState): Transition {
    return this.#transition(fact, edge, from.paths[edge[2]] ?? '');
  }

  #transition(fact: string | null, [to, orders]: Edge, source: string): Transition {
    return {
      fact,
      to: this.#state(to),
      orders: orders.map((index) => this.table.orders[index] as Order),
      source,
      code: fact === null ? 0 : (this.recorder?.codeOf(fact) ?? 0),
      taken: 0,
    };
  }

  #state(index: number): ChartState {
    const state = this.#states[index] ?? new ChartState(this, index);
    this.#states[index] = state;
    return state;
  }

  /** Adds up what the states and transitions have counted. */
  get counts(): ChartCounts {
    const states: Record<string, number> = {};
    for (const { value } of this.table.states)
      for (const path of statePaths(value)) states[path] = 0;
    const arrows = new Map<string, ArrowCount>();
    for (const state of this.#states.filter((each) => each !== undefined)) {
      for (const path of state.paths) states[path] = (states[path] ?? 0) + state.population;
      for (const [fact, { source, to, taken }] of state.taken) {
        const key = `${source} ${fact}`;
        const before = arrows.get(key)?.taken ?? 0;
        const target = targetOf(state, to);
        arrows.set(key, { from: source, fact, to: target, taken: before + taken });
      }
    }
    return { states, arrows: [...arrows.values()], crashed: this.crashed };
  }
}

/** The state that an arrow points at: the innermost entered state that contains all other entered states. */
function targetOf(from: ChartState, to: ChartState): string | null {
  const entered = to.paths.filter((path) => !from.paths.includes(path));
  let target: string | null = null;
  for (const path of entered) {
    if (!entered.every((other) => isWithin(other, path) || isWithin(path, other))) break;
    target = path;
  }
  return target;
}

function isWithin(path: string, outer: string): boolean {
  return path === outer || path.startsWith(`${outer}.`);
}
