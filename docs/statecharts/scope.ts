import { type Arrow, arrowsOf } from './arrows.ts';
import { type Chart, type ChartState, isWithin } from './chart.ts';
import type { Size } from './measure.ts';

/** What Graphviz places in one go: the inside of one state. */
export interface Scope {
  readonly chart: Chart;
  readonly state: ChartState;
  readonly arrows: readonly Arrow[];
  /** The states that are one box each, whatever they contain, by their paths. */
  readonly solids: ReadonlyMap<string, Size>;
  readonly mainArrows: readonly string[];
  /** Determines the order in which Graphviz gets everything, because its layout depends on it. */
  readonly seed: number;
  /** Pairs of states that should be side by side. */
  readonly besides: readonly (readonly [string, string])[];
}

/** The outermost states inside one that can be placed as one box each. */
export function solidsIn(chart: Chart, state: ChartState): readonly ChartState[] {
  return state.states.flatMap((child) =>
    isClosedOff(chart, child) ? [child] : solidsIn(chart, child),
  );
}

/** The arrows that run inside one state and not inside one of its solids. */
export function arrowsIn(chart: Chart, state: ChartState): readonly Arrow[] {
  const solids = solidsIn(chart, state);
  return arrowsOf(chart).filter(
    ({ from, to }) =>
      isWithin(from, state.path) &&
      isWithin(to, state.path) &&
      !solids.some(({ path }) => isWithin(from, path) && isWithin(to, path)),
  );
}

/** The path of the solid that a path leads into, if any. */
export function solidAround({ solids }: Pick<Scope, 'solids'>, path: string): string | undefined {
  return [...solids.keys()].find((solid) => isWithin(path, solid));
}

/** Whether no arrow crosses the border of a state to an end inside. */
function isClosedOff(chart: Chart, state: ChartState): boolean {
  const isInside = (path: string) => path !== state.path && isWithin(path, state.path);
  return arrowsOf(chart).every(({ from, to }) => !isInside(to) || isWithin(from, state.path));
}
