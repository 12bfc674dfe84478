import { checkedCloseFrame } from '../core/close-code.ts';
import type { AnswerHeaders, RefusalAnswer } from '../core/failure.ts';
import { kindOf, suggestion } from '../core/wording.ts';
import { checkedHeaders, invalid } from './answer-headers.ts';

/** Known to every copy of this package in the process: `instanceof` knows the classes of its own copy only. */
const brand = Symbol.for('mooring.refusal');

/** How a {@link Refusal} is told besides its status and its message. */
export interface RefusalOptions {
  /** Further headers of the HTTP answer, for example `Retry-After`. @default none */
  headers?: AnswerHeaders;
  /**
   * Completes the upgrade and closes it at once: a page can read a close code and a reason, and no HTTP answer.
   * @default as `admission.refusals` says
   */
  close?: boolean;
}

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
  /** Whether a close frame says it, where a browser can read it; without it as `admission.refusals` says. */
  readonly close: boolean | undefined;

  /**
   * @param options - headers of the answer, or {@link RefusalOptions}.
   * @throws SupervisorError `invalid-options`, naming the argument that is wrong.
   */
  constructor(status = 401, message = '', options: AnswerHeaders | RefusalOptions = {}) {
    super(message);
    if (!Number.isInteger(status) || status < 400 || status > 599) {
      throw invalid(`Refusal: status must be a number from 400 to 599, not ${kindOf(status)}`);
    }
    if (typeof message !== 'string') {
      throw invalid(`Refusal: message must be a string, not ${kindOf(message)}`);
    }
    this.status = status;
    const { headers = {}, close } = isOptions(options)
      ? checkedOptions(options)
      : { headers: options };
    this.headers = checkedHeaders('Refusal', headers);
    this.close = close;
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

/** A header is text: what has another kind of value by these names is no set of headers. */
function isOptions(value: AnswerHeaders | RefusalOptions): value is RefusalOptions {
  if (typeof value !== 'object' || value === null) return false;
  const { headers, close } = value as Record<string, unknown>;
  return typeof close === 'boolean' || (typeof headers === 'object' && !Array.isArray(headers));
}

function checkedOptions(options: RefusalOptions): RefusalOptions {
  const names = ['headers', 'close'];
  const unknown = Object.keys(options).find((name) => !names.includes(name));
  if (unknown !== undefined) {
    throw invalid(
      `Refusal: there is no option ${unknown}${suggestion(unknown, names)}; headers go into \`headers\``,
    );
  }
  if (options.close !== undefined && typeof options.close !== 'boolean') {
    throw invalid(`Refusal: close must be true or false, not ${kindOf(options.close)}`);
  }
  return options;
}

/** The close code that stands for an HTTP status. */
function closeCodeOf(status: number): number {
  switch (status) {
    case 401:
      return 3000;
    case 403:
      return 3003;
    case 408:
      return 3008;
    default:
      return 4000 + status;
  }
}

/** The same refusal, in a close frame behind a 101. */
export function inCloseFrame(answer: RefusalAnswer): RefusalAnswer {
  return { ...answer, closeFrame: checkedCloseFrame(closeCodeOf(answer.status), answer.body) };
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
