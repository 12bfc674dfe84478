/** Where `console.log` of Node.js asks an object what to print. A page does not ask. */
export const inspectKey: unique symbol = Symbol.for('nodejs.util.inspect.custom');

/** What Node.js hands over: how deep it may go, how to print, and what prints. */
export type InspectArguments = [
  depth: number | null,
  options: object,
  inspect: (value: unknown, options: object) => string,
];

/** Prints a name and some fields. What an object holds besides, such as credentials, is not printed. */
export function inspection(
  name: string,
  fields: object,
  [depth, options, inspect]: InspectArguments,
): string {
  if (depth !== null && depth < 0) return `[${name}]`;
  return `${name} ${inspect(fields, { ...options, depth })}`;
}
