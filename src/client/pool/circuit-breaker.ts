/** When, and for how long, a pool stops dialing one of its upstreams. */
export interface CircuitOptions {
  /** How many failures in a row open the circuit, counted over all members. @default 5 */
  failuresMax: number;
  /**
   * The longest time that the circuit is open at first, in milliseconds; doubles each time. The time is random, from
   * half of this. A shorter `maxMs` lowers the default.
   * @default 1_000
   */
  minMs: number;
  /** The longest time that the circuit is ever open after failures, in milliseconds. @default 30_000 */
  maxMs: number;
}

/**
 * Whether a pool dials an upstream: `closed` if it does, `open` if it does not, `half-open` after that time, when a
 * single attempt tests the upstream.
 */
export type CircuitState = 'closed' | 'open' | 'half-open';

/** How long other members wait while one attempt tests the upstream, in milliseconds. */
const PROBE_MS = 250;

/** Stops the members of a pool, for a while, from dialing an upstream that fails. */
export class CircuitBreaker {
  readonly #options: Readonly<CircuitOptions>;
  #failures = 0;
  #openings = 0;
  #openUntilMs = 0;
  #isOpen = false;
  /** The member whose attempt tests the upstream. Only that attempt decides whether others may dial it again. */
  #probe: object | null = null;

  constructor(options: Readonly<CircuitOptions>) {
    this.#options = options;
  }

  state(nowMs: number): CircuitState {
    if (!this.#isOpen) return 'closed';
    return nowMs < this.#openUntilMs ? 'open' : 'half-open';
  }

  /** How long the upstream must not be dialed, in milliseconds. */
  waitMs(nowMs: number): number {
    if (!this.#isOpen) return 0;
    if (nowMs < this.#openUntilMs) return this.#openUntilMs - nowMs;
    return this.#probe === null ? 0 : PROBE_MS;
  }

  dialed(by: object): void {
    this.#probe = this.#isOpen ? by : null;
  }

  /** An attempt opened: members may dial again, but one more failure opens the circuit. */
  opened(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    this.#probe = null;
    this.#failures = this.#options.failuresMax - 1;
  }

  /** A connection has stayed open for a while. */
  stable(): void {
    this.#failures = 0;
    this.#openings = 0;
  }

  /** An attempt was given up without a result. */
  abandoned(by: object): void {
    if (this.#probe === by) this.#probe = null;
  }

  /** An attempt failed, or its connection did not last. */
  failed(by: object, nowMs: number, chance: number): void {
    this.#failures += 1;
    if (this.#isOpen ? this.#probe === by : this.#failures >= this.#options.failuresMax) {
      const { minMs, maxMs } = this.#options;
      const longestMs = Math.min(maxMs, minMs * 2 ** this.#openings);
      // Random, from half of the time to all of it, because pools in other processes have lost the same upstream.
      this.leaveAlone(nowMs, longestMs * (1 + chance) * 0.5);
      this.#openings += 1;
    }
  }

  /** The upstream has refused in a way that another attempt would not change. */
  trip(nowMs: number): void {
    this.leaveAlone(nowMs, this.#options.maxMs);
  }

  /** Opens the circuit for this time, regardless of the counts. */
  leaveAlone(nowMs: number, delayMs: number): void {
    // Attempts that were under way when the circuit opened do not count.
    if (this.#isOpen && this.#probe === null) return;
    this.#isOpen = true;
    this.#probe = null;
    this.#openUntilMs = nowMs + delayMs;
  }
}
