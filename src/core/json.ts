import { pathText } from './text.ts';
import { withArticle } from './wording.ts';

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const COMMA = 0x2c;
const SPACE = 0x20;

/** How much the JSON of one message may hold. */
export interface JsonBounds {
  /** How deep arrays and objects may nest. */
  readonly depthMax: number;
  /** How many values there may be: scalars, arrays and objects, at every depth. Keys do not count. */
  readonly valuesMax: number;
}

/**
 * Finds the bound that JSON text exceeds; `null` when it exceeds none.
 *
 * It reads bytes only, so it needs no stack and allocates nothing, and it stops at the first excess. For malformed
 * text the answer is arbitrary: the parser rejects that text afterwards.
 */
export function exceededBound(json: Uint8Array, bounds: JsonBounds): keyof JsonBounds | null {
  const { depthMax, valuesMax } = bounds;
  // Each level takes two bytes, and each value at least one.
  if (json.length <= Math.min(2 * depthMax + 1, valuesMax)) return null;
  let depth = 0;
  // Each comma precedes a value. The remaining values are the message itself and the first value of each array or object, which
  // is counted where the array or object closes.
  let values = 1;
  for (let index = 0; index < json.length && values <= valuesMax; index += 1) {
    switch (json[index]) {
      case QUOTE:
        index = closingQuote(json, index + 1);
        break;
      case COMMA:
        values += 1;
        break;
      case OPEN_BRACKET:
      case OPEN_BRACE:
        depth += 1;
        if (depth > depthMax) return 'depthMax';
        break;
      case CLOSE_BRACKET:
      case CLOSE_BRACE:
        depth -= 1;
        values += Number(!isEmptyAt(json, index));
        break;
      default:
    }
  }
  return values > valuesMax ? 'valuesMax' : null;
}

/** Whether the array or object that closes at `index` holds nothing. */
function isEmptyAt(json: Uint8Array, index: number): boolean {
  let before = index - 1;
  while ((json[before] ?? COMMA) <= SPACE) before -= 1;
  return json[before] === OPEN_BRACKET || json[before] === OPEN_BRACE;
}

/** Where the string that begins at `from` ends; the last index when it never does. */
function closingQuote(json: Uint8Array, from: number): number {
  let quote = json.indexOf(QUOTE, from);
  while (quote !== -1 && isEscaped(json, quote)) quote = json.indexOf(QUOTE, quote + 1);
  return quote === -1 ? json.length : quote;
}

function isEscaped(json: Uint8Array, quote: number): boolean {
  let backslashes = 0;
  while (json[quote - 1 - backslashes] === BACKSLASH) backslashes += 1;
  return backslashes % 2 === 1;
}

/** What to send instead of bytes. */
const BYTES = 'send text made of it, or use a binary codec';

/** What to send instead, by the name that `Object.prototype.toString` gives. Every kind that is not listed is a view of bytes. */
const insteads: Readonly<Record<string, string>> = {
  Map: 'send an object or an array made of it',
  Set: 'send an array made of it',
  WeakMap: 'leave it out',
  WeakSet: 'leave it out',
  Promise: 'await it first',
  RegExp: 'send its source',
  Error: 'send its name and its message',
  BigInt: 'send it as a string or as a number',
  ArrayBuffer: BYTES,
  SharedArrayBuffer: BYTES,
};

/** The beginnings of what JSON writes for a value that it loses: a Map, bytes, and a `Buffer`, which has a `toJSON`. */
const traces = ['{}', '{"0":', '{"type":"Buffer"'];

/**
 * Finds a value that JSON loses: one that it cannot write, or that it writes as `{}` or as an object with its bytes.
 *
 * @param text - what `JSON.stringify` has written; nothing if it threw. The message is searched only if the text has a trace of
 *   such a value, so all other messages cost one search of their text for each trace.
 * @returns what is wrong and what to send instead; nothing if code of the message threw.
 */
export function jsonProblem(message: unknown, text?: string): string | undefined {
  if (text !== undefined && !traces.some((trace) => text.includes(trace))) return undefined;
  let problem: string | undefined;
  try {
    JSON.stringify(
      message,
      lossFinder((kind, path) => {
        problem ??= describeLoss(kind, path);
      }),
    );
  } catch {
    // A getter, a proxy or a `toJSON` that worked the first time threw now. The text is written, so it is sent.
  }
  return problem;
}

/**
 * Visits each value as `JSON.stringify` is about to write it, after its `toJSON`. It leaves out each value that JSON would
 * lose, so that nothing inside the value is visited and a cycle ends.
 */
function lossFinder(found: (kind: string, path: readonly PropertyKey[]) => void) {
  // The first holder is the object that `JSON.stringify` puts around the message.
  const holders: unknown[] = [];
  const path: PropertyKey[] = [];
  return function look(this: unknown, key: string, value: unknown): unknown {
    const known = holders.indexOf(this);
    if (known === -1) holders.push(this);
    else holders.length = known + 1;
    path.length = holders.length - 1;
    path.push(Array.isArray(this) ? Number(key) : key);
    const isBuffer = ArrayBuffer.isView(Object(this)[key]) && Object(value).type === 'Buffer';
    const kind = isBuffer ? 'Buffer' : holders.includes(value) ? 'cycle' : lossyKind(value);
    if (kind === undefined) return value;
    found(kind, path.slice(1));
    return undefined;
  };
}

function describeLoss(kind: string, path: readonly PropertyKey[]): string {
  const place = path.length === 0 ? 'the message' : pathText(path);
  if (kind === 'cycle') return `${place} contains itself, which JSON cannot write; leave it out`;
  return `${place} is ${withArticle(kind)}, which has no JSON form; ${insteads[kind] ?? BYTES}`;
}

/** Names the kind of a value that JSON loses. Accepts an error, or a subclass of Map, if JSON writes its own fields. */
function lossyKind(value: unknown): string | undefined {
  if (typeof value === 'bigint') return 'BigInt';
  if (typeof value !== 'object' || value === null) return undefined;
  if (ArrayBuffer.isView(value)) return nameOf(value);
  const name = value instanceof Error ? 'Error' : nameOf(value);
  return Object.hasOwn(insteads, name) && JSON.stringify(value) === '{}' ? name : undefined;
}

function nameOf(value: object): string {
  return Object.prototype.toString.call(value).slice(8, -1);
}
