import { type Chart, type ChartTransition, isWithin } from './chart.ts';

/** Transitions between the same two states share one arrow. */
export interface Arrow {
  /** `open>closing.local`, which is unique within its chart. */
  readonly id: string;
  readonly from: string;
  readonly to: string;
  readonly transitions: readonly ChartTransition[];
  /** Whether it starts at the border of a state and ends inside the same state. */
  readonly isInward: boolean;
}

/** The arrows of a chart, in the order of its transitions. */
export function arrowsOf({ transitions }: Chart): readonly Arrow[] {
  const arrows = new Map<string, Arrow & { transitions: ChartTransition[] }>();
  for (const transition of transitions) {
    const { from, to } = transition;
    if (to === undefined) continue;
    const id = `${from}>${to}`;
    const known = arrows.get(id);
    if (known !== undefined) known.transitions.push(transition);
    else arrows.set(id, { id, from, to, transitions: [transition], isInward: isWithin(to, from) });
  }
  return [...arrows.values()];
}

/** The facts that a state notes without leaving it. */
export function staysOf({ transitions }: Chart, path: string): readonly ChartTransition[] {
  return transitions.filter(({ from, to }) => from === path && to === undefined);
}
