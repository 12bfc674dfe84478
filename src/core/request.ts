import { invalidArgument } from './arguments.ts';
import { hasMethods } from './methods.ts';
import { flag, integer, optional, type Rule, resolved } from './option-rules.ts';

/** How one request is made. */
export interface RequestOptions {
  /** How long the answer may take, in milliseconds, all connections included. @default `timeouts.requestMs` */
  readonly timeoutMs?: number | undefined;
  /** Gives the request up when it aborts. The promise then rejects with its `reason`. @default none */
  readonly signal?: AbortSignal | undefined;
}

/** What `onRequest` knows about a request, besides the request itself. */
export interface RequestContext {
  /**
   * Names the request: 1 to 64 visible ASCII characters, unique among all peers unless one of them is hostile. A client that
   * makes the request again on another connection uses the same id.
   */
  readonly id: string;
  /** Aborts when the peer no longer waits for the answer, and when the connection ends. */
  readonly signal: AbortSignal;
}

/** What `onRequest` may return. */
export type Replied<Reply> = Reply | RequestRefusal | Promise<Reply | RequestRefusal>;

/** Options of `send` on a connection. */
export interface SendOptions {
  /** Whether the peer is to confirm the message. `send` then returns a promise of a {@link Receipt}. @default false */
  readonly receipt?: boolean | undefined;
}

/**
 * The result of a message that was sent with `receipt: true`.
 *
 * - `received`: the peer's Mooring has the message. Its handler has not run yet.
 * - `refused`: the message was not accepted, as with `send`, or `limits.requestsMax` receipts and requests are awaited.
 * - `lost`: the connection ended, or the message was dropped, before a receipt arrived. The peer may have the message.
 */
export type Receipt = 'received' | 'refused' | 'lost';

/** Ids and codes. */
const WORD = /^[!-~]{1,64}$/;
const TEXT_MAX = 200;

/** Whether a value can be the id of a request, or the code of a refusal. */
export function isWord(value: unknown): value is string {
  return typeof value === 'string' && WORD.test(value);
}

/** The text of a refusal, no longer than it may be. */
export function refusalText(text: string): string {
  return String(text).slice(0, TEXT_MAX);
}

/** Shared by all copies of this package in the process, because `instanceof` recognises only the classes of its own copy. */
const brand = /* @__PURE__ */ Symbol.for('mooring.request-refusal');

/**
 * Refuses a request. Throw it or return it from `onRequest`. The `request` of the peer rejects with `request-refused`, and its
 * error has this code and this text as `refusal`.
 *
 * @example
 * ```ts
 * onRequest(connection, { room }) {
 *   if (!rooms.has(room)) throw new RequestRefusal('no-such-room', `There is no room ${room}.`);
 *   return { members: supervisor.topic(room).size };
 * }
 * ```
 */
export class RequestRefusal extends Error {
  /** The name at the beginning of its stack. */
  override readonly name = 'RequestRefusal';
  /** For programs: 1 to 64 visible ASCII characters. */
  readonly code: string;

  /**
   * @param text - for people; a text of more than 200 characters is cut. @default ''
   * @throws MooringError `invalid-argument`
   */
  constructor(code: string, text = '') {
    super(text);
    this.code = code;
    Object.defineProperty(this, brand, { value: true });
    const call = 'new RequestRefusal(code, text)';
    if (!isWord(code)) {
      const expected = 'a string of 1 to 64 visible ASCII characters';
      const advice = "pass, for example, 'no-such-room'";
      throw invalidArgument({ call, argument: 'code', value: code, expected, advice });
    }
    if (typeof text !== 'string') {
      const fault = { argument: 'text', value: text as unknown, expected: 'a string' };
      throw invalidArgument({ call, ...fault, advice: 'say what is wrong, or leave it out' });
    }
  }
}

/** Whether a value is a {@link RequestRefusal} of any copy of this package. */
export function isRequestRefusal(value: unknown): value is RequestRefusal {
  return typeof value === 'object' && value !== null && brand in value;
}

/** A signal of the application, which may come from another realm. */
export const signalRule = /* @__PURE__ */ optional<AbortSignal>(
  (given) => hasMethods(given, ['addEventListener', 'removeEventListener']),
  'must be an AbortSignal',
);

const rules = /* @__PURE__ */ (() =>
  ({ timeoutMs: integer(undefined), signal: signalRule }) satisfies Record<
    keyof RequestOptions,
    Rule<unknown>
  >)();

const sendRules = /* @__PURE__ */ (() =>
  ({ receipt: flag(false) }) satisfies Record<keyof SendOptions, Rule<unknown>>)();

/** @throws MooringError `invalid-options` */
export function checkedSend(options: SendOptions): SendOptions {
  return resolved(options, sendRules);
}

/** @throws MooringError `invalid-options` */
export function checkedRequest(options: RequestOptions | undefined): RequestOptions {
  return options === undefined ? {} : resolved(options, rules);
}
