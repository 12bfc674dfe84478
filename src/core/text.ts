const decoder = new TextDecoder();

/** How much of a text that somebody else chose is repeated, in UTF-16 code units. */
const EXCERPT_MAX = 200;

/** The beginning of a text that somebody else chose. */
export function excerptOf(text: string): string {
  return text.length > EXCERPT_MAX ? `${text.slice(0, EXCERPT_MAX)}…` : text;
}

/** Reads UTF-8. A `Buffer` does so faster than a decoder; a page has none. */
export function textOf(bytes: Uint8Array): string {
  return bytes.toString === Uint8Array.prototype.toString
    ? decoder.decode(bytes)
    : (bytes as Buffer).toString('utf8');
}

/** Writes `['items', 2, 'price']` as `items[2].price`. */
export function pathText(path: readonly PropertyKey[]): string {
  return path.reduce<string>((text, key) => {
    if (typeof key === 'number') return `${text}[${key}]`;
    return text === '' ? String(key) : `${text}.${String(key)}`;
  }, '');
}
