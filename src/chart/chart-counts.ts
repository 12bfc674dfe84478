import type { Chart, ChartState } from './chart.ts';

/** One arrow of a drawn chart, with the number of times that it was taken. */
export interface ArrowCount {
  /** The path of the state that the arrow leaves; empty for the root. */
  readonly from: string;
  /** The fact that takes the arrow. */
  readonly fact: string;
  /** The path of the state that the arrow leads to; `null` if the state stays the same. */
  readonly to: string | null;
  /** How often it was taken. */
  readonly taken: number;
}

/** What all runners of one chart have done so far. */
export interface ChartCounts {
  /**
   * How many runners are in each state, by its path; for a final state, how many have ended in it. The order is that of
   * the chart, parents before their children.
   */
  readonly states: Readonly<Record<string, number>>;
  /** The arrows that were taken at least once. */
  readonly arrows: readonly ArrowCount[];
  /** How many runners have ended because an order threw. They are in no state. */
  readonly crashed: number;
}

/**
 * Adds up the counts of all states and transitions of a chart. It is not a method of `Chart`, so that pages do not load
 * it.
 */
export function countsOf(chart: Chart): ChartCounts {
  const states: Record<string, number> = {};
  for (const path of Object.keys(chart.table.edges)) if (path !== '') states[path] = 0;
  const arrows = new Map<string, ArrowCount>();
  for (const state of chart.states.values()) {
    for (const path of state.paths) states[path] = (states[path] ?? 0) + state.population;
    for (const arrow of arrowsFrom(state)) count(arrows, arrow);
  }
  return { states, arrows: [...arrows.values()], crashed: chart.crashed };
}

/** The arrows that were taken from one state. */
function arrowsFrom(state: ChartState): ArrowCount[] {
  return [...state.transitions].flatMap(([fact, transition]) => {
    if (transition === null || transition.taken === 0) return [];
    const { source, to, taken } = transition;
    return [{ from: state.paths[source] ?? '', fact, to: targetOf(state, to), taken }];
  });
}

/** Several states may share an arrow, which leaves a state that contains them all. */
function count(arrows: Map<string, ArrowCount>, arrow: ArrowCount): void {
  const key = `${arrow.from} ${arrow.fact}`;
  const before = arrows.get(key)?.taken ?? 0;
  arrows.set(key, { ...arrow, taken: before + arrow.taken });
}

/**
 * Returns the state that an arrow points at: of all entered states, the innermost that contains the others or is within
 * them.
 */
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
