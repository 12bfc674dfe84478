/** What JSON writes without its content, by the name that `Object.prototype.toString` gives it. */
const lossyNames: ReadonlySet<string> = new Set([
  ...['Map', 'Set', 'WeakMap', 'WeakSet', 'Promise', 'RegExp', 'Error'],
  ...['ArrayBuffer', 'SharedArrayBuffer'],
]);

/** Something in a message that its JSON text does not hold. */
export interface JsonLoss {
  /** Where it is; empty for the message as a whole. */
  readonly path: readonly PropertyKey[];
  /** What it is, for example `Map`. */
  readonly kind: string;
}

/**
 * Finds what `JSON.stringify` wrote as `{}`, or byte for byte as an object, although it has other content.
 *
 * Only a text that has one of these marks is worth a look at the message, so that the others cost nothing but the search.
 */
export function jsonLoss(message: unknown, text: string): JsonLoss | undefined {
  if (!text.includes('{}') && !text.includes('{"0":')) return undefined;
  const path: PropertyKey[] = [];
  try {
    const kind = lossIn({ '': message }, '', path);
    return kind === undefined ? undefined : { path: path.slice(0, -1).reverse(), kind };
  } catch {
    // A getter, a proxy or a `toJSON` that answered the first time and not again: the text is written, so it goes.
    return undefined;
  }
}

/** Follows `JSON.stringify` through a value. Notes the way to what it finds from its end: most values have nothing. */
function lossIn(holder: object, key: string | number, path: PropertyKey[]): string | undefined {
  const value = jsonValue(Reflect.get(holder, key), key);
  if (typeof value !== 'object' || value === null) return undefined;
  const kind = lossyKind(value) ?? lossWithin(value, path);
  if (kind !== undefined) path.push(key);
  return kind;
}

function lossWithin(value: object, path: PropertyKey[]): string | undefined {
  const keys = Array.isArray(value) ? value.keys() : Object.keys(value);
  for (const key of keys) {
    const kind = lossIn(value, key, path);
    if (kind !== undefined) return kind;
  }
  return undefined;
}

/** What is written in its place (ECMA-262 §25.5.2.2). */
function jsonValue(value: unknown, key: string | number): unknown {
  if (typeof value !== 'object' || value === null) return value;
  const { toJSON } = value as { toJSON?: unknown };
  return typeof toJSON === 'function' ? toJSON.call(value, String(key)) : value;
}

/** An error, or a class made of a map, may have fields of its own, which JSON writes: then it is left alone. */
function lossyKind(value: object): string | undefined {
  if (ArrayBuffer.isView(value)) return nameOf(value);
  const name = value instanceof Error ? 'Error' : nameOf(value);
  return lossyNames.has(name) && JSON.stringify(value) === '{}' ? name : undefined;
}

function nameOf(value: object): string {
  return Object.prototype.toString.call(value).slice(8, -1);
}
