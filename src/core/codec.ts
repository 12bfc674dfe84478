import * as defaults from './defaults.ts';
import { exceededBound, type JsonBounds, jsonProblem } from './json.ts';
import { hasMethods } from './methods.ts';
import { textOf } from './text.ts';

/** Turns messages into payloads and back. `decode` throws for what it cannot read. */
export interface Codec {
  /** The name of the codec in error messages. */
  readonly name: string;
  /** Writes one message: a string leaves as a text frame, bytes leave as a binary frame. */
  encode(message: unknown): string | Uint8Array;
  /**
   * Reads one payload: a `Buffer` in Node.js, a `Uint8Array` in a browser.
   *
   * @throws UndecodableError to choose the close code that fits; any other error counts as 1007.
   */
  decode(payload: Uint8Array, isBinary: boolean): unknown;
}

/** The problem of a value that is not a codec: often the function that makes one. */
export function codecProblem(given: unknown): string {
  return typeof given === 'function'
    ? `must be a codec, not a function; call it: ${given.name}()`
    : 'must be a codec with name, encode and decode';
}

/** Whether a value can be a codec. */
export function isCodec(value: unknown): value is Codec {
  return hasMethods(value, ['encode', 'decode']) && Boolean((value as Codec).name);
}

/** The error for a payload that cannot be read, with the close code that fits. */
export class UndecodableError extends Error {
  /** The name at the beginning of its stack. */
  override readonly name = 'UndecodableError';
  /** 1003 for a kind of payload that is not accepted, 1007 for one that is malformed (RFC 6455 §7.4.1). */
  readonly closeCode: 1003 | 1007;

  constructor(closeCode: 1003 | 1007, message: string) {
    super(message);
    this.closeCode = closeCode;
  }
}

/**
 * JSON in text frames.
 *
 * `encode` throws for a BigInt and a cycle, and for a Map, a Set, bytes, a Promise, a RegExp or an Error that has no
 * `toJSON`: JSON would write it as `{}`, or as an object with a key for each byte. It also throws for a `Buffer`, whose
 * `toJSON` makes a list of numbers. The error names the path.
 *
 * `decode` checks both bounds before it parses. The defaults are the limits of an accepted connection.
 *
 * @param depthMax - how deep arrays and objects may nest; 64 by default.
 * @param valuesMax - how many values a message may have: scalars, arrays and objects, at every depth; keys do not
 *   count; 8,000 by default.
 */
export function jsonCodec(
  depthMax = defaults.limits.depthMax,
  valuesMax = defaults.limits.valuesMax,
): Codec {
  const bounds: JsonBounds = { depthMax, valuesMax };
  return {
    name: 'json',
    encode(message) {
      const text = jsonText(message);
      if (text === undefined) throw new TypeError(`${typeof message} has no JSON form`);
      const problem = jsonProblem(message, text);
      if (problem !== undefined) throw new TypeError(problem);
      return text;
    },
    decode(payload, isBinary) {
      if (isBinary) throw new UndecodableError(1003, 'expected a text frame with JSON');
      const exceeded = exceededBound(payload, bounds);
      if (exceeded !== null) throw new UndecodableError(1007, excessText(exceeded, bounds));
      try {
        return JSON.parse(textOf(payload));
      } catch {
        throw new UndecodableError(1007, 'malformed JSON');
      }
    },
  };
}

function excessText(exceeded: keyof JsonBounds, { depthMax, valuesMax }: JsonBounds): string {
  return exceeded === 'depthMax'
    ? `JSON nested deeper than ${depthMax} (depthMax)`
    : `JSON with more than ${valuesMax} values (valuesMax)`;
}

/** @throws TypeError that names the path. The error of the engine names none. */
function jsonText(message: unknown): string | undefined {
  try {
    return JSON.stringify(message);
  } catch (cause) {
    const problem = jsonProblem(message);
    throw problem === undefined ? cause : new TypeError(problem, { cause });
  }
}

/** Raw bytes in binary frames; a message is a `Uint8Array` (a `Buffer` inbound). */
export function binaryCodec(): Codec {
  return {
    name: 'binary',
    encode(message) {
      if (!(message instanceof Uint8Array)) throw new TypeError('expected a Uint8Array');
      return message;
    },
    decode(payload, isBinary) {
      if (!isBinary) throw new UndecodableError(1003, 'expected a binary frame');
      return payload;
    },
  };
}

/** Plain strings in text frames. */
export function textCodec(): Codec {
  return {
    name: 'text',
    encode(message) {
      if (typeof message !== 'string') throw new TypeError('expected a string');
      return message;
    },
    decode(payload, isBinary) {
      if (isBinary) throw new UndecodableError(1003, 'expected a text frame');
      return textOf(payload);
    },
  };
}
