import type { Connection, RenewOptions } from '../core/connection.ts';
import type { AnswerHeaders } from '../core/failure.ts';
import { guarded } from '../core/guard.ts';
import { checkNames, invalidOptions, problemAt } from '../core/option-rules.ts';
import { printAs } from '../core/text.ts';
import { checkedHeaders } from './answer-headers.ts';
import type { Refusal } from './refusal.ts';

/** Known to every copy of this package in the process. */
const brand = Symbol.for('mooring.admitted');

/** What {@link admitted} gives a connection besides its peer. */
export interface AdmittedOptions {
  /**
   * Further headers of the 101, for example `Set-Cookie` or a request id; a list makes one header of each of its
   * values. Headers that belong to the handshake itself are refused. @default none
   */
  headers?: AnswerHeaders;
  /**
   * Gives back what `authenticate` took. It runs exactly once, after `onClose` and the disposer have settled, or
   * when the connection does not open after all. It waits for neither of them longer than `timeouts.welcomeMs`: where
   * `onOpen` takes longer than that after the end, it runs before the disposer that `onOpen` gives.
   * @default nothing to release
   */
  release?: () => unknown;
  /**
   * After how many milliseconds the connection is closed with 3000, unless `connection.renew` came first. A
   * connection whose time is over already is refused with 401.
   * @default never
   */
  expiresInMs?: number;
}

/** What {@link admitted} returns; `authenticate` returns it. */
export class Admitted<Peer> {
  readonly peer: Peer;
  readonly headers: AnswerHeaders | undefined;
  readonly release: (() => unknown) | undefined;
  readonly expiresInMs: number | undefined;

  /** @internal */
  constructor(peer: Peer, { headers, release, expiresInMs }: AdmittedOptions) {
    this.peer = peer;
    this.headers = headers;
    this.release = release;
    this.expiresInMs = expiresInMs;
  }

  /** @internal */
  get [brand](): true {
    return true;
  }

  static {
    // What it holds are credentials.
    printAs(Admitted.prototype, 'Admitted', () => ({}));
  }
}

/** What `authenticate` returns: a peer, with or without more for its connection, or that it is not let in. */
export type AuthenticateResult<Peer> = Peer | Admitted<Peer> | Refusal | false | null | undefined;

/** The peers among what `authenticate` was inferred to return: a class of its own that extends `Refusal` is none. */
export type AdmittedPeer<Peer> = Exclude<Peer, Refusal>;

/**
 * The peer of a handler. TypeScript reads the options in their order: where a handler returns an expression about its
 * peer and stands before `authenticate`, nothing is known of that peer yet, and it is `any`.
 */
// biome-ignore lint/suspicious/noExplicitAny: `unknown` would refuse a handler only because of where it stands.
export type HandlerPeer<Peer> = [Peer] extends [undefined] ? any : AdmittedPeer<Peer>;

/**
 * The connection of a handler. TypeScript reads the options in their order and settles `Known`, `In` and `Out` at the
 * first handler. If `authenticate` stands before it, that is the peer, and the connection is an ordinary one.
 * Otherwise `Known` is `any`, and the connection is `Later`: a type parameter of the handler, which TypeScript resolves
 * only when the handler's body uses it.
 */
export type HandlerConnection<Known, In, Out, Later> = 0 extends 1 & Known
  ? LaterConnection<Later, In, Out>
  : Connection<Known, In, Out>;

/**
 * If a handler further down returns an expression about its own connection, `Later` becomes circular and loses its
 * constraint. TypeScript then takes both branches, of which one has `any` for a peer.
 */
type LaterConnection<Later, In, Out> =
  Later extends Connection<infer Peer, In, Out>
    ? Connection<Peer, In, Out>
    : // biome-ignore lint/suspicious/noExplicitAny: `unknown` would refuse a handler only because of where it stands.
      Connection<any, In, Out>;

/** What `authenticate` is given besides the request. */
export interface AuthenticateContext {
  /** Aborts when the client leaves, when `timeouts.handshakeMs` has passed, and when the supervisor drains. */
  readonly signal: AbortSignal;
}

/**
 * Lets a connection in, with more than its peer: headers of the 101, something to release at the end, a time
 * after which it expires. Return it from `authenticate`. Without arguments it lets in a client that has no peer; with a
 * peer that is `undefined`, `null`, `false` or a {@link Refusal}, the connection is refused as if you had returned that.
 *
 * @throws MooringError `invalid-options`, naming the argument that is wrong.
 *
 * @example
 * ```ts
 * authenticate: async (request) => {
 *   const { user, expiresAt } = await tokens.verify(request.headers.authorization);
 *   const seat = await seats.take(user);
 *   return admitted(user, { release: () => seat.free(), expiresInMs: expiresAt - Date.now() });
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
    checkNames(options, optionNames);
    // A peer that was looked for and not found is `undefined` as well; only without arguments there is to be none.
    return new Admitted(given.length === 0 ? peer : (peer ?? null), checkedTerms(options));
  } catch (thrown) {
    // `authenticate` fails with this error, and what it has taken would be taken for good.
    guarded(
      () => options?.release?.(),
      () => {},
    );
    throw thrown;
  }
}

/** Whether it was made by {@link admitted}, of whichever copy of this package. */
export function isAdmitted(value: unknown): value is Admitted<unknown> {
  return typeof value === 'object' && value !== null && brand in value;
}

const optionNames = ['headers', 'release', 'expiresInMs'];

/**
 * Checks what a connection is given besides its peer. It is checked where it is used as well: it may come from a copy of
 * the package that checks less.
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

/** Headers by which client and server agree on the upgrade, or that frame a body: ws writes them, or none may. */
const HANDSHAKE = /^(connection|upgrade|content-length|transfer-encoding|sec-websocket-.*)$/i;

function checkedAnswerHeaders(given: unknown): AnswerHeaders {
  const headers = checkedHeaders(given);
  const reserved = Object.keys(headers).find((name) => HANDSHAKE.test(name));
  if (reserved === undefined) return headers;
  const problem = 'belongs to the handshake itself';
  throw invalidOptions([problemAt({ headers }, ['headers', reserved], problem)]);
}

/** @throws MooringError `invalid-options` for options that `renew` does not have. */
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
