/** How fast something may happen: `perSecond` on average, `burst` at once after a pause. */
export interface Rate {
  readonly perSecond: number;
  readonly burst: number;
}

/** Limits how often something may happen. */
export class TokenBucket {
  readonly #rate: Rate;
  #tokens: number;
  #filledAtMs: number;

  constructor(rate: Rate, nowMs: number) {
    this.#rate = rate;
    this.#tokens = rate.burst;
    this.#filledAtMs = nowMs;
  }

  /** Whether a token is left. */
  has(nowMs: number): boolean {
    const { perSecond, burst } = this.#rate;
    const elapsedMs = nowMs - this.#filledAtMs;
    if (elapsedMs > 0) {
      this.#tokens = Math.min(burst, this.#tokens + (elapsedMs * perSecond) / 1_000);
      this.#filledAtMs = nowMs;
    }
    return this.#tokens >= 1;
  }

  /** Whether no token was left at the last call. */
  get isSpent(): boolean {
    return this.#tokens < 1;
  }

  /** The time, in milliseconds, until there are as many tokens as `periodMs` brings, but at least one and at most a burst. */
  msUntil(periodMs: number, nowMs: number): number {
    const { perSecond, burst } = this.#rate;
    const wanted = Math.min(burst, Math.max(1, (periodMs * perSecond) / 1_000));
    this.has(nowMs);
    return Math.max(0, ((wanted - this.#tokens) * 1_000) / perSecond);
  }

  /** Takes one token. Returns `false` if none is left. */
  take(nowMs: number): boolean {
    if (!this.has(nowMs)) return false;
    this.#tokens -= 1;
    return true;
  }
}
