type StateValue = string | { readonly [state: string]: StateValue | undefined };

/** Lists every active state as a path, parents first: `['open', 'open.flow', 'open.flow.flowing', …]`. */
export function snapshotPaths(value: StateValue, parent = ''): string[] {
  if (typeof value === 'string') return [parent + value];
  return Object.entries(value).flatMap(([state, inner]) => {
    const path = parent + state;
    return inner === undefined ? [path] : [path, ...snapshotPaths(inner, `${path}.`)];
  });
}
