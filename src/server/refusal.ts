import { checkedCloseFrame } from '../core/close-code.ts';
import { toError } from '../core/errors.ts';
import type { AnswerHeaders, RefusalAnswer } from '../core/failure.ts';
import {
  checkNames,
  invalidOptions,
  isOptions,
  notOptions,
  problemAt,
} from '../core/option-rules.ts';
import { kindOf } from '../core/wording.ts';
import { checkedHeaders } from './answer-headers.ts';

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
  // A literal type here would keep the literals of a peer's `name`, which TypeScript widens otherwise.
  override readonly name: string = 'Refusal';
  /** The HTTP status to answer with, 400–599. @default 401 */
  readonly status: number;
  /** Further headers of the answer, for example `Retry-After`. */
  readonly headers: AnswerHeaders;
  /** Whether a close frame says it, where a browser can read it; without it as `admission.refusals` says. */
  readonly close: boolean | undefined;

  /**
   * @param options - headers of the answer, or {@link RefusalOptions}: whatever has `headers` or `close`.
   * @throws MooringError `invalid-options`, naming the argument that is wrong.
   */
  constructor(status = 401, message = '', options: AnswerHeaders | RefusalOptions = {}) {
    super(checkedMessage(message));
    this.status = checkedStatus(status);
    const { headers, close } = checkedDetails(refusalOptions(options));
    this.headers = headers;
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

/** The options of a call, or those that a Refusal has kept. */
type RefusalDetails = RefusalOptions | Pick<Refusal, 'headers' | 'close'>;

const optionNames = ['headers', 'close'];

/** No header of HTTP is called as an option is. */
function refusalOptions(options: object): RefusalOptions {
  if (!isOptions(options)) throw notOptions(options);
  if (!optionNames.some((name) => name in options)) return { headers: options as AnswerHeaders };
  checkNames(options, optionNames);
  return options;
}

function checkedDetails({
  headers = {},
  close,
}: RefusalDetails): Pick<Refusal, 'headers' | 'close'> {
  if (close !== undefined && typeof close !== 'boolean') {
    throw invalidOptions([problemAt({ close }, ['close'], 'must be a boolean')]);
  }
  return { headers: checkedHeaders(headers), close };
}

function checkedStatus(status: number): number {
  if (Number.isInteger(status) && status >= 400 && status <= 599) return status;
  throw invalidOptions([`status: must be a number from 400 to 599, not ${kindOf(status)}`]);
}

function checkedMessage(message: string): string {
  if (typeof message === 'string') return message;
  throw invalidOptions([`message: must be a string, not ${kindOf(message)}`]);
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

/** An answer, and whether a close frame gives it. */
interface AnswerChoice {
  readonly answer: RefusalAnswer;
  readonly close?: boolean | undefined;
}

/** Makes the HTTP answer to whatever `key` threw. */
export function authenticationRefusal(error: Error): RefusalAnswer {
  return answerTo(error).answer;
}

/**
 * Makes the answer to whatever `authenticate` threw.
 *
 * @param isClose - whether a close frame tells it, unless a {@link Refusal} has a `close` of its own.
 */
export function authenticationAnswer(error: Error, isClose: boolean): RefusalAnswer {
  const { answer, close = isClose } = answerTo(error);
  return close ? inCloseFrame(answer) : answer;
}

/** A Refusal is checked again: it may have been written to, or be of a copy of the package that checks less. */
function answerTo(error: Error): AnswerChoice {
  if (!isRefusal(error)) return { answer: internalError(error) };
  try {
    const status = checkedStatus(error.status);
    const body = checkedMessage(error.message);
    const { headers, close } = checkedDetails(error);
    const cause = status === 401 ? 'unauthorized' : 'refused';
    return { answer: { cause, status, body, headers, error }, close };
  } catch (fault) {
    return { answer: internalError(toError(fault)) };
  }
}

function internalError(error: Error): RefusalAnswer {
  return { cause: 'authenticate-error', status: 500, body: 'internal error', error };
}
