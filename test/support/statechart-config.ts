/** The part of a machine that these tests know: its configuration, as written. */
export interface StateConfig {
  readonly description?: string;
  readonly meta?: { readonly deadline?: string };
  readonly entry?: unknown;
  readonly on?: Readonly<Record<string, unknown>>;
  readonly states?: Readonly<Record<string, StateConfig>>;
}

/** A state of the configuration, with its path. */
export interface WrittenState {
  readonly path: string;
  readonly config: StateConfig;
}

/** Every state below the root, as written. */
export function writtenStates(config: StateConfig, above: readonly string[] = []): WrittenState[] {
  return Object.entries(config.states ?? {}).flatMap(([name, child]) => {
    const path = [...above, name];
    return [{ path: path.join('.'), config: child }, ...writtenStates(child, path)];
  });
}

/** Every fact that a state accepts, with the path of that state. The root has an empty one. */
export function writtenFacts(config: StateConfig): { path: string; fact: string }[] {
  return [{ path: '', config }, ...writtenStates(config)].flatMap((state) =>
    Object.keys(state.config.on ?? {}).map((fact) => ({ path: state.path, fact })),
  );
}

/** The names of all orders in the configuration, on entry or in transitions. */
export function writtenOrders(config: StateConfig): string[] {
  const actions = [{ path: '', config }, ...writtenStates(config)].flatMap((state) => [
    state.config.entry,
    ...Object.values(state.config.on ?? {}).map((to) => (to as { actions?: unknown })?.actions),
  ]);
  const names = actions.flat().flatMap((action) => {
    if (typeof action === 'string') return [action];
    const type = (action as { type?: unknown } | undefined)?.type;
    return typeof type === 'string' ? [type] : [];
  });
  return [...new Set(names)];
}
