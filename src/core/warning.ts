/** Codes of the warnings that have been given, with how often. Bounded: each code is one kind of warning. */
const counts = new Map<string, number>();

/** How many warnings of one code a process gives at most: it may have thousands of supervisors. */
const OF_CODE_MAX = 20;

/** One warning to the operator. */
export interface Warning {
  /** Stable, for example `MOORING_NO_PATH`. */
  readonly code: string;
  readonly message: string;
  /** Printed below the message, for example a stack. */
  readonly detail?: string | undefined;
}

/**
 * Warns the operator through `process.emitWarning`, once for each code, where there is a process.
 *
 * Node.js prints such a warning on standard error, with its code, unless the process was started with
 * `--no-warnings`; `process.on('warning')` receives it.
 *
 * @param code - stable, for example `MOORING_NO_PATH`.
 */
export function warnOnce(code: string, message: string): void {
  if (!counts.has(code)) emit({ code, message });
}

/** The warnings of one supervisor, or of all clients: one about each thing. */
export class Warnings {
  /** Bounded: what there is to warn about are names and causes that the source lists. */
  readonly #about = new Set<string>();

  once(about: string, warning: Warning): void {
    const { code } = warning;
    if (this.#about.has(`${code} ${about}`)) return;
    this.#about.add(`${code} ${about}`);
    warn(warning);
  }
}

/** What two calls of `drain` may want differently. */
interface Plan {
  readonly frame: object;
}

/** Warns that a drain which has begun stands, whatever options a further call was given. */
export function warnOfOtherPlan(begun: Plan, wanted: Plan, options: object): void {
  const [ours, theirs] = [optionsOf(begun), optionsOf(wanted)];
  const names = Object.entries(options)
    .filter(([name, value]) => value !== undefined && ours.get(name) !== theirs.get(name))
    .map(([name]) => name);
  if (names.length === 0) return;
  warn({
    code: 'MOORING_DRAIN_OPTIONS',
    message: `drain was called again with another ${names.join(', ')}: the drain that has begun stands`,
  });
}

function optionsOf({ frame, ...rest }: Plan): ReadonlyMap<string, unknown> {
  return new Map(Object.entries({ ...rest, ...frame }));
}

/** As often as it happens, within the bound of its code. */
function warn(warning: Warning): void {
  if ((counts.get(warning.code) ?? 0) < OF_CODE_MAX) emit(warning);
}

function emit({ code, message, detail }: Warning): void {
  counts.set(code, (counts.get(code) ?? 0) + 1);
  globalThis.process?.emitWarning?.(message, {
    type: 'MooringWarning',
    code,
    ...(detail !== undefined && { detail }),
  });
}
