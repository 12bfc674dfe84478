import { SupervisorError } from './errors.ts';
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
  return `${place}: ${problem}${problem.includes(kind) ? '' : `, not ${kind}`}`;
}

/** Says that nobody knows the option at a path, and which one was meant. */
export function unknownOption(path: readonly PropertyKey[], known: Iterable<string>): string {
  return problemAt({}, path, `unknown option${suggestion(String(path.at(-1)), known)}`);
}

/** The one error for everything that is wrong with the options of a call. */
export function invalidOptions(problems: readonly string[], cause?: Error): SupervisorError {
  return new SupervisorError('invalid-options', problems.join('; '), cause && { cause });
}

/**
 * Checks what is given for each message: cheap, and no more than that the names are known.
 *
 * @throws SupervisorError `invalid-options`
 */
export function checkNames(options: unknown, known: readonly string[]): void {
  if (!isOptions(options)) throw invalidOptions([problemAt(options, [], 'must be an object')]);
  for (const name in options) {
    if (!known.includes(name)) throw invalidOptions([unknownOption([name], known)]);
  }
}
