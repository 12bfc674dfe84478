import { SupervisorError } from '../core/errors.ts';

const INTEGER_MAX = 2 ** 31 - 1;

/** Whether it is an object that was written down, not a list or an instance of something. */
export function isPlainObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Collects what is wrong, to tell all of it at once. */
export class Check {
  readonly #problems: string[] = [];

  that(holds: boolean, path: string, problem: string): void {
    if (!holds) this.#problems.push(`options.${path}: ${problem}`);
  }

  names(path: string, names: readonly string[], allowed: ReadonlySet<string>): void {
    for (const name of names) {
      if (!allowed.has(name)) this.#problems.push(`${path}.${name}: unknown option`);
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
    if (!isPlainObject(given)) {
      this.that(false, name, 'must be an object');
      return defaults;
    }
    this.names(`options.${name}`, Object.keys(given), new Set(Object.keys(defaults)));
    const resolved: Section = { ...defaults };
    for (const key of Object.keys(defaults) as (keyof Section & string)[]) {
      const value = given[key];
      if (value === undefined) continue;
      this.that(
        isPositiveInteger(value),
        path + key,
        `must be a whole number from 1 to ${INTEGER_MAX}`,
      );
      resolved[key] = value as Section[typeof key];
    }
    return resolved;
  }

  done(): void {
    if (this.#problems.length > 0) {
      throw new SupervisorError('invalid-options', this.#problems.join('; '));
    }
  }
}

function isPositiveInteger(value: unknown): boolean {
  return Number.isInteger(value) && (value as number) >= 1 && (value as number) <= INTEGER_MAX;
}
