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

/**
 * Warns of what happened and nobody listens to, so that nothing fails silently before a service has its logs.
 *
 * Whoever owns one asks first whether somebody listens. Each kind is told once.
 */
export class Unheard {
  readonly #warnings = new Warnings();
  /** How to hear of it. */
  readonly #advice: string;

  constructor(advice: string) {
    this.#advice = advice;
  }

  /** Code of the user threw or rejected. */
  handler(name: string, error: Error): void {
    this.#warnings.once(name, {
      code: 'MOORING_HANDLER_ERROR',
      message: `${name} threw ${error.name}: ${messageText(error)}${this.#nobody('this handler')}`,
      detail: stackText(error),
    });
  }

  /** A connection that came to us did not open. */
  failure({ cause, httpStatus, option, error }: Failure): void {
    if (expected.has(cause)) return;
    const what = httpStatus === undefined ? 'failed' : `was refused with ${httpStatus}`;
    const by = option === undefined ? '' : `, by ${option}`;
    const why = error === undefined ? '' : `: ${messageText(error)}`;
    this.#warnings.once(cause, {
      code: 'MOORING_REFUSED',
      message: `a connection ${what} (${cause}${by})${why}${this.#nobody('this cause')}`,
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
      message: `${escaped(message)}${this.#nobody('this cause')}`,
    });
  }

  #nobody(kind: string): string {
    return `. Nobody listens: ${this.#advice}. There is no second warning about ${kind}.`;
  }
}
