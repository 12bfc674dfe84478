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
  // Each level and each value takes at least one byte.
  if (json.length <= Math.min(depthMax, valuesMax)) return null;
  let depth = 0;
  // A comma is followed by a value. The other values are the first of an array or object, counted where it closes, and
  // the message itself.
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
