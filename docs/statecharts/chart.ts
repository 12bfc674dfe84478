import type { AnyStateMachine, AnyStateNode } from 'xstate';

/** One state of a chart, with the states inside it. */
export interface ChartState {
  /** Its path from the root, for example `open.flow.congested`. Empty for the root. */
  readonly path: string;
  readonly name: string;
  readonly type: AnyStateNode['type'];
  readonly description: string;
  /** The option that limits the time in it, if it has a deadline of its own. */
  readonly deadline: string | undefined;
  /** Orders given on entry. */
  readonly orders: readonly string[];
  /** Whether its parent begins with it. */
  readonly isFirst: boolean;
  /** Whether it is one of several states that are active together. */
  readonly isRegion: boolean;
  readonly states: readonly ChartState[];
}

/** The effect of one fact in one state. */
export interface ChartTransition {
  readonly from: string;
  /** The path of the target. `undefined` when the state is kept. */
  readonly to: string | undefined;
  readonly fact: string;
  readonly description: string;
  /** Orders given on the way. */
  readonly orders: readonly string[];
}

/** Everything about a machine that a picture or a table shows. */
export interface Chart {
  readonly id: string;
  readonly root: ChartState;
  readonly transitions: readonly ChartTransition[];
}

/** Reads a machine. */
export function readChart(machine: AnyStateMachine): Chart {
  return {
    id: machine.id,
    root: readState(machine.root),
    transitions: readTransitions(machine.root),
  };
}

/** All states below one, parents first. */
export function statesBelow(state: ChartState): readonly ChartState[] {
  return state.states.flatMap((child) => [child, ...statesBelow(child)]);
}

/** The states below one that have no substates. */
export function leavesBelow(state: ChartState): readonly ChartState[] {
  return statesBelow(state).filter(isLeaf);
}

/** Whether a state has no substates. */
export function isLeaf({ states }: ChartState): boolean {
  return states.length === 0;
}

/** Whether one path leads into another, or equals it. */
export function isWithin(path: string, outer: string): boolean {
  return path === outer || outer === '' || path.startsWith(`${outer}.`);
}

/** The state with a path. @throws Error when there is none. */
export function stateAt(chart: Chart, path: string): ChartState {
  const found = [chart.root, ...statesBelow(chart.root)].find((state) => state.path === path);
  if (found === undefined) throw new Error(`${chart.id} has no state ${path}`);
  return found;
}

function readState(node: AnyStateNode): ChartState {
  const meta = node.meta as { deadline?: string } | undefined;
  return {
    path: node.path.join('.'),
    name: node.key,
    type: node.type,
    description: node.description ?? '',
    deadline: meta?.deadline,
    orders: node.entry.map(orderName),
    isFirst: isInitial(node),
    isRegion: node.parent?.type === 'parallel',
    states: Object.values(node.states).map(readState),
  };
}

function isInitial(node: AnyStateNode): boolean {
  return node.parent?.type === 'compound' && node.parent.initial.target.includes(node);
}

function readTransitions(node: AnyStateNode): ChartTransition[] {
  const own = [...node.transitions.values()].flat().map((transition) => ({
    from: node.path.join('.'),
    to: transition.target?.[0]?.path.join('.'),
    fact: transition.eventType,
    description: transition.description ?? '',
    orders: transition.actions.map(orderName),
  }));
  return [...own, ...Object.values(node.states).flatMap(readTransitions)];
}

/** `startDeadline(close)`: an order with its fixed parameters, if it has any. */
function orderName(action: unknown): string {
  if (typeof action === 'string') return action;
  const { type, params } = action as { type: string; params?: unknown };
  if (typeof params !== 'object' || params === null) return type;
  return `${type}(${Object.values(params).join(', ')})`;
}
