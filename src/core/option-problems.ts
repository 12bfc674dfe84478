import { MooringError } from './errors.ts';
import { kindOf, suggestion } from './wording.ts';

/**
 * Whether a value can be options: an object with options of its own, or with none at all.
 *
 * A promise of options, a Map of them, or a connection in the place of options would be taken for options without any.
 */
export function isOptions(value: unknown): value is object {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  const isPlain = prototype === null || Object.getPrototypeOf(prototype) === null;
  return isPlain || Object.keys(value).length > 0;
}

/** Says what is wrong with the option at a path, and what stands there where that matters. */
export function problemAt(options: unknown, path: readonly PropertyKey[], problem: string): string {
  const place = ['options', ...path.map(String)].join('.');
  if (!problem.startsWith('must be ')) return `${place}: ${problem}`;
  let value = options;
  for (const name of path) value = Object(value)[name];
  const kind = kindOf(value);
  const isSaid = problem.includes(kind) || problem.includes(', not ');
  return `${place}: ${problem}${isSaid ? '' : `, not ${kind}`}`;
}

/** A call that takes options, for the error about a value that is no options at all. */
export interface OptionsCall {
  /** As it is written, for example `attach(server, supervisor, options)`. */
  readonly call: string;
  /** Options as they are written most often, for example `{ path: '/ws' }`. */
  readonly example: string;
}

/** Of a supervisor and of a pool. */
export const drainCall: OptionsCall = { call: 'drain(options)', example: '{ withinMs: 5000 }' };

/** The error about a value that is no options at all. It says how to write them where the call is known. */
export function notOptions(value: unknown, call?: OptionsCall): MooringError {
  const problem = problemAt(value, [], 'must be an object');
  if (call === undefined) return invalidOptions([problem]);
  return invalidOptions([
    `${call.call}: ${problem.replace('options:', 'options')}; write ${call.example}`,
  ]);
}

/** Says that nobody knows the option at a path, and which one was meant. */
export function unknownOption(path: readonly PropertyKey[], known: Iterable<string>): string {
  return problemAt({}, path, `unknown option${suggestion(String(path.at(-1)), known)}`);
}

/** The one error for everything that is wrong with the options of a call. */
export function invalidOptions(problems: readonly string[], cause?: Error): MooringError {
  return new MooringError('invalid-options', problems.join('; '), cause && { cause });
}

/**
 * Checks what is given for each message: cheap, and no more than that the names are known.
 *
 * @throws MooringError `invalid-options`
 */
export function checkNames(options: unknown, known: readonly string[]): void {
  if (!isOptions(options)) throw notOptions(options);
  for (const name in options) {
    if (!known.includes(name)) throw invalidOptions([unknownOption([name], known)]);
  }
}
