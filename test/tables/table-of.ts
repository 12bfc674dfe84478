import {
  type AnyMachineSnapshot,
  type AnyStateMachine,
  initialTransition,
  transition,
} from 'xstate';
import { hide } from '../../machines/hidden.ts';
import {
  type ChartTable,
  type Edge,
  type Edges,
  type Order,
  type StateRow,
  type StateValue,
  statePaths,
} from '../../src/chart/table.ts';

/** A machine, and everything that it can be told. */
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
  /** In the order in which they were found; the list grows while it is worked off. */
  readonly #snapshots: AnyMachineSnapshot[] = [];

  constructor(chart: Chart) {
    this.#chart = chart;
  }

  make(): ChartTable {
    const { machine, name } = this.#chart;
    const [first, actions] = initialTransition(machine, hide({ outcome: () => undefined }));
    const start = [this.#indexOf(first), this.#ordersOf(actions)] as const;
    const rows: StateRow[] = [];
    for (const snapshot of this.#snapshots) rows.push(this.#rowOf(snapshot));
    const shared = sharedEdges(rows);
    const states = rows.map((row) => withoutShared(row, shared[topOf(row)]));
    return { name, orders: this.#orders, start, shared, states };
  }

  #rowOf(snapshot: AnyMachineSnapshot): StateRow {
    const value = snapshot.value as StateValue;
    if (snapshot.status === 'done') return { value, isFinal: true };
    const on: [fact: string, Edge][] = [];
    for (const fact of this.#chart.facts) {
      const edge = this.#edgeOf(snapshot, fact);
      if (edge !== undefined) on.push([fact, edge]);
    }
    return { value, on: Object.fromEntries(on) };
  }

  /** `undefined` where the fact changes nothing and orders nothing. */
  #edgeOf(snapshot: AnyMachineSnapshot, fact: string): Edge | undefined {
    const { machine } = this.#chart;
    const [next, actions] = transition(machine, snapshot, { type: fact });
    const to = this.#indexOf(next);
    const orders = this.#ordersOf(actions);
    if (to === this.#indexOf(snapshot) && orders.length === 0) return undefined;
    const taken = machine.getTransitionData(snapshot, { type: fact });
    if (taken.length !== 1) throw new Error(`${fact} takes ${taken.length} transitions at once`);
    const source = taken[0]?.source.path.join('.') ?? '';
    return [to, orders, statePaths(snapshot.value as StateValue).indexOf(source)];
  }

  #indexOf(snapshot: AnyMachineSnapshot): number {
    const key = JSON.stringify(snapshot.value);
    const index = this.#snapshots.findIndex(({ value }) => JSON.stringify(value) === key);
    return index === -1 ? this.#snapshots.push(snapshot) - 1 : index;
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

function topOf({ value }: StateRow): string {
  return statePaths(value)[0] ?? '';
}

/** What all rows within one top-level state have in common, where there is more than one row. */
function sharedEdges(rows: readonly StateRow[]): Record<string, Edges> {
  const shared: Record<string, Edges> = {};
  for (const top of new Set(rows.map(topOf))) {
    const [first, ...others] = rows.filter((row) => topOf(row) === top);
    if (others.length === 0) continue;
    const common = Object.entries(first?.on ?? {}).filter(([fact, edge]) =>
      others.every(({ on }) => JSON.stringify(on?.[fact]) === JSON.stringify(edge)),
    );
    if (common.length > 0) shared[top] = Object.fromEntries(common);
  }
  return shared;
}

function withoutShared({ on, ...row }: StateRow, shared: Edges = {}): StateRow {
  if (on === undefined) return row;
  return {
    ...row,
    on: Object.fromEntries(Object.entries(on).filter(([fact]) => !(fact in shared))),
  };
}
