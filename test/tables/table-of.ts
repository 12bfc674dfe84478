import {
  type AnyMachineSnapshot,
  type AnyStateMachine,
  type AnyStateNode,
  initialTransition,
  transition,
} from 'xstate';
import { hide } from '../../machines/hidden.ts';
import type { ChartTable, Edge, Order, StateValue } from '../../src/chart/table.ts';

/** A machine, and all facts that it can be sent. */
export interface Chart {
  readonly name: string;
  readonly machine: AnyStateMachine;
  readonly facts: readonly string[];
}

/** Asks XState for every step of a machine, and returns all of them as a table. */
export function tableOf(chart: Chart): ChartTable {
  return new TableMaker(chart).make();
}

class TableMaker {
  readonly #chart: Chart;
  readonly #orders: Order[] = [];
  readonly #edges: Record<string, Record<string, Edge | null>>;
  /** In the order of discovery. The list grows during the work. */
  readonly #snapshots: AnyMachineSnapshot[] = [];

  constructor(chart: Chart) {
    this.#chart = chart;
    this.#edges = Object.fromEntries(statesIn(chart.machine.root).map((path) => [path, {}]));
  }

  make(): ChartTable {
    const { machine, name, facts } = this.#chart;
    const [first, actions] = initialTransition(machine, hide({ outcome: () => undefined }));
    const start = [leavesOf(first), this.#ordersOf(actions)] as const;
    this.#reach(first);
    for (const snapshot of this.#snapshots) {
      if (snapshot.status !== 'done') for (const fact of facts) this.#take(snapshot, fact);
    }
    const done = this.#snapshots.filter(({ status }) => status === 'done');
    const final = done.flatMap(leavesOf);
    return { name, orders: this.#orders, start, final, edges: this.#edges };
  }

  /** Records the edge of the state that accepts a fact. A fact that changes nothing and orders nothing has none. */
  #take(snapshot: AnyMachineSnapshot, fact: string): void {
    const { machine } = this.#chart;
    const [next, actions] = transition(machine, snapshot, { type: fact });
    this.#reach(next);
    const taken = machine.getTransitionData(snapshot, { type: fact });
    if (taken.length > 1) throw new Error(`${fact} takes ${taken.length} transitions at once`);
    const [{ source, target } = {}] = taken;
    if (source === undefined) return;
    const entered = (target ?? []).map(({ path }) => path.join('.'));
    const to = leavesOf(next).filter((leaf) => entered.some((path) => isWithin(leaf, path)));
    const orders = this.#ordersOf(actions);
    const isIgnored = to.length === 0 && orders.length === 0;
    this.#note(source.path.join('.'), fact, isIgnored ? null : [to, orders]);
  }

  /** One edge represents a fact in all configurations with its state. */
  #note(path: string, fact: string, edge: Edge | null): void {
    const edges = this.#edges[path] as Record<string, Edge | null>;
    const known = edges[fact];
    if (known !== undefined && JSON.stringify(known) !== JSON.stringify(edge))
      throw new Error(`${fact} does not always do the same in ${path || 'the root'}`);
    edges[fact] = edge;
  }

  #reach(snapshot: AnyMachineSnapshot): void {
    const key = leavesOf(snapshot).join();
    if (!this.#snapshots.some((known) => leavesOf(known).join() === key))
      this.#snapshots.push(snapshot);
  }

  #ordersOf(actions: readonly { readonly type: string; readonly params: unknown }[]): number[] {
    return actions.map(({ type, params }) => {
      const order: Order = params === undefined ? [type] : [type, params];
      const key = JSON.stringify(order);
      const index = this.#orders.findIndex((known) => JSON.stringify(known) === key);
      return index === -1 ? this.#orders.push(order) - 1 : index;
    });
  }
}

/** Every state in the order in which the machine is written, parents first. The root has an empty path. */
function statesIn({ path, states }: AnyStateNode): string[] {
  return [path.join('.'), ...Object.values(states).flatMap(statesIn)];
}

/** The innermost active states, in the order of their regions. */
function leavesOf({ value }: AnyMachineSnapshot): string[] {
  return leavesIn(value as StateValue);
}

/** The innermost states of an XState value. */
export function leavesIn(value: StateValue, parent = ''): string[] {
  if (typeof value === 'string') return [parent + value];
  return Object.entries(value).flatMap(([state, inner]) => leavesIn(inner, `${parent}${state}.`));
}

function isWithin(path: string, outer: string): boolean {
  return path === outer || path.startsWith(`${outer}.`);
}
