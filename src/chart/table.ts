/** The active states of a chart, nested as XState nests them. */
export type StateValue = string | { readonly [state: string]: StateValue };

/** An order of a chart: the name of a method of the chart's owner, and its argument. */
export type Order = readonly [name: string, params?: unknown];

/** Where a fact leads: the index of a state, the indexes of orders, and which active state takes the fact. */
export type Edge = readonly [to: number, orders: readonly number[], source: number];

/** Edges by the name of their fact. */
export type Edges = { readonly [fact: string]: Edge };

/** One configuration of a chart. */
export interface StateRow {
  readonly value: StateValue;
  readonly on?: Edges;
  readonly isFinal?: true;
}

/**
 * A chart as data: every configuration that it can be in, and what each fact does there.
 *
 * `npm run tables` makes one from each machine in `machines/`. A table can be run without XState, and a step costs the same for every chart.
 */
export interface ChartTable {
  readonly name: string;
  readonly orders: readonly Order[];
  /** The first configuration, and the orders on entering it. */
  readonly start: readonly [state: number, orders: readonly number[]];
  /** Edges that all configurations within a top-level state have, by its name. */
  readonly shared: { readonly [state: string]: Edges };
  readonly states: readonly StateRow[];
}

/** Lists the active states as paths, parents first: `['open', 'open.flow', 'open.flow.flowing', …]`. */
export function statePaths(value: StateValue, parent = ''): string[] {
  if (typeof value === 'string') return [parent + value];
  return Object.entries(value).flatMap(([state, inner]) => [
    parent + state,
    ...statePaths(inner, `${parent}${state}.`),
  ]);
}
