import { checkedCloseFrame } from '../core/close-code.ts';
import type { Connection, RenewOptions } from '../core/connection.ts';
import { toError } from '../core/errors.ts';
import type { AnswerHeaders, RefusalAnswer } from '../core/failure.ts';
import { guarded } from '../core/guard.ts';
import {
  checkNames,
  invalidOptions,
  isOptions,
  notOptions,
  problemAt,
} from '../core/option-rules.ts';
import { printAs } from '../core/text.ts';
import { kindOf } from '../core/wording.ts';

/** RFC 9110 §5.6.2. */
const HEADER_NAME = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
/** RFC 9110 §5.5, with the bytes above ASCII that Node.js accepts. */
const HEADER_VALUE = /^[\t -~\u0080-\u00ff]*$/;

/**
 * Checks the headers of an answer before they reach the wire: a line break in a value would begin another header.
 *
 * @returns a frozen copy, because later changes of the original would not be checked.
 * @throws MooringError `invalid-options`, naming the header.
 */
export function checkedHeaders(headers: unknown): AnswerHeaders {
  // A `Headers` or a `Map` has no properties of its own, so it would count as no headers.
  if (!isOptions(headers) || Symbol.iterator in headers) {
    throw invalidOptions([
      problemAt({ headers }, ['headers'], 'must be an object of header values'),
    ]);
  }
  const entries = Object.entries(headers).map(([name, value]) => [name, frozen(value)] as const);
  const copy = Object.freeze(Object.fromEntries(entries));
  for (const [name, value] of entries) checkHeader(copy, name, value);
  return copy as AnswerHeaders;
}

function frozen(value: unknown): unknown {
  return Array.isArray(value) ? Object.freeze([...value]) : value;
}

function checkHeader(headers: object, name: string, value: unknown): void {
  if (!HEADER_NAME.test(name))
    throw wrong(headers, [], `${JSON.stringify(name)} is not a valid header name`);
  if (!Array.isArray(value)) {
    checkValue(headers, [name], value);
    return;
  }
  value.forEach((line, index) => {
    checkValue(headers, [name, index], line);
  });
}

function checkValue(headers: object, path: readonly PropertyKey[], value: unknown): void {
  if (typeof value !== 'string' && typeof value !== 'number') {
    throw wrong(headers, path, 'must be a string, a number or a list of them');
  }
  if (!HEADER_VALUE.test(String(value))) throw wrong(headers, path, 'is not a valid header value');
}

function wrong(headers: object, path: readonly PropertyKey[], problem: string): Error {
  return invalidOptions([problemAt({ headers }, ['headers', ...path], problem)]);
}

/** Shared by all copies of this package in the process, because `instanceof` recognises only the classes of its own copy. */
const refusalBrand = Symbol.for('mooring.refusal');

/** Options of a {@link Refusal}. */
export interface RefusalOptions {
  /** Additional headers of the HTTP answer, for example `Retry-After`. @default none */
  headers?: AnswerHeaders | undefined;
  /**
   * Completes the upgrade and closes at once. A page can read a close code and a reason, but no HTTP answer.
   * @default the setting of `admission.refusals`
   */
  close?: boolean | undefined;
}

/**
 * Refuses a connection with an HTTP answer of your choice. Throw it or return it from `authenticate`.
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
  /** The name at the beginning of its stack. */
  // With a literal type here, TypeScript would not widen the literal `name` of a peer.
  override readonly name: string = 'Refusal';
  /** The HTTP status to answer with, 400–599. @default 401 */
  readonly status: number;
  /** Additional headers of the answer, for example `Retry-After`. */
  readonly headers: AnswerHeaders;
  /** Whether to refuse with a close frame, which a page can read; `undefined` leaves the choice to `admission.refusals`. */
  readonly close: boolean | undefined;

  /**
   * @param options - {@link RefusalOptions} if it has `headers` or `close`, otherwise headers of the answer.
   * @throws MooringError `invalid-options`, with the name of the wrong argument.
   */
  constructor(status = 401, message = '', options: AnswerHeaders | RefusalOptions = {}) {
    super(checkedMessage(message));
    this.status = checkedStatus(status);
    const { headers, close } = checkedDetails(refusalOptions(options));
    this.headers = headers;
    this.close = close;
  }

  /** @internal */
  get [refusalBrand](): true {
    return true;
  }
}

/** Whether a value is a {@link Refusal} of any copy of this package. */
export function isRefusal(value: unknown): value is Refusal {
  return typeof value === 'object' && value !== null && refusalBrand in value;
}

/** Options of a call, or a Refusal. */
type RefusalDetails = RefusalOptions | Pick<Refusal, 'headers' | 'close'>;

const refusalOptionNames = ['headers', 'close'];

/** Distinguishes options from headers: no HTTP header has the name of an option. */
function refusalOptions(options: object): RefusalOptions {
  if (!isOptions(options)) throw notOptions(options);
  if (!refusalOptionNames.some((name) => name in options))
    return { headers: options as AnswerHeaders };
  checkNames(options, refusalOptionNames);
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

/** The same refusal as a close frame after a 101. */
export function inCloseFrame(answer: RefusalAnswer): RefusalAnswer {
  return { ...answer, closeFrame: checkedCloseFrame(closeCodeOf(answer.status), answer.body) };
}

/** An answer, and whether to send it as a close frame. */
interface AnswerChoice {
  readonly answer: RefusalAnswer;
  readonly close?: boolean | undefined;
}

/** Makes the HTTP answer to an error of `key`. */
export function authenticationRefusal(error: Error): RefusalAnswer {
  return answerTo(error).answer;
}

/**
 * Makes the answer to an error of `authenticate`.
 *
 * @param isClose - whether to send it as a close frame, unless the {@link Refusal} has a `close` of its own.
 */
export function authenticationAnswer(error: Error, isClose: boolean): RefusalAnswer {
  const { answer, close = isClose } = answerTo(error);
  return close ? inCloseFrame(answer) : answer;
}

/**
 * Checks a Refusal again, because the application may have changed it, or a copy of the package that checks less has made it.
 */
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

/** Shared by all copies of this package in the process. */
const admittedBrand = Symbol.for('mooring.admitted');

/** Options of {@link admitted}. */
export interface AdmittedOptions {
  /**
   * Additional headers of the 101, for example `Set-Cookie` or a request id. A list makes one header for each of its values.
   * Headers of the handshake itself are refused. @default none
   */
  headers?: AnswerHeaders | undefined;
  /**
   * Releases what `authenticate` took. It runs exactly once, after `onClose` and the disposer have settled, or when the
   * connection does not open. It waits for each of them for at most `timeouts.welcomeMs`. If `onOpen` takes longer than that
   * after the end, `release` runs before the disposer that `onOpen` returns.
   * @default nothing to release
   */
  release?: (() => unknown) | undefined;
  /**
   * The time after which the connection is closed with 3000, in milliseconds, unless you call `connection.renew` first. If it
   * is 0 or less, the connection is refused with 401.
   * @default never
   */
  expiresInMs?: number | undefined;
}

/** The result of {@link admitted}, which `authenticate` returns. */
export class Admitted<Peer> {
  /** The peer, which becomes `connection.peer`. */
  readonly peer: Peer;
  /** Additional headers of the 101. */
  readonly headers: AnswerHeaders | undefined;
  /** Releases what `authenticate` took. */
  readonly release: (() => unknown) | undefined;
  /** The time after which the connection expires, in milliseconds. */
  readonly expiresInMs: number | undefined;

  /** @internal */
  constructor(peer: Peer, { headers, release, expiresInMs }: AdmittedOptions) {
    this.peer = peer;
    this.headers = headers;
    this.release = release;
    this.expiresInMs = expiresInMs;
  }

  /** @internal */
  get [admittedBrand](): true {
    return true;
  }

  static {
    // Its fields may be credentials.
    printAs(Admitted.prototype, 'Admitted', () => ({}));
  }
}

/** The results of `authenticate`: a peer, an {@link Admitted} with a peer and more, or a refusal. */
export type AuthenticateResult<Peer> = Peer | Admitted<Peer> | Refusal | false | null | undefined;

/** The peers among the inferred results of `authenticate`: a subclass of `Refusal` is not a peer. */
export type AdmittedPeer<Peer> = Exclude<Peer, Refusal>;

/**
 * The peer of a handler. TypeScript reads the options in order. If a handler stands before `authenticate` and returns an
 * expression about its peer, the type of the peer is not known yet, and it is `any`.
 */
// biome-ignore lint/suspicious/noExplicitAny: `unknown` would refuse a handler only because of where it stands.
export type HandlerPeer<Peer> = [Peer] extends [undefined] ? any : AdmittedPeer<Peer>;

/**
 * The connection of a handler. TypeScript reads the options in order and settles `Known`, `In` and `Out` at the first handler.
 * If `authenticate` stands before that handler, `Known` is the peer, and the connection is an ordinary one. Otherwise `Known`
 * is `any`, and the connection is `Later`: a type parameter of the handler, which TypeScript resolves only when the body of the
 * handler uses it.
 */
export type HandlerConnection<
  Known,
  In,
  Out,
  Later,
  Ask = unknown,
  Answer = unknown,
> = 0 extends 1 & Known
  ? LaterConnection<Later, In, Out, Ask, Answer>
  : Connection<Known, In, Out, Ask, Answer>;

/**
 * If a later handler returns an expression about its own connection, `Later` becomes circular and loses its constraint.
 * TypeScript then takes both branches, one of which has `any` for a peer.
 */
type LaterConnection<Later, In, Out, Ask, Answer> =
  Later extends Connection<infer Peer, In, Out, Ask, Answer>
    ? Connection<Peer, In, Out, Ask, Answer>
    : // biome-ignore lint/suspicious/noExplicitAny: `unknown` would refuse a handler only because of where it stands.
      Connection<any, In, Out, Ask, Answer>;

/** The second argument of `authenticate`. */
export interface AuthenticateContext {
  /** Aborts when the client leaves, when `timeouts.handshakeMs` has passed, or when the supervisor drains. */
  readonly signal: AbortSignal;
}

/**
 * Admits a connection with more than its peer: headers of the 101, something to release at the end, and a time after which it
 * expires. Return the result from `authenticate`. Without arguments, it admits a client that has no peer. If the peer is
 * `undefined`, `null`, `false` or a {@link Refusal}, the connection is refused as if you had returned that value.
 *
 * @throws MooringError `invalid-options`, with the name of the wrong argument.
 *
 * @example
 * ```ts
 * authenticate: async (request) => {
 *   const { user, expiresInMs } = await tokens.verify(request.headers.authorization);
 *   const seat = await seats.take(user);
 *   return admitted(user, { release: () => seat.free(), expiresInMs });
 * }
 * ```
 */
export function admitted(): Admitted<undefined>;
export function admitted<Peer>(peer: Peer, options?: AdmittedOptions): Admitted<Peer>;
export function admitted(
  ...given: readonly [peer?: unknown, options?: AdmittedOptions]
): Admitted<unknown> {
  const [peer, options = {}] = given;
  try {
    checkNames(options, admittedOptionNames);
    // `admitted(undefined)` refuses, because a peer that was not found is `undefined`. `admitted()` means no peer.
    return new Admitted(given.length === 0 ? peer : (peer ?? null), checkedTerms(options));
  } catch (thrown) {
    // `authenticate` fails with this error, so nothing else would release what it took.
    guarded(
      () => options?.release?.(),
      () => {},
    );
    throw thrown;
  }
}

/** Whether a value was made by {@link admitted} of any copy of this package. */
export function isAdmitted(value: unknown): value is Admitted<unknown> {
  return typeof value === 'object' && value !== null && admittedBrand in value;
}

const admittedOptionNames = ['headers', 'release', 'expiresInMs'];

/**
 * Checks the options of {@link admitted}. They are checked again where they are used, because they may come from a copy of the
 * package that checks less.
 *
 * @throws MooringError `invalid-options`
 */
export function checkedTerms(options: AdmittedOptions | Admitted<unknown>): AdmittedOptions {
  const { headers, release, expiresInMs } = options;
  if (release !== undefined && typeof release !== 'function') {
    throw invalidOptions([problemAt(options, ['release'], 'must be a function')]);
  }
  checkExpiry(options);
  return {
    ...(headers !== undefined && { headers: checkedAnswerHeaders(headers) }),
    ...(release !== undefined && { release }),
    ...(expiresInMs !== undefined && { expiresInMs }),
  };
}

/** Headers of the handshake, which ws writes, and headers that frame a body, which a 101 must not have. */
const HANDSHAKE = /^(connection|upgrade|content-length|transfer-encoding|sec-websocket-.*)$/i;

function checkedAnswerHeaders(given: unknown): AnswerHeaders {
  const headers = checkedHeaders(given);
  const reserved = Object.keys(headers).find((name) => HANDSHAKE.test(name));
  if (reserved === undefined) return headers;
  const problem = 'is a header of the handshake itself; leave it out';
  throw invalidOptions([problemAt({ headers }, ['headers', reserved], problem)]);
}

/** Checks the options of `renew`. @throws MooringError `invalid-options` */
export function checkRenewal(options: RenewOptions): void {
  checkNames(options, ['expiresInMs']);
  const { expiresInMs } = options;
  if (expiresInMs !== null) checkExpiry({ expiresInMs }, ', or null for never');
}

function checkExpiry(options: { readonly expiresInMs?: number | undefined }, or = ''): void {
  const { expiresInMs } = options;
  if (expiresInMs === undefined || Number.isFinite(expiresInMs)) return;
  const problem = `must be a number of milliseconds${or}`;
  throw invalidOptions([problemAt(options, ['expiresInMs'], problem)]);
}
