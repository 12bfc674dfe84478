/** A property of any value; `undefined` if it has none. */
export function propertyOf(value: unknown, name: string): unknown {
  return value === undefined || value === null
    ? undefined
    : (value as Record<string, unknown>)[name];
}

/** Whether a value has methods of these names. */
export function hasMethods(value: unknown, names: readonly string[]): boolean {
  return names.every((name) => typeof propertyOf(value, name) === 'function');
}
