import { messageText, stackText } from './error-text.ts';
import type { Failure } from './failure.ts';
import { escaped } from './text.ts';
import { Warnings } from './warning.ts';

/** Failures that are somebody's decision, or that a warning about a handler has told already. */
const decided: ReadonlySet<string> = new Set(['draining', 'suspended', 'authenticate-error']);

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

  /** A connection that came to us was not let in. What clients give up by themselves is nobody's fault. */
  failure({ cause, httpStatus, option, level, error }: Failure): void {
    if (decided.has(cause) || (httpStatus === undefined && level !== 'error')) return;
    const status = httpStatus === undefined ? '' : ` with ${httpStatus}`;
    const by = option === undefined ? '' : `, by ${option}`;
    const why = error === undefined ? '' : `: ${messageText(error)}`;
    this.#warnings.once(cause, {
      code: 'MOORING_REFUSED',
      message: `a connection was refused${status} (${cause}${by})${why}${this.#nobody('this cause')}`,
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
