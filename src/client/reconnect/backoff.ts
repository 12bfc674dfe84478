/** How long to wait between attempts. */
export interface BackoffOptions {
  /** The longest first delay, in milliseconds; doubles with each failure. A shorter `maxMs` lowers the default. @default 500 */
  minMs: number;
  /** The longest delay of all, in milliseconds. @default 20_000 */
  maxMs: number;
  /**
   * The shortest delay after an ending that may repeat for long, in milliseconds. The delay is random, up to twice
   * this.
   * @default 30_000
   */
  slowMs: number;
  /** How long a connection must stay open before failures are forgotten, in milliseconds. @default 5_000 */
  stableMs: number;
}

/** How many attempts may end within a time before a client gives up. */
export interface RestartOptions {
  /** How many attempts may end. @default 100 */
  max: number;
  /** The time within which they are counted, in milliseconds. @default 600_000 */
  withinMs: number;
}

/** The parts of an ending that affect when to dial again. */
export interface RetryHint {
  /** The close code that arrived, if one did. */
  readonly code?: number | undefined;
  /** What `Retry-After` asked for, in milliseconds. */
  readonly retryAfterMs?: number | undefined;
}

/** Whether the peer has asked for a delay. */
export function isSentAway({ code, retryAfterMs }: RetryHint): boolean {
  return retryAfterMs !== undefined || code === SERVICE_RESTART || code === TRY_AGAIN_LATER;
}

const SERVICE_RESTART = 1012;
const TRY_AGAIN_LATER = 1013;

/** After a restart, all clients would come back at once unless each waits for 5 to 30 seconds (IANA registry, 1012). */
const RESTART_MIN_MS = 5_000;
const RESTART_MAX_MS = 30_000;

/** The longest delay that a peer may ask for. */
const RETRY_AFTER_MAX_MS = 600_000;

/**
 * Delays between attempts, with full jitter: clients that lose their server at the same time come back spread out.
 *
 * ```
 * failures   0      1      2      3          …
 * delay    0…500  0…1000 0…2000 0…4000 ms  … 0…maxMs
 * ```
 */
export class Backoff {
  readonly #options: Readonly<BackoffOptions>;
  readonly #random: () => number;
  #failures = 0;

  constructor(options: Readonly<BackoffOptions>, random: () => number) {
    this.#options = options;
    this.#random = random;
  }

  /** The delay before the next attempt, in milliseconds. */
  next(hint: RetryHint): number {
    const { minMs, maxMs } = this.#options;
    const ceilingMs = Math.min(maxMs, minMs * 2 ** this.#failures);
    this.#failures += 1;
    return this.#askedMs(hint, ceilingMs) ?? this.#between(0, ceilingMs);
  }

  /** The delay that the peer asks for, in milliseconds; `null` if it asks for none. */
  askedMs(hint: RetryHint): number | null {
    return this.#askedMs(hint, this.#options.minMs);
  }

  #askedMs({ code, retryAfterMs }: RetryHint, jitterMs: number): number | null {
    const { maxMs } = this.#options;
    if (retryAfterMs !== undefined) {
      return Math.min(retryAfterMs, RETRY_AFTER_MAX_MS) + this.#between(0, jitterMs);
    }
    if (code === SERVICE_RESTART) return this.#between(RESTART_MIN_MS, RESTART_MAX_MS);
    return code === TRY_AGAIN_LATER ? this.#between(maxMs / 2, maxMs) : null;
  }

  /** Forgets the failures so far. */
  reset(): void {
    this.#failures = 0;
  }

  #between(lowMs: number, highMs: number): number {
    return lowMs + this.#random() * (highMs - lowMs);
  }
}

/** Counts endings, as an OTP supervisor counts restarts. */
export class RestartIntensity {
  readonly #options: Readonly<RestartOptions>;
  #endedAtMs: number[] = [];

  constructor(options: Readonly<RestartOptions>) {
    this.#options = options;
  }

  /** Counts an ending. Returns whether there are too many now. */
  exceeded(nowMs: number): boolean {
    const { max, withinMs } = this.#options;
    this.#endedAtMs = this.#endedAtMs.filter((atMs) => nowMs - atMs < withinMs);
    this.#endedAtMs.push(nowMs);
    return this.#endedAtMs.length > max;
  }
}
