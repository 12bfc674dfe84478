import { MooringError } from './errors.ts';
import { encoder, textOf } from './text.ts';

/** The code that stands for an empty close frame (RFC 6455 §7.1.5). It must not be sent. */
export const NO_STATUS = 1005;

/**
 * What a dialing client should do after an ending.
 *
 * - `now`: dial again at once.
 * - `backoff`: dial again after a backoff.
 * - `slow`: dial again slowly, because a person may have to fix something.
 * - `never`: do not dial again, because only another configuration can help.
 */
export type Retry = 'now' | 'backoff' | 'slow' | 'never';

/** The level at which an ending is logged. */
export type Level = 'info' | 'warn' | 'error';

/** The class of a close code: who or what is at fault. */
export type CloseClass =
  | 'normal'
  | 'fault'
  | 'policy'
  | 'server-fault'
  | 'transient'
  | 'overload'
  | 'auth'
  | 'network'
  | 'tls'
  | 'application'
  | 'invalid';

/** One row of the close-code table. */
export interface CloseCodeInfo {
  /**
   * A short form of its name in the IANA registry; for any other code `registered` (3000–3999), `application` (4000–4999) or
   * `invalid`.
   */
  readonly name: string;
  /** Who or what is at fault. */
  readonly class: CloseClass;
  /** Whether an application may send it (RFC 6455 §7.4). */
  readonly sendable: boolean;
  /** What a dialing client does by default after receiving it. */
  readonly retry: Retry;
  /** The level at which its receipt is logged. */
  readonly level: Level;
}

/** What a client does after each close code that IANA has registered, and the level at which it is logged. */
const meanings: readonly (readonly [retry: Retry, level: Level, ...codes: number[]])[] = [
  ['backoff', 'info', 1000, 1001, NO_STATUS, 1012],
  ['backoff', 'warn', 1006, 1008, 1013, 1014, 3008],
  ['backoff', 'error', 1002, 1003, 1007, 1009, 1010, 1011, 1015],
  // Other credentials are needed.
  ['slow', 'warn', 3000, 3003],
];

/**
 * A newer connection with the same key has taken the place of this one, which would take its place in turn. The code is private;
 * graphql-transport-ws uses it in the same way.
 */
export const REPLACED = 4409;

/** Codes that report an ending without a code on the wire. */
const UNSENDABLE: readonly number[] = [NO_STATUS, 1006, 1015];

/** What a close code means, without its name and its class, which a page need not load. */
export interface CloseMeaning extends Pick<CloseCodeInfo, 'sendable' | 'retry' | 'level'> {
  /** Whether the code is unregistered and private. IANA leaves 3000–3999 to libraries and 4000–4999 to applications. */
  readonly isPrivate: boolean;
}

export function closeMeaning(code: number): CloseMeaning {
  const registered = meanings.find((row) => row.includes(code));
  const isPrivate =
    registered === undefined && Number.isInteger(code) && code >= 3000 && code <= 4999;
  const unregistered = code === REPLACED ? 'never' : 'backoff';
  const [retry, level] = registered ?? [unregistered, isPrivate ? 'info' : 'error'];
  const sendable = isPrivate || (registered !== undefined && !UNSENDABLE.includes(code));
  return { sendable, retry, level, isPrivate };
}

/** The classes of the codes that IANA has registered. */
const classes = {
  normal: [1000, 1001, NO_STATUS],
  fault: [1002, 1003, 1007, 1009, 1010],
  policy: [1008],
  'server-fault': [1011],
  transient: [1012, 1014, 3008],
  overload: [1013],
  auth: [3000, 3003],
  network: [1006],
  tls: [1015],
} as const satisfies Partial<Record<CloseClass, readonly number[]>>;

/**
 * The registered WebSocket close codes of IANA, with what each code means to a supervisor.
 *
 * {@link closeCodeInfo} also covers the ranges that IANA leaves to libraries (3000–3999) and to applications (4000–4999).
 */
export const closeCodes: ReadonlyMap<number, CloseCodeInfo> = /* @__PURE__ */ registry();

function registry(): Map<number, CloseCodeInfo> {
  const names: Readonly<Record<number, string>> = {
    1000: 'normal',
    1001: 'going away',
    1002: 'protocol error',
    1003: 'unsupported data',
    1005: 'no status',
    1006: 'abnormal',
    1007: 'invalid payload',
    1008: 'policy violation',
    1009: 'too big',
    1010: 'mandatory extension',
    1011: 'internal error',
    1012: 'service restart',
    1013: 'try again later',
    1014: 'bad gateway',
    1015: 'TLS failure',
    3000: 'unauthorized',
    3003: 'forbidden',
    3008: 'timeout',
  };
  return new Map(
    Object.entries(names).map(([code, name]) => [Number(code), row(Number(code), name)]),
  );
}

function row(code: number, name: string): CloseCodeInfo {
  const { isPrivate, ...meaning } = closeMeaning(code);
  return Object.freeze({ name, class: classOf(code), ...meaning });
}

function classOf(code: number): CloseClass {
  for (const [name, codes] of Object.entries<readonly number[]>(classes)) {
    if (codes.includes(code)) return name as CloseClass;
  }
  return closeMeaning(code).isPrivate ? 'application' : 'invalid';
}

/** Describes a close code. A code that is neither registered nor in a private range is `invalid` (RFC 6455 §7.4.2). */
export function closeCodeInfo(code: number): CloseCodeInfo {
  const group = classOf(code);
  const name = group === 'application' && code < 4000 ? 'registered' : group;
  return closeCodes.get(code) ?? row(code, name);
}

/** A close code with its reason. */
export interface CloseFrame {
  /** The close code (RFC 6455 §7.4). */
  readonly code: number;
  /** The reason, at most 123 bytes of UTF-8 (RFC 6455 §5.5). */
  readonly reason: string;
}

const REASON_BYTES_MAX = 123;

/**
 * Checks the close code and the reason of an application.
 *
 * A reason that is too long is cut to 123 bytes on a code-point boundary, so that a long text never prevents the close. Lone
 * surrogates become U+FFFD.
 *
 * @throws MooringError `invalid-close` for a code that may not be sent or a reason that is not a string.
 */
export function checkedCloseFrame(code: unknown, reason: unknown): CloseFrame {
  if (typeof code !== 'number' || !closeMeaning(code).sendable) {
    const given = typeof code === 'number' ? code : `of type ${typeof code}`;
    throw new MooringError(
      'invalid-close',
      `close code ${given} may not be sent: use 1000-1003, 1007-1014 or 3000-4999`,
    );
  }
  if (typeof reason !== 'string') {
    throw new MooringError('invalid-close', `close reason must be a string, not ${typeof reason}`);
  }
  return { code, reason: cutToBytes(reason, REASON_BYTES_MAX) };
}

/** The encoder replaces lone surrogates. */
function cutToBytes(text: string, bytesMax: number): string {
  const bytes = new Uint8Array(bytesMax);
  const { written } = encoder.encodeInto(text, bytes);
  return textOf(bytes.subarray(0, written));
}
