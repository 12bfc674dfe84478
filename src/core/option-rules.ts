import { type Bounds, INTEGER_MAX } from './defaults.ts';
import { MooringError } from './errors.ts';
import { kindOf, mustBeOneOf, suggestion } from './wording.ts';

/** A group of options as given. Each option may be missing or `undefined`, which means the same. */
export type Given<Options> = { [Name in keyof Options]?: Options[Name] | undefined };

/** Reports what is wrong with an option. `path` names the place within it, for example an entry of a list. */
export type Report = (problem: string, ...path: PropertyKey[]) => void;

/** Returns an option as given, or its default. Reports what is wrong with it. */
export interface Rule<Value> {
  (given: unknown, report: Report): Value;
  /** The names of the options, for a rule of a group. */
  readonly names?: readonly string[];
}

/** A rule for each option. */
export type Rules = Readonly<Record<string, Rule<unknown>>>;

/** Options with their defaults, as their rules return them. */
export type Resolved<R extends Rules> = { -readonly [Name in keyof R]: ReturnType<R[Name]> };

/** Checks options against each other, after each has passed its own rule. */
export type Finish<R extends Rules> = (
  options: Resolved<R>,
  report: Report,
  given: { readonly [Name in keyof R]?: unknown },
) => void;

/** A value that must pass a check, unless it is the default. */
export function must<Value>(
  usual: Value,
  holds: (given: unknown) => boolean,
  problem: string | ((given: unknown) => string),
): Rule<Value> {
  return (given = usual, report) => {
    if (given !== usual && !holds(given)) {
      report(typeof problem === 'string' ? problem : problem(given));
    }
    return given as Value;
  };
}

/** A value that may be left out, but must pass a check if it is given. */
export function optional<Value>(
  holds: (given: unknown) => boolean,
  problem: string,
): Rule<Value | undefined> {
  return must<Value | undefined>(undefined, holds, problem);
}

/** A function of the application, which may be left out. */
export function callback<Fn = (...given: never[]) => unknown>(): Rule<Fn | undefined> {
  return optional<Fn>((given) => typeof given === 'function', 'must be a function');
}

/** A boolean. */
export function flag<Usual extends boolean | undefined>(usual: Usual): Rule<boolean | Usual> {
  return must<boolean | Usual>(usual, (given) => typeof given === 'boolean', 'must be a boolean');
}

/** Text, which may be empty. */
export function text<Usual extends string | undefined>(usual: Usual): Rule<string | Usual> {
  return must<string | Usual>(usual, (given) => typeof given === 'string', 'must be a string');
}

/** One of a few words, the first by default. */
export function oneOf<Word extends string>(...words: readonly [Word, ...Word[]]): Rule<Word> {
  const isWord = (given: unknown) => words.some((word) => word === given);
  return must(words[0], isWord, (given) => mustBeOneOf(words, given));
}

/** A whole number. */
export function integer<Usual extends number | undefined>(
  usual: Usual,
  [min, max]: Bounds = [1, INTEGER_MAX],
): Rule<number | Usual> {
  const isWithin = (given: unknown) =>
    Number.isInteger(given) && Number(given) >= min && Number(given) <= max;
  return must<number | Usual>(usual, isWithin, `must be a whole number from ${min} to ${max}`);
}

/** A whole number for each entry of a section of the defaults. */
export function integers<Section extends Readonly<Record<keyof Section, number>>>(
  usual: Section,
  bounds: Readonly<Record<string, Bounds>> = {},
): { readonly [Name in keyof Section]: Rule<number> } {
  const rules = Object.entries<number>(usual).map(([name, value]) => [
    name,
    integer(value, bounds[name]),
  ]);
  return Object.fromEntries(rules);
}

/**
 * Requires that the first of two numbers of a group is not above the second. When it finishes a group, it lowers the first
 * number if that is not given, so that a lower maximum needs no minimum.
 */
export function ordered<Low extends string, High extends string>(low: Low, high: High) {
  return (
    group: Record<Low | High, number>,
    report: Report,
    given: { readonly [Name in Low]?: unknown } = group,
  ): void => {
    if (given[low] === undefined) group[low] = Math.min(group[low], group[high]);
    if (group[low] > group[high]) report(`must not be above ${high} (${group[high]})`, low);
  };
}

/** A group of options in an object of its own. If it is left out, all callers share one frozen object with the defaults. */
export function group<R extends Rules>(rules: R, finish?: Finish<R>): Rule<Readonly<Resolved<R>>> {
  const usual = Object.freeze(read({}, rules, { finish, report: () => {} }));
  const rule = (given: unknown, report: Report) => {
    if (given === undefined) return usual;
    if (isOptions(given)) return read(given, rules, { finish, report });
    report('must be an object');
    return usual;
  };
  return Object.assign(rule, { names: Object.keys(rules) });
}

/**
 * Checks options and fills in defaults.
 *
 * @throws MooringError `invalid-options`, naming the path of every option that is wrong.
 */
export function resolved<R extends Rules>(
  given: unknown,
  rules: R,
  finish?: Finish<R>,
): Resolved<R> {
  if (!isOptions(given)) throw notOptions(given);
  const problems: string[] = [];
  const options = read(given, rules, {
    finish,
    report: (problem, ...path) => {
      const hint = problem === UNKNOWN ? hintFor(path.map(String), rules) : '';
      problems.push(problemAt(given, path, problem + hint));
    },
  });
  if (problems.length > 0) throw invalidOptions(problems);
  return options;
}

interface Reading<R extends Rules> {
  readonly report: Report;
  readonly finish: Finish<R> | undefined;
}

/** Reads each option in the order of the rules, so that all objects have one shape. */
function read<R extends Rules>(
  given: { readonly [Name in keyof R]?: unknown },
  rules: R,
  { report, finish }: Reading<R>,
): Resolved<R> {
  let isSound = true;
  const options: Record<string, unknown> = {};
  for (const [name, rule] of Object.entries(rules)) {
    options[name] = rule(given[name], (problem, ...path) => {
      isSound = false;
      report(problem, name, ...path);
    });
  }
  reportUnknown(given, Object.keys(rules), report);
  if (isSound) finish?.(options as Resolved<R>, report, given);
  return options as Resolved<R>;
}

/** The problem of an option that does not exist. An error adds what was probably meant. */
export const UNKNOWN = 'unknown option';

function reportUnknown(given: object, known: readonly string[], report: Report): void {
  for (const name of Object.keys(given)) if (!known.includes(name)) report(UNKNOWN, name);
}

/** Suggests a known name that is similar, or the group that has this name. */
function hintFor([first = '', second]: readonly string[], rules: Rules): string {
  const name = second ?? first;
  const neighbours = second === undefined ? Object.keys(rules) : (rules[first]?.names ?? []);
  const alike = suggestion(name, neighbours);
  if (alike !== '') return alike;
  const home = Object.keys(rules).find((group) => rules[group]?.names?.includes(name));
  if (home !== undefined) return `; did you mean ${home}.${name}?`;
  return Object.hasOwn(rules, name) ? `; did you mean ${name}?` : '';
}

/**
 * Whether a value can be options: a plain object, or an object with properties of its own.
 *
 * Without this check, a promise, a Map or a connection that is passed as options would count as empty options.
 */
export function isOptions(value: unknown): value is object {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  const isPlain = prototype === null || Object.getPrototypeOf(prototype) === null;
  return isPlain || Object.keys(value).length > 0;
}

/** Describes what is wrong with the option at a path, with the kind of its value where that helps. */
export function problemAt(options: unknown, path: readonly PropertyKey[], problem: string): string {
  const place = ['options', ...path.map(String)].join('.');
  if (!problem.startsWith('must be ')) return `${place}: ${problem}`;
  let value = options;
  for (const name of path) value = Object(value)[name];
  const kind = kindOf(value);
  const isSaid = problem.includes(kind) || problem.includes(', not ');
  return `${place}: ${problem}${isSaid ? '' : `, not ${kind}`}`;
}

/** The error for a value that cannot be options. */
export function notOptions(value: unknown): MooringError {
  return invalidOptions([problemAt(value, [], 'must be an object')]);
}

/** Describes an unknown option of a call that has few, and suggests the one that was probably meant, or names them all. */
function unknownOption(name: string, known: readonly string[]): string {
  const few = known.length === 0 ? '' : `; known: ${known.join(', ')}`;
  return problemAt({}, [name], `${UNKNOWN}${suggestion(name, known) || few}`);
}

/**
 * Refuses options that other libraries have, and names what replaces each.
 *
 * @throws MooringError `invalid-options`
 */
export function refuseForeign(given: unknown, insteads: Readonly<Record<string, string>>): void {
  const foreign = Object.entries(insteads).filter(([name]) => Object.hasOwn(Object(given), name));
  if (foreign.length === 0) return;
  throw invalidOptions(
    foreign.map(([name, instead]) => problemAt({}, [name], `${UNKNOWN}; ${instead}`)),
  );
}

/** One error for everything that is wrong with the options of a call. */
export function invalidOptions(problems: readonly string[], cause?: Error): MooringError {
  return new MooringError('invalid-options', problems.join('; '), cause && { cause });
}

/**
 * Checks only that the names of options are known. It is cheap, because it runs for each message.
 *
 * @throws MooringError `invalid-options`
 */
export function checkNames(options: unknown, known: readonly string[]): void {
  if (!isOptions(options)) throw notOptions(options);
  for (const name in options) {
    if (!known.includes(name)) throw invalidOptions([unknownOption(name, known)]);
  }
}
