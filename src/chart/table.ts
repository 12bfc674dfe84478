/** The active states of a chart, nested as XState nests them. */
export type StateValue = string | { readonly [state: string]: StateValue };

/** An order of a chart: the name of a method of the chart's owner, and its argument. */
export type Order = readonly [name: string, params?: unknown];

/** Where a fact leads: the innermost states that it enters (none if it stays), and the indexes of its orders. */
export type Edge = readonly [to: readonly string[], orders: readonly number[]];

/** Edges by the name of their fact; `null` where an inner state ignores a fact that an outer one would take. */
export type Edges = { readonly [fact: string]: Edge | null };

/**
 * A chart as data: what each fact does in each state, with all orders that entering and leaving states add to it.
 *
 * `npm run tables` makes one from each machine in `machines/`. A table runs without XState, and a step costs the same
 * for every chart.
 */
export interface ChartTable {
  readonly name: string;
  readonly orders: readonly Order[];
  /** The first states, and the orders on entering them. */
  readonly start: Edge;
  readonly final: readonly string[];
  /**
   * The edges of each state, by its path, in the order of the machine. The root has an empty path. States without edges
   * are included.
   */
  readonly edges: { readonly [path: string]: Edges };
}

/**
 * Lists every active state as a path, parents first: `['open', 'open.flow', 'open.flow.flowing', …]`.
 *
 * @param leaves - the innermost of them.
 */
export function pathsTo(leaves: readonly string[]): readonly string[] {
  const paths = leaves.flatMap((leaf) => {
    const names = leaf.split('.');
    return names.map((_, at) => names.slice(0, at + 1).join('.'));
  });
  return [...new Set(paths)];
}

/** Nests active states as XState does. @param paths - all of them. */
export function nested(paths: readonly string[], parent = ''): StateValue {
  const inner = paths.filter((path) => path.startsWith(parent) && path !== parent);
  const names = inner
    .map((path) => path.slice(parent.length))
    .filter((name) => !name.includes('.'));
  const [only] = names;
  if (inner.length === 1 && only !== undefined) return only;
  return Object.fromEntries(names.map((name) => [name, nested(paths, `${parent}${name}.`)]));
}
