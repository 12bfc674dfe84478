import { beatAnswer, beatRequest } from './beat.ts';
import { exceededBound, type JsonBounds } from './json.ts';
import { textOf } from './text.ts';

/**
 * Headings are messages of Mooring itself between two Mooring peers. A heading is a text message: U+0001, then a JSON array whose
 * first value is a word. No JSON text begins with U+0001, so a heading differs from every message of the JSON codec. A peer ignores
 * a word that it does not know. `docs/protocol.md` specifies all words.
 */
export type Heading = readonly [word: string, ...values: unknown[]];

/** The character that begins a heading (ASCII SOH). */
const START_OF_HEADING = '\u0001';
const START = 1;

/** The payload of a heading. */
export function headingText(...heading: Heading): string {
  return START_OF_HEADING + JSON.stringify(heading);
}

/** Whether a message on a connection between two Mooring peers is a heading. */
export function isHeading(payload: Uint8Array, isBinary: boolean): boolean {
  return payload[0] === START && !isBinary;
}

/**
 * How much a heading may hold. One with 10,000 positions has room. Without bounds, a heading of 1 MiB could take 150 ms to parse
 * (measured in Node.js 20).
 */
const bounds: JsonBounds = { depthMax: 64, valuesMax: 16_000 };

/** Reads a heading; `null` if it is none that any version of Mooring writes. */
export function readHeading(payload: Uint8Array): Heading | null {
  const json = payload.subarray(1);
  if (exceededBound(json, bounds) !== null) return null;
  try {
    const values: unknown = JSON.parse(textOf(json));
    return Array.isArray(values) && typeof values[0] === 'string' ? (values as never) : null;
  } catch {
    return null;
  }
}

/** What one side of a connection does with each heading, by its word. `values` follow the word; the peer chose them. */
export type Words<Subject> = ReadonlyMap<
  string,
  (subject: Subject, values: readonly unknown[]) => void
>;

/** Acts on a heading. Ignores one that is not well-formed, and one whose word it does not know. */
export function takeHeading<Subject>(
  words: Words<Subject>,
  subject: Subject,
  payload: Uint8Array,
): void {
  const heading = readHeading(payload);
  if (heading !== null) words.get(heading[0])?.(subject, heading.slice(1));
}

/** Whether a peer would take this text for a message of Mooring itself. No JSON text is one. */
export function isMooringText(text: string): boolean {
  return text.charCodeAt(0) === START || text === beatRequest || text === beatAnswer;
}
