/** Keeps a leading U+FEFF, as `Buffer` does: in a message it is text (RFC 6455 §5.6 has no byte order mark). */
const decoder = /* @__PURE__ */ new TextDecoder('utf-8', { ignoreBOM: true });

export const encoder = /* @__PURE__ */ new TextEncoder();

/** Scratch space in which text is encoded to measure it. */
const scratch = /* @__PURE__ */ new Uint8Array(8_192);

/** The length of a payload in bytes, with text as UTF-8. Long text is not copied, because a slice of it is only a reference. */
export function byteLength(payload: string | Uint8Array): number {
  if (typeof payload !== 'string') return payload.length;
  let bytes = 0;
  for (let at = 0; at < payload.length; ) {
    const { read, written } = encoder.encodeInto(at === 0 ? payload : payload.slice(at), scratch);
    at += read;
    bytes += written;
  }
  return bytes;
}

/** How much of a foreign text is quoted, in UTF-16 code units. */
const EXCERPT_MAX = 200;

/** The beginning of a foreign text, such as a header. */
export function excerptOf(text: string): string {
  return text.length > EXCERPT_MAX ? `${text.slice(0, EXCERPT_MAX)}…` : text;
}

/**
 * The same text in memory of its own.
 *
 * V8 stores a part of a longer text, such as the result of `slice`, as a reference, which keeps the whole text alive.
 * Concatenation makes a new text, and a part of that keeps only one more character alive.
 */
export function copyOf(text: string): string {
  return ` ${text}`.slice(1);
}

/** The same text in memory of its own, with U+FFFD for each lone surrogate. Not every host has `toWellFormed`. */
export function wellFormed(text: string): string {
  return textOf(encoder.encode(text));
}

/** Decodes UTF-8. A `Buffer` is faster than a decoder, but a page has none. */
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

/**
 * Control characters, line separators and marks that reorder text. Foreign text could use them to look like something
 * else in a log or a terminal.
 */
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it looks for.
const UNSAFE = /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g;

/** Makes foreign text safe to print on one line: writes its unsafe characters as `\uXXXX`. */
export function escapeText(text: string): string {
  return text.replaceAll(UNSAFE, (unsafe) => {
    const code = unsafe.charCodeAt(0).toString(16).padStart(4, '0');
    return `\\u${code}`;
  });
}

type Print = (value: unknown, options: object) => string;

/**
 * Makes `console.log` in Node.js print a name and some fields of every instance of a class. Other fields, such as credentials,
 * are not printed.
 */
export function printAs<Instance extends object>(
  prototype: Instance,
  name: string,
  fieldsOf: (instance: Instance) => object,
): void {
  Object.defineProperty(prototype, Symbol.for('nodejs.util.inspect.custom'), {
    configurable: true,
    value(this: Instance, depth: number | null, options: object, print: Print): string {
      if (depth !== null && depth < 0) return `[${name}]`;
      return `${name} ${print(fieldsOf(this), { ...options, depth })}`;
    },
  });
}

/**
 * Returns a text itself and a copy of bytes, because the application may overwrite its bytes while they wait. It does not use
 * `slice`, which does not copy a `Buffer`.
 */
export function ownCopy<Payload extends string | Uint8Array | undefined>(
  payload: Payload,
): Payload | Uint8Array {
  return payload instanceof Uint8Array ? new Uint8Array(payload) : payload;
}
