import { messageText, stackText } from './error-text.ts';
import type { Failure, FailureCause } from './failure.ts';
import { escaped } from './text.ts';
import { Warnings } from './warning.ts';

/** What the service asked for, what a client did by itself, and what a warning about a handler has told already. */
const expected: ReadonlySet<FailureCause> = new Set<FailureCause>([
  ...(['draining', 'suspended'] as const),
  ...(['abandoned', 'tcp-reset', 'tcp-timeout', 'tcp-error'] as const),
  'authenticate-error',
]);

/** How to hear of what happens, each as an imperative; only those that are there. */
export interface WaysToHear {
  /** Of handlers that throw, and of failures. */
  readonly events: string;
  /** Of handlers that throw. */
  readonly onHandlerError?: string;
  /** Of failures. */
  readonly onFailed?: string;
  /** Of clients that give up. */
  readonly endings?: string;
}

/**
 * Warns of what happened and nobody listens to, so that nothing fails silently before a service has its logs.
 *
 * Whoever owns one asks first whether somebody listens. Each kind is told once.
 */
export class Unheard {
  readonly #warnings = new Warnings();
  readonly #ways: WaysToHear;

  constructor(ways: WaysToHear) {
    this.#ways = ways;
  }

  /** Code of the user threw or rejected. */
  handler(name: string, error: Error): void {
    this.#warnings.once(name, {
      code: 'MOORING_HANDLER_ERROR',
      message: `${name} threw ${error.name}: ${messageText(error)}${nobody(this.#waysToHearOf(name), 'this handler')}`,
      detail: stackText(error),
    });
  }

  /** A connection that came to us did not open. */
  failure({ cause, httpStatus, option, error }: Failure): void {
    if (expected.has(cause)) return;
    const { events, onFailed } = this.#ways;
    const what = httpStatus === undefined ? 'failed' : `was refused with ${httpStatus}`;
    const by = option === undefined ? '' : `, by ${option}`;
    const why = error === undefined ? '' : `: ${messageText(error)}`;
    this.#warnings.once(cause, {
      code: 'MOORING_REFUSED',
      message: `a connection ${what} (${cause}${by})${why}${nobody([events, onFailed], 'this cause')}`,
    });
  }

  /**
   * A client has given up, or a peer wants nothing of a pool.
   *
   * @param kind - why, as the source lists it.
   */
  lost(kind: string, message: string): void {
    this.#warnings.once(kind, {
      code: 'MOORING_CONNECTION_LOST',
      message: `${escaped(message)}${nobody([this.#ways.endings], 'this cause')}`,
    });
  }

  /** Who threw cannot hear of it: a listener of the events would get its own error. */
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
  const listens = advice === '' ? '' : `. Nobody listens: ${advice}`;
  return `${listens}. There is no second warning about ${kind}.`;
}
