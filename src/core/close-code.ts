import { MooringError } from './errors.ts';

/** What an empty close frame is reported as (RFC 6455 §7.1.5); it must not be sent. */
export const NO_STATUS = 1005;

/** What a client that dialed should do after an ending: come back at once, after a backoff, or not at all. */
export type Retry = 'now' | 'backoff' | 'never';

/** How loudly an ending is logged. */
export type Level = 'info' | 'warn' | 'error';

/** What a close code says about who is at fault. */
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
  readonly name: string;
  readonly class: CloseClass;
  /** Whether an application may send it (RFC 6455 §7.4). */
  readonly sendable: boolean;
  /** What a dialing client does by default after receiving it. */
  readonly retry: Retry;
  /** How loudly receiving it is logged. */
  readonly level: Level;
}

/** What the codes of a class mean, as far as the table has nothing else. */
const classes: Readonly<Record<CloseClass, readonly [retry: Retry, level: Level]>> = {
  normal: ['backoff', 'info'],
  fault: ['never', 'error'],
  policy: ['never', 'warn'],
  'server-fault': ['backoff', 'error'],
  transient: ['backoff', 'warn'],
  overload: ['backoff', 'warn'],
  auth: ['never', 'warn'],
  network: ['backoff', 'warn'],
  tls: ['never', 'error'],
  application: ['backoff', 'info'],
  invalid: ['never', 'error'],
};

function row(name: string, group: CloseClass, other?: Partial<CloseCodeInfo>): CloseCodeInfo {
  const [retry, level] = classes[group];
  const sendable = group !== 'invalid';
  return Object.freeze({ name, class: group, sendable, retry, level, ...other });
}

/**
 * The IANA WebSocket close code registry with what each code means to a supervisor.
 *
 * Ranges that IANA leaves to libraries (3000–3999) and to applications (4000–4999) are answered by
 * {@link closeCodeInfo}.
 */
export const closeCodes: ReadonlyMap<number, CloseCodeInfo> = /* @__PURE__ */ registry();

function registry(): Map<number, CloseCodeInfo> {
  const sendable = false;
  return new Map([
    [1000, row('normal', 'normal', { retry: 'never' })],
    [1001, row('going away', 'normal')],
    [1002, row('protocol error', 'fault')],
    [1003, row('unsupported data', 'fault')],
    [NO_STATUS, row('no status', 'normal', { sendable })],
    [1006, row('abnormal', 'network', { sendable })],
    [1007, row('invalid payload', 'fault')],
    [1008, row('policy violation', 'policy')],
    [1009, row('too big', 'fault')],
    [1010, row('mandatory extension', 'fault')],
    [1011, row('internal error', 'server-fault')],
    [1012, row('service restart', 'transient', { level: 'info' })],
    [1013, row('try again later', 'overload')],
    [1014, row('bad gateway', 'transient')],
    [1015, row('TLS failure', 'tls', { sendable })],
    [3000, row('unauthorized', 'auth')],
    [3003, row('forbidden', 'auth')],
    [3008, row('timeout', 'transient')],
  ]);
}

const registered = /* @__PURE__ */ row('registered', 'application');
const application = /* @__PURE__ */ row('application', 'application');
const invalid = /* @__PURE__ */ row('invalid', 'invalid');

/** What a close code means. A code that must not appear on the wire is `invalid` (RFC 6455 §7.4.2). */
export function closeCodeInfo(code: number): CloseCodeInfo {
  const known = closeCodes.get(code);
  if (known !== undefined) return known;
  if (!Number.isInteger(code) || code < 3000 || code > 4999) return invalid;
  return code < 4000 ? registered : application;
}

/** A close code with its reason. */
export interface CloseFrame {
  /** RFC 6455 §7.4. */
  readonly code: number;
  /** At most 123 bytes of UTF-8 (RFC 6455 §5.5). */
  readonly reason: string;
}

const REASON_BYTES_MAX = 123;

/**
 * Checks what an application wants to close with.
 *
 * A reason that is too long is cut to 123 bytes on a code-point boundary: an ending must not be lost over
 * its text. Lone surrogates become U+FFFD.
 *
 * @throws MooringError `invalid-close` for a code that may not be sent or a reason that is no string.
 */
export function checkedCloseFrame(code: unknown, reason: unknown): CloseFrame {
  if (typeof code !== 'number' || !closeCodeInfo(code).sendable) {
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

function cutToBytes(text: string, bytesMax: number): string {
  const { read } = new TextEncoder().encodeInto(text, new Uint8Array(bytesMax));
  return text.slice(0, read).toWellFormed();
}
