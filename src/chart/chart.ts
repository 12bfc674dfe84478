import type { FlightRecorder } from './flight-recorder.ts';
import { type ChartTable, type Edge, type Order, pathsTo } from './table.ts';

/** What a fact does in one state of a chart. All runners of the chart share it. */
export interface Transition {
  /** `null` for the transition into the first state. */
  readonly fact: string | null;
  readonly to: ChartState;
  readonly orders: readonly Order[];
  /** The index, among the paths, of the active state that takes the fact; -1 for the root. */
  readonly source: number;
  /** The number of the fact in the flight recorder. */
  readonly code: number;
  /** How often it was taken. */
  taken: number;
}

/** One configuration of a chart. All runners that are in it share it. */
export class ChartState {
  /** The innermost active states: one, or one for each region. */
  readonly leaves: readonly string[];
  /** Every active state as a path, parents first. */
  readonly paths: readonly string[];
  readonly isFinal: boolean;
  /** How many runners are in it; for a final state, how many have ended in it. */
  population = 0;
  /** The snapshot that all actors in this state share. */
  snapshot: object | null = null;
  /** The transitions of all facts received so far; `null` for a fact that does nothing here. */
  readonly transitions = new Map<string, Transition | null>();

  readonly #chart: Chart;

  constructor(chart: Chart, leaves: readonly string[]) {
    this.#chart = chart;
    this.leaves = leaves;
    this.paths = Object.freeze(pathsTo(leaves));
    this.isFinal = chart.table.final.includes(leaves.join());
  }

  /** The outermost active state. */
  get top(): string {
    return this.paths[0] as string;
  }

  /** What a fact does here; `null` when it does nothing. */
  transition(fact: string): Transition | null {
    const known = this.transitions.get(fact);
    if (known !== undefined) return known;
    const transition = this.#chart.transition(this, fact);
    this.transitions.set(fact, transition);
    return transition;
  }
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
  /** The states that runners have reached, by their innermost active states. */
  readonly states = new Map<string, ChartState>();
  /** The configuration that inspectors draw. The actor host makes it once for all actors. */
  config: object | null = null;
  #start: Transition | null = null;

  /** @param recorder - keeps the last facts of each runner. */
  constructor(table: ChartTable, recorder: FlightRecorder | null = null) {
    this.table = table;
    this.recorder = recorder;
  }

  /** The transition that every runner begins with. */
  get start(): Transition {
    this.#start ??= this.#transition(this.table.start, { leaves: [] });
    return this.#start;
  }

  /** @internal */
  transition(from: ChartState, fact: string): Transition | null {
    const { edges } = this.table;
    const source = from.paths.findLastIndex((path) => edges[path]?.[fact] !== undefined);
    const edge = edges[from.paths[source] ?? '']?.[fact];
    if (!edge || from.isFinal) return null;
    const code = this.recorder?.codeOf(fact) ?? 0;
    return { ...this.#transition(edge, from), fact, source, code };
  }

  #transition([to, orders]: Edge, { leaves }: Pick<ChartState, 'leaves'>): Transition {
    return {
      fact: null,
      to: this.#state(leavesAfter(leaves, to)),
      orders: orders.map((index) => this.table.orders[index] as Order),
      source: -1,
      code: 0,
      taken: 0,
    };
  }

  #state(leaves: readonly string[]): ChartState {
    const key = leaves.join();
    const state = this.states.get(key) ?? new ChartState(this, leaves);
    this.states.set(key, state);
    return state;
  }
}

/** An entered state replaces the innermost state of its own region; other regions keep theirs. */
function leavesAfter(before: readonly string[], entered: readonly string[]): readonly string[] {
  const [first] = entered;
  if (first === undefined) return before;
  const region = first.slice(0, first.lastIndexOf('.') + 1);
  const isLeft = (leaf: string) => region !== '' && leaf.startsWith(region);
  return before.some(isLeft) ? before.map((leaf) => (isLeft(leaf) ? first : leaf)) : entered;
}
