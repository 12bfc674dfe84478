/** How many attempts may come to their end within some time before a client gives up. */
export interface RestartOptions {
  /** @default 100 */
  max: number;
  /** In milliseconds. @default 600_000 */
  withinMs: number;
}

/** Counts endings, as an OTP supervisor counts restarts. */
export class RestartIntensity {
  readonly #options: Readonly<RestartOptions>;
  #endedAtMs: number[] = [];

  constructor(options: Readonly<RestartOptions>) {
    this.#options = options;
  }

  /** Counts one more ending; whether that is one too many. */
  exceeded(nowMs: number): boolean {
    const { max, withinMs } = this.#options;
    this.#endedAtMs = this.#endedAtMs.filter((atMs) => nowMs - atMs < withinMs);
    this.#endedAtMs.push(nowMs);
    return this.#endedAtMs.length > max;
  }
}
