import { messageText, nameOf, stackText } from './errors.ts';
import type { InvalidMessage } from './events.ts';
import type { Failure, FailureCause } from './failure.ts';
import { escapeText } from './text.ts';

/** How often each code was emitted. Bounded, because the source lists all codes. */
const counts = new Map<string, number>();

/** The most warnings with one code that a process emits, because it may have thousands of supervisors. */
const OF_CODE_MAX = 20;

/** A warning for the operator. */
export interface Warning {
  /** Stable, for example `MOORING_NO_PATH`. */
  readonly code: string;
  readonly message: string;
  /** Printed below the message, for example a stack. */
  readonly detail?: string | undefined;
}

/**
 * Warns the operator through `process.emitWarning`, once for each code. Does nothing in a page, which has no process.
 *
 * Node.js prints such a warning on standard error, with its code, unless the process was started with
 * `--no-warnings`; `process.on('warning')` receives it.
 *
 * @param code - stable, for example `MOORING_NO_PATH`.
 */
export function warnOnce(code: string, message: string): void {
  if (!counts.has(code)) emit({ code, message });
}

/** Emits the warnings of one supervisor, or of all clients: one for each subject. */
export class Warnings {
  /** Bounded, because the source lists all subjects: names and causes. */
  readonly #about = new Set<string>();

  once(about: string, warning: Warning): void {
    const { code } = warning;
    if (this.#about.has(`${code} ${about}`)) return;
    this.#about.add(`${code} ${about}`);
    warn(warning);
  }
}

/** The options of a drain that two calls of `drain` may set differently. */
interface Plan {
  readonly frame: object;
}

/** Warns that a second call of `drain` has different options, which are ignored. */
export function warnOfOtherPlan(begun: Plan, wanted: Plan, options: object): void {
  const [ours, theirs] = [optionsOf(begun), optionsOf(wanted)];
  const names = Object.entries(options)
    .filter(([name, value]) => value !== undefined && ours.get(name) !== theirs.get(name))
    .map(([name]) => name);
  if (names.length === 0) return;
  warn({
    code: 'MOORING_DRAIN_OPTIONS',
    message: `drain was called again with different options (${names.join(', ')}), which are ignored: the drain has begun`,
  });
}

function optionsOf({ frame, ...rest }: Plan): ReadonlyMap<string, unknown> {
  return new Map(Object.entries({ ...rest, ...frame }));
}

/** Warns each time, up to the limit for the code. */
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

/** Causes without a warning: the service wanted the ending, a client left, or another warning covers it. */
const expected: ReadonlySet<FailureCause> = new Set<FailureCause>([
  ...(['draining', 'suspended'] as const),
  ...(['abandoned', 'tcp-reset', 'tcp-timeout', 'tcp-error'] as const),
  ...(['authenticate-error', 'crash'] as const),
]);

/** Ways to be notified of problems, each as an imperative. */
export interface WaysToHear {
  /** For handlers that throw, and for failures. */
  readonly events: string;
  /** For handlers that throw. */
  readonly onHandlerError?: string;
  /** For failures. */
  readonly onFailed?: string;
  /** For clients that give up. */
  readonly endings?: string;
}

/**
 * Warns of problems that no listener receives, so that nothing fails silently before a service has its logs.
 *
 * The owner checks first that there are no listeners. Each kind of problem causes one warning.
 */
export class Unheard {
  readonly #warnings = new Warnings();
  readonly #ways: WaysToHear;

  constructor(ways: WaysToHear) {
    this.#ways = ways;
  }

  /** A supervisor has lost its bus, or never had it. */
  bus(error: Error | undefined): void {
    const why = error === undefined ? '' : `: ${unended(messageText(error))}`;
    this.#warnings.once('bus', {
      code: 'MOORING_BUS_DOWN',
      message: `the bus is down, so other processes get nothing${why}${nobody([this.#ways.events], 'the bus')}`,
    });
  }

  /** Code of the application threw or rejected. */
  handler(name: string, error: Error): void {
    this.#warnings.once(name, {
      code: 'MOORING_HANDLER_ERROR',
      message: `${name} threw ${nameOf(error)}: ${unended(messageText(error))}${nobody(this.#waysToHearOf(name), 'this handler')}`,
      detail: stackText(error),
    });
  }

  /** A request did not become an open connection. */
  failure({ cause, httpStatus, closeCode, option, error }: Failure): void {
    if (expected.has(cause)) return;
    const { events, onFailed } = this.#ways;
    const status = httpStatus ?? closeCode;
    const what = status === undefined ? 'failed' : `was refused with ${status}`;
    const by = option === undefined ? '' : `, by ${option}`;
    const why = error === undefined ? '' : `: ${unended(messageText(error))}`;
    this.#warnings.once(cause, {
      code: 'MOORING_REFUSED',
      message: `a connection ${what} (${cause}${by})${why}${nobody([events, onFailed], 'this cause')}`,
    });
  }

  /** The chart of a connection threw, which is a bug in Mooring. */
  crash(error: Error): void {
    this.#warnings.once('crash', {
      code: 'MOORING_CONNECTION_CRASHED',
      message: `a connection crashed: ${nameOf(error)}: ${unended(messageText(error))}. This is a bug in Mooring: please report it${nobody([this.#ways.events], 'crashes')}`,
      detail: stackText(error),
    });
  }

  /**
   * A client has given up, or a peer refuses a pool.
   *
   * @param kind - why, as the source lists it.
   */
  lost(kind: string, message: string): void {
    this.#warnings.once(kind, {
      code: 'MOORING_CONNECTION_LOST',
      message: `${escapeText(message)}${nobody([this.#ways.endings], 'this cause')}`,
    });
  }

  /**
   * A client has dropped a message.
   *
   * @param reason - as the source lists it.
   */
  dropped(reason: string): void {
    this.#warnings.once(reason, {
      code: 'MOORING_MESSAGE_DROPPED',
      message: `a client dropped a message: ${reason}${nobody([this.#ways.events], 'this reason')}`,
    });
  }

  /** A client received a message that it does not deliver. */
  invalid({ path, problem, closeCode }: InvalidMessage): void {
    const place = path === '' ? '' : `${escapeText(path)}: `;
    // Keyed by close code, so that one kind of fault does not hide the others.
    this.#warnings.once(String(closeCode), {
      code: 'MOORING_MESSAGE_INVALID',
      message: `a client received an invalid message, which is not delivered: ${place}${unended(escapeText(problem))}${nobody([this.#ways.events], 'this kind of fault')}`,
    });
  }

  /** Leaves out the listener that threw, because it would receive its own error. */
  #waysToHearOf(handler: string): readonly (string | undefined)[] {
    const { events, onHandlerError } = this.#ways;
    return [
      handler === 'events$' ? undefined : events,
      handler === 'onHandlerError' ? undefined : onHandlerError,
    ];
  }
}

function nobody(ways: readonly (string | undefined)[], kind: string): string {
  const advice = ways.filter((way) => way !== undefined).join(', or ');
  const listens = advice === '' ? '' : `. To be notified, ${advice}`;
  return `${listens}. This is the only warning about ${kind}.`;
}

/** The text of an error without its full stop, because the warning adds one. */
function unended(text: string): string {
  return text.replace(/\.$/, '');
}
