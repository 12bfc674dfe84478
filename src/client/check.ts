import {
  invalidOptions,
  isOptions,
  notOptions,
  type OptionsCall,
  problemAt,
  unknownOption,
} from '../core/option-problems.ts';
import { wholeNumber } from '../core/wording.ts';

const INTEGER_MAX = 2 ** 31 - 1;

/** Collects what is wrong with options, to report all of it at once. */
export class Check {
  readonly #options: unknown;
  readonly #problems: string[] = [];

  /** @throws MooringError `invalid-options` when they are no options at all. */
  constructor(options: unknown, call?: OptionsCall) {
    this.#options = options;
    if (!isOptions(options)) throw notOptions(options, call);
  }

  /** @param path - for example `limits.topicsMax`; empty for the options themselves. */
  that(holds: boolean, path: string, problem: string): void {
    if (holds) return;
    const names = path === '' ? [] : path.split('.');
    this.#problems.push(problemAt(this.#options, names, problem));
  }

  names(given: object, known: ReadonlySet<string>, path: readonly string[] = []): void {
    for (const name of Object.keys(given)) {
      if (!known.has(name)) this.#problems.push(unknownOption([...path, name], known));
    }
  }

  /** Whole numbers from 1 to 2³¹−1, each with its default; all clients that ask for nothing else share those. */
  section<Section extends object>(
    name: string,
    given: { readonly [Key in keyof Section]?: Section[Key] | undefined } | undefined,
    defaults: Readonly<Section>,
  ): Readonly<Section> {
    if (given === undefined) return defaults;
    const path = name === '' ? '' : `${name}.`;
    if (!isOptions(given)) {
      this.that(false, name, 'must be an object');
      return defaults;
    }
    this.names(given, new Set(Object.keys(defaults)), name === '' ? [] : [name]);
    const resolved: Section = { ...defaults };
    for (const key of Object.keys(defaults) as (keyof Section & string)[]) {
      const value = given[key];
      if (value === undefined) continue;
      this.that(isPositiveInteger(value), path + key, wholeNumber);
      resolved[key] = value as Section[typeof key];
    }
    return resolved;
  }

  /** @throws MooringError `invalid-options`, naming the path of every option that is wrong. */
  done(): void {
    if (this.#problems.length > 0) throw invalidOptions(this.#problems);
  }
}

function isPositiveInteger(value: unknown): boolean {
  return Number.isInteger(value) && (value as number) >= 1 && (value as number) <= INTEGER_MAX;
}
