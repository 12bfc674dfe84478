import { pathText } from './text.ts';
import { withArticle } from './wording.ts';

/** What JSON writes without its content, by the name that `Object.prototype.toString` gives it. */
const lossyNames: ReadonlySet<string> = new Set([
  ...['Map', 'Set', 'WeakMap', 'WeakSet', 'Promise', 'RegExp', 'Error'],
  ...['ArrayBuffer', 'SharedArrayBuffer'],
]);

/** Something in a message that JSON cannot write, or writes without its content. */
export interface JsonLoss {
  /** Where it is; empty for the message as a whole. */
  readonly path: readonly PropertyKey[];
  /** What it is, for example `Map`; `cycle` for an object that contains itself. */
  readonly kind: string;
}

/** What to send instead, by kind; all others are bytes. */
const insteads: Readonly<Record<string, string>> = {
  Map: 'send an object or an array made of it',
  Set: 'send an array made of it',
  WeakMap: 'leave it out',
  WeakSet: 'leave it out',
  Promise: 'await it first',
  RegExp: 'send its source',
  Error: 'send its name and its message',
  BigInt: 'send it as a string or as a number',
};

/** Says what is wrong, and what to send instead. */
export function describeLoss({ path, kind }: JsonLoss): string {
  const place = path.length === 0 ? 'the message' : pathText(path);
  if (kind === 'cycle') return `${place} contains itself, which JSON cannot write; leave it out`;
  const instead = insteads[kind] ?? 'send text made of it, or use a binary codec';
  return `${place} is ${withArticle(kind)}, which has no JSON form; ${instead}`;
}

/** Finds what made `JSON.stringify` throw: a BigInt or a cycle. Nothing when code of the message threw. */
export function jsonObstacle(message: unknown): JsonLoss | undefined {
  const path: PropertyKey[] = [];
  const holders = new Set<object>();
  const find = (value: unknown): string | undefined => {
    if (typeof value === 'bigint') return 'BigInt';
    if (typeof value !== 'object' || value === null) return undefined;
    if (holders.has(value)) return 'cycle';
    holders.add(value);
    for (const key of keysOf(value)) {
      path.push(key);
      const kind = find(jsonValue(Reflect.get(value, key), key));
      if (kind !== undefined) return kind;
      path.pop();
    }
    holders.delete(value);
    return undefined;
  };
  try {
    const kind = find(jsonValue(message, ''));
    return kind === undefined ? undefined : { path, kind };
  } catch {
    return undefined;
  }
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
  for (const key of keysOf(value)) {
    const kind = lossIn(value, key, path);
    if (kind !== undefined) return kind;
  }
  return undefined;
}

function keysOf(value: object): Iterable<string | number> {
  return Array.isArray(value) ? value.keys() : Object.keys(value);
}

/** What is written in its place (ECMA-262 §25.5.2.2); a program may have given BigInts a `toJSON`. */
function jsonValue(value: unknown, key: string | number): unknown {
  if ((typeof value !== 'object' && typeof value !== 'bigint') || value === null) return value;
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
