/** The words of errors about arguments and options. Written by hand, because a page bundles no schema library. */

import { escapeText } from './text.ts';

/** Longest text that is quoted where a word was expected, in characters. */
const WORD_MAX = 20;

/** Longest name that is compared with others, in characters. */
const NAME_MAX = 40;

/** A number as text, too short to be a secret. */
const NUMERAL = /^\d{1,5}$/;

/** Describes a value. Text is not quoted, because it may be a credential, except for a short number. */
export function kindOf(value: unknown): string {
  switch (typeof value) {
    case 'string':
      return kindOfText(value);
    case 'object':
      return value === null ? 'null' : kindOfObject(value);
    case 'function':
      return 'a function';
    case 'symbol':
      return 'a symbol';
    case 'bigint':
      return 'a BigInt';
    default:
      return String(value);
  }
}

function kindOfText(text: string): string {
  if (text === '') return 'an empty string';
  return NUMERAL.test(text) ? `the string '${text}'` : 'a string';
}

/**
 * A class of Mooring gives the public name of its objects as `spokenName`: its own name is internal, and a bundler changes it.
 */
function kindOfObject(value: object): string {
  if (Array.isArray(value)) return 'a list';
  const maker: unknown = (value as { constructor?: unknown }).constructor;
  if (typeof maker !== 'function') return 'an object';
  const { name, spokenName } = maker as { name: string; spokenName?: string };
  return spokenName ?? (name === '' || name === 'Object' ? 'an object' : withArticle(name));
}

/** `a Map`, `an Error`. `Uint8Array` and `URL` begin with the sound of "you". */
export function withArticle(name: string): string {
  return `${/^(?:[AEIO]|U[np](?!i))/.test(name) ? 'an' : 'a'} ${name}`;
}

/** `'a', 'b' or 'c'`. */
export function anyOf(names: readonly string[]): string {
  return names.length < 2 ? names.join() : `${names.slice(0, -1).join(', ')} or ${names.at(-1)}`;
}

/** Describes a value that must be one of a few words. Short text is quoted: in place of such a word it is not a credential. */
export function mustBeOneOf(words: readonly string[], value: unknown): string {
  const expected = `must be ${anyOf(words.map((word) => `'${word}'`))}`;
  if (typeof value !== 'string' || value.length > WORD_MAX) return expected;
  return `${expected}, not '${escapeText(value)}'${suggestion(value, words, "'")}`;
}

/** Ends a sentence about an unknown name with the most similar known name, if there is one. `quote` goes around it. */
export function suggestion(name: string, known: Iterable<string>, quote = ''): string {
  const near = nearest(name, known);
  return near === undefined ? '' : `; did you mean ${quote}${near}${quote}?`;
}

/**
 * Finds the most similar name. It allows two typing errors, and one for each three characters at most, because short
 * names are similar by chance. A name that lacks its end, for example its unit, counts as one error.
 */
function nearest(name: string, known: Iterable<string>): string | undefined {
  if (name.length > NAME_MAX) return undefined;
  let best: string | undefined;
  let bestDistance = Math.min(2, Math.floor(name.length / 3)) + 1;
  for (const candidate of known) {
    const isCut = name.length >= 3 && candidate.startsWith(name);
    const distance = isCut ? 1 : distanceOf(name.toLowerCase(), candidate.toLowerCase());
    if (distance < bestDistance) [best, bestDistance] = [candidate, distance];
  }
  return best;
}

/** How many characters to insert, delete or replace, or neighbours to swap (optimal string alignment). */
function distanceOf(one: string, other: string): number {
  let [before, previous]: number[][] = [
    [],
    Array.from({ length: other.length + 1 }, (_, at) => at),
  ];
  for (let row = 1; row <= one.length; row += 1) {
    const current = [row];
    for (let column = 1; column <= other.length; column += 1) {
      const isSame = one[row - 1] === other[column - 1];
      const isSwapped = one[row - 2] === other[column - 1] && one[row - 1] === other[column - 2];
      current[column] = Math.min(
        at(current, column - 1) + 1,
        at(previous, column) + 1,
        at(previous, column - 1) + (isSame ? 0 : 1),
        isSwapped ? at(before, column - 2) + 1 : Number.POSITIVE_INFINITY,
      );
    }
    [before, previous] = [previous, current];
  }
  return at(previous, other.length);
}

function at(row: readonly number[] | undefined, index: number): number {
  return row?.[index] ?? Number.POSITIVE_INFINITY;
}
