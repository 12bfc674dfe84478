import type { AnswerHeaders, RefusalAnswer } from '../core/failure.ts';
import { kindOf } from '../core/wording.ts';
import { checkedHeaders, invalid } from './answer-headers.ts';

/** Known to every copy of this package in the process: `instanceof` knows the classes of its own copy only. */
const brand = Symbol.for('mooring.refusal');

/**
 * Refuses a connection with an HTTP answer of your choice: `authenticate` throws it or returns it.
 *
 * @example
 * ```ts
 * authenticate: async (request) => {
 *   const user = await sessions.find(request.headers.cookie);
 *   if (user === undefined) throw new Refusal(401, 'sign in first');
 *   return user;
 * }
 * ```
 */
export class Refusal extends Error {
  override readonly name = 'Refusal';
  /** The HTTP status to answer with, 400–599. @default 401 */
  readonly status: number;
  /** Further headers of the answer, for example `Retry-After`. */
  readonly headers: AnswerHeaders;

  /** @throws SupervisorError `invalid-options`, naming the argument that is wrong. */
  constructor(status = 401, message = '', headers: AnswerHeaders = {}) {
    super(message);
    if (!Number.isInteger(status) || status < 400 || status > 599) {
      throw invalid(`Refusal: status must be a number from 400 to 599, not ${kindOf(status)}`);
    }
    if (typeof message !== 'string') {
      throw invalid(`Refusal: message must be a string, not ${kindOf(message)}`);
    }
    this.status = status;
    this.headers = checkedHeaders('Refusal', headers);
  }

  /** @internal */
  get [brand](): true {
    return true;
  }
}

/** Whether it is a {@link Refusal}, of whichever copy of this package. */
export function isRefusal(value: unknown): value is Refusal {
  return typeof value === 'object' && value !== null && brand in value;
}

/** Makes the answer to whatever `authenticate` threw. */
export function authenticationRefusal(error: Error): RefusalAnswer {
  if (!isRefusal(error)) {
    return { cause: 'authenticate-error', status: 500, body: 'internal error', error };
  }
  const { status, message, headers } = error;
  const cause = status === 401 ? 'unauthorized' : 'refused';
  return { cause, status, body: message, headers, error };
}
