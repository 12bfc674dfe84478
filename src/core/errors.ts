import { escapeText } from './text.ts';

/** Every way to misuse Mooring, as a stable code. The page `docs/reference/errors.md` explains each. */
export const errorCodes = {
  'invalid-options': 'An option is missing, of the wrong type or out of its range.',
  'invalid-argument': 'An argument of a call is missing, of the wrong kind or in the wrong place.',
  'invalid-close':
    'A close code may not be sent by an application, or a close reason is not a string.',
  'invalid-message': 'An outbound message does not fulfil the contract given as `sends`.',
  'path-taken': 'Another supervisor serves the same path on the same HTTP server.',
  'invalid-topic':
    'A topic name is not a string, is empty, has a lone surrogate, or is longer than 256 bytes of UTF-8.',
  'not-durable': 'A message was appended to a topic that is not durable.',
  'message-too-large': 'A message is larger than the bus takes.',
  'unencodable-message': 'The codec could not encode an outbound message.',
  'read-only': 'An actor of Mooring is read-only: it takes no events and stops with its chart.',
  'no-actor':
    'The entry point that created this client has no actors, because it does not include XState.',
  'stream-errored': 'An Observable that fed a topic ended with an error.',
  'not-mooring':
    'The peer is not Mooring, or this side did not ask for it, so it answers no requests and sends no receipts.',
  'request-refused': 'The peer refused the request. The error has its `refusal`.',
  'request-timeout': 'The answer to a request did not arrive in time.',
  'request-lost': 'The connection of a request ended, or its client stopped, before the answer.',
  'too-many-requests': 'As many requests as `limits.requestsMax` allows wait for their answers.',
  'invalid-answer': 'The answer to a request does not fulfil the contract given as `answers`.',
} as const;

/** Why a peer refused a request. Foreign text: escape it before showing it. */
export interface RefusedRequest {
  /** For programs: 1 to 64 visible ASCII characters. */
  readonly code: string;
  /** For people: at most 200 characters. */
  readonly text: string;
}

/** The stable code of a {@link MooringError}. */
export type ErrorCode = keyof typeof errorCodes;

/** The error for a misuse of Mooring. What happens to sockets is never thrown: it is reported as an event or a value. */
export class MooringError extends Error {
  /** The name at the beginning of its stack. */
  override readonly name = 'MooringError';
  /** Stable; see {@link errorCodes}. */
  readonly code: ErrorCode;
  /** Why the peer refused a request; with `request-refused` only. */
  declare readonly refusal?: RefusedRequest;

  constructor(
    code: ErrorCode,
    message: string,
    options?: ErrorOptions & { readonly refusal?: RefusedRequest },
  ) {
    super(message, options);
    this.code = code;
    if (options?.refusal !== undefined) this.refusal = options.refusal;
  }
}

/** The error for a message that is longer than a bus takes. */
export function messageTooLarge(bytes: number, bytesMax: number): MooringError {
  const problem = `the message has ${bytes} bytes, and the bus takes ${bytesMax}`;
  return new MooringError('message-too-large', problem);
}

/** Makes an Error from anything that was thrown or rejected. */
export function toError(thrown: unknown): Error {
  return isError(thrown) ? thrown : new Error(describe(thrown));
}

/** Whether a thrown value is an Error. A proxy may throw at `instanceof`. */
export function isError(thrown: unknown): thrown is Error {
  try {
    return thrown instanceof Error;
  } catch {
    return false;
  }
}

function describe(thrown: unknown): string {
  try {
    return `non-error thrown: ${String(thrown)}`;
  } catch {
    return 'non-error thrown';
  }
}

/**
 * Reads a property of an error as text; `undefined` if there is none.
 *
 * Application code may have put anything there: an object as the message, call sites as the stack, a getter that throws.
 */
function textIn(error: Error, property: 'name' | 'message' | 'stack'): string | undefined {
  try {
    const value: unknown = error[property];
    if (typeof value === 'string' || value === undefined || value === null)
      return value ?? undefined;
    return property === 'stack' ? undefined : String(value);
  } catch {
    return undefined;
  }
}

/** The name of an error. */
export function nameOf(error: Error): string {
  return textIn(error, 'name') ?? 'Error';
}

/** The message of an error, unescaped. */
export function messageOf(error: Error): string {
  return textIn(error, 'message') ?? '';
}

/** How many parts of an AggregateError are reported. */
const PARTS_MAX = 5;

/** The first five parts of an AggregateError; an empty list for any other error. */
export function partsOf(error: Error): Error[] {
  if (nameOf(error) !== 'AggregateError') return [];
  const { errors } = error as { errors?: unknown };
  return Array.isArray(errors) ? errors.slice(0, PARTS_MAX).map(toError) : [];
}

/**
 * The message of an error, escaped. An AggregateError of failed attempts to connect has no message of its own, so the messages
 * of its parts stand in.
 */
export function messageText(error: Error): string {
  const message = messageOf(error);
  return escapeText(message === '' ? partsOf(error).map(messageOf).join('; ') : message);
}

/**
 * The stack of an error, escaped except for the line breaks between its frames.
 *
 * The message may quote a peer, and a peer must not be able to forge frames of the stack.
 */
export function stackText(error: Error): string | undefined {
  const stack = textIn(error, 'stack');
  if (stack === undefined) return undefined;
  const message = messageOf(error);
  const begin = message === '' ? -1 : stack.indexOf(message);
  const end = begin === -1 ? 0 : begin + message.length;
  const frames = stack.slice(end).replaceAll(/[^\n]+|\n(?! {4}at )/g, escapeText);
  return escapeText(stack.slice(0, end)) + frames;
}
