import type { IncomingMessage } from 'node:http';
import { type Clock, type TimerHandle, wallTimeOf } from '../core/clock.ts';
import type { DialAnswer } from '../core/failure.ts';

/** How much of the body of an answer to read, in bytes. */
const BODY_BYTES_MAX = 4_096;

/** How long the body of an answer may take, in milliseconds. */
const BODY_MS_MAX = 1_000;

/**
 * Reads an HTTP answer other than 101, with the beginning of its body.
 *
 * Reading stops at the end of the body, after 4 KiB or after one second, because a server may never end the body.
 */
export class HttpAnswer {
  readonly #message: IncomingMessage;
  readonly #retryAfterMs: number | undefined;
  readonly #clock: Clock;
  readonly #whenRead: () => void;
  readonly #chunks: Buffer[] = [];
  #bytes = 0;
  #timer: TimerHandle | null;

  /** @param whenRead - called once, unless `stop` is called before. */
  constructor(message: IncomingMessage, clock: Clock, whenRead: () => void) {
    this.#message = message;
    this.#retryAfterMs = retryAfterMs(message.headers['retry-after'], clock.wallNow());
    this.#clock = clock;
    this.#whenRead = whenRead;
    this.#timer = clock.setTimer(BODY_MS_MAX, this.#finish);
    message.on('data', this.#read);
    for (const event of ['end', 'close'] as const) message.on(event, this.#finish);
    // Not removed by `stop`: without a listener, an error of the message would end the process.
    message.on('error', this.#finish);
  }

  /** What has been read so far. */
  get description(): DialAnswer {
    const { statusCode = 0, headers } = this.#message;
    const bytes = Buffer.concat(this.#chunks).subarray(0, BODY_BYTES_MAX);
    // `stream` leaves out a character that is cut off at the end.
    const body = new TextDecoder().decode(bytes, { stream: true });
    return {
      status: statusCode,
      ...(this.#retryAfterMs !== undefined && { retryAfterMs: this.#retryAfterMs }),
      response: { status: statusCode, headers: { ...headers } as HttpHeaders, body },
    };
  }

  /** Reads nothing more. */
  stop(): void {
    if (this.#timer === null) return;
    this.#clock.clearTimer(this.#timer);
    this.#timer = null;
    this.#message.off('data', this.#read);
  }

  readonly #read = (chunk: Buffer): void => {
    this.#chunks.push(chunk);
    this.#bytes += chunk.length;
    if (this.#bytes >= BODY_BYTES_MAX) this.#finish();
  };

  readonly #finish = (): void => {
    if (this.#timer === null) return;
    this.stop();
    this.#whenRead();
  };
}

/** Node.js types absent headers as `undefined`, but never includes them. */
type HttpHeaders = Record<string, string | string[]>;

/**
 * Reads a `Retry-After` header (RFC 9110 §10.2.3): seconds or a date. Returns `undefined` if there is none, or it is
 * invalid.
 *
 * The form of a date is checked first, because JavaScript reads `1.5`, `-5` and `soon 3` as dates long ago.
 */
export function retryAfterMs(header: string | undefined, wallNowMs: number): number | undefined {
  const text = header?.trim() ?? '';
  if (/^\d+$/.test(text)) return Number(text) * 1_000;
  const atMs = httpDate.test(text) ? wallTimeOf(`${text.replace(/ GMT$/, '')} GMT`) : Number.NaN;
  return Number.isNaN(atMs) ? undefined : Math.max(0, atMs - wallNowMs);
}

/**
 * The three forms of a date (RFC 9110 §5.6.7). The last form means GMT but does not name it:
 * `Sun, 06 Nov 1994 08:49:37 GMT`, `Sunday, 06-Nov-94 08:49:37 GMT` and `Sun Nov  6 08:49:37 1994`.
 */
const httpDate =
  /^(?:\w{3}, \d{2} \w{3} \d{4} [\d:]{8} GMT|\w{6,9}, \d{2}-\w{3}-\d{2} [\d:]{8} GMT|\w{3} \w{3} [ \d]\d [\d:]{8} \d{4})$/;
