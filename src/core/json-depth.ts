const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;

/**
 * Tells whether JSON text nests arrays and objects deeper than `depthMax`.
 *
 * Looks at the bytes only, so it costs no stack and no allocation. Malformed text gets an arbitrary answer;
 * the parser decides about it afterwards.
 */
export function depthExceeds(json: Uint8Array, depthMax: number): boolean {
  if (json.length <= depthMax) return false;
  let depth = 0;
  for (let index = 0; index < json.length; index += 1) {
    switch (json[index]) {
      case QUOTE:
        index = closingQuote(json, index + 1);
        break;
      case OPEN_BRACKET:
      case OPEN_BRACE:
        depth += 1;
        if (depth > depthMax) return true;
        break;
      case CLOSE_BRACKET:
      case CLOSE_BRACE:
        depth -= 1;
        break;
      default:
    }
  }
  return false;
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
