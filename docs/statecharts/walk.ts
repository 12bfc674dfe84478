import {
  type AnyMachineSnapshot,
  type AnyStateMachine,
  initialTransition,
  transition,
} from 'xstate';
import { hide } from '../../machines/index.ts';
import { type Chart, isLeaf, isWithin, stateAt, statesBelow } from './chart.ts';
import type { Example } from './examples.ts';

/** The state of a chart after a step of an example. */
export interface Stage {
  /** The fact that the chart was sent. Absent at the start. */
  readonly fact: string | undefined;
  readonly text: string;
  /** The path of every active state, parents first. */
  readonly active: readonly string[];
  /** The ids of the arrows that led here. */
  readonly arrows: readonly string[];
}

/** An example, and the state of its chart after each step. */
export interface WalkedExample {
  readonly example: Example;
  readonly stages: readonly Stage[];
}

/** Orders have no effect: an example only shows the states of the chart. */
const nobody = new Proxy({}, { get: () => () => undefined });

/** Runs the machine of a chart through an example. @throws Error when a fact moves nothing. */
export function walk(machine: AnyStateMachine, chart: Chart, example: Example): readonly Stage[] {
  let snapshot: AnyMachineSnapshot = initialTransition(machine, hide(nobody))[0];
  const stages: Stage[] = [];
  const enter = (fact: string | undefined, text: string, arrows: readonly string[]) => {
    stages.push({ fact, text, active: activeIn(chart, snapshot), arrows });
  };
  enter(undefined, example.start, []);
  for (const { fact, text } of example.steps) {
    const arrows = arrowsTaken(chart, stages.at(-1)?.active ?? [], fact);
    if (arrows.length === 0)
      throw new Error(`${chart.id}: ${fact} moves nothing in “${example.title}”`);
    snapshot = transition(machine, snapshot, { type: fact })[0];
    enter(fact, text, arrows);
  }
  return stages;
}

/** The innermost of some active states. */
export function innermost(chart: Chart, active: readonly string[]): readonly string[] {
  return active.filter((path) => isLeaf(stateAt(chart, path)));
}

function activeIn(chart: Chart, { _nodes }: AnyMachineSnapshot): readonly string[] {
  const active = new Set(_nodes.map(({ path }) => path.join('.')));
  return statesBelow(chart.root)
    .map(({ path }) => path)
    .filter((path) => active.has(path));
}

/** In each region, the innermost state that knows a fact handles it. */
function arrowsTaken(chart: Chart, active: readonly string[], fact: string): readonly string[] {
  const taken = innermost(chart, active).flatMap((leaf) => {
    const [inner] = chart.transitions
      .filter((one) => one.fact === fact && isWithin(leaf, one.from))
      .toSorted((one, other) => other.from.length - one.from.length);
    return inner?.to === undefined ? [] : [`${inner.from}>${inner.to}`];
  });
  return [...new Set(taken)];
}
