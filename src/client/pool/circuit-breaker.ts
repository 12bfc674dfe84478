/** When a pool stops dialing one of its upstreams for a while. */
export interface CircuitOptions {
  /** How many attempts may fail in a row, each attempt of each member counting. @default 5 */
  failuresMax: number;
  /** How long the upstream is left alone at first, in milliseconds; doubles each time. @default 1_000 */
  minMs: number;
  /** For how long at most, in milliseconds. @default 30_000 */
  maxMs: number;
}

/**
 * Whether an upstream is dialed: `closed` when it is, `open` while it is left alone, `half-open` when one attempt is to
 * find out.
 */
export type CircuitState = 'closed' | 'open' | 'half-open';

/** What is waited for while somebody else finds out, in milliseconds. */
const PROBE_MS = 250;

/** Keeps the members of a pool from knocking all at once, again and again, at a door that does not open. */
export class CircuitBreaker {
  readonly #options: Readonly<CircuitOptions>;
  #failures = 0;
  #openings = 0;
  #openUntilMs = 0;
  #isOpen = false;
  /** Who finds out. Only what becomes of that attempt says whether it may be dialed again. */
  #probe: object | null = null;

  constructor(options: Readonly<CircuitOptions>) {
    this.#options = options;
  }

  state(nowMs: number): CircuitState {
    if (!this.#isOpen) return 'closed';
    return nowMs < this.#openUntilMs ? 'open' : 'half-open';
  }

  /** How long it must not be dialed yet, in milliseconds. */
  waitMs(nowMs: number): number {
    if (!this.#isOpen) return 0;
    if (nowMs < this.#openUntilMs) return this.#openUntilMs - nowMs;
    return this.#probe === null ? 0 : PROBE_MS;
  }

  dialed(by: object): void {
    this.#probe = this.#isOpen ? by : null;
  }

  /** It opened: dialed again, but the next failure is one too many. */
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

  /** An attempt was given up before it had told anything. */
  abandoned(by: object): void {
    if (this.#probe === by) this.#probe = null;
  }

  /** An attempt failed, or its connection did not last. */
  failed(by: object, nowMs: number, chance: number): void {
    this.#failures += 1;
    if (this.#isOpen ? this.#probe === by : this.#failures >= this.#options.failuresMax) {
      const { minMs, maxMs } = this.#options;
      const longestMs = Math.min(maxMs, minMs * 2 ** this.#openings);
      // Not all of it: the pools of other processes have lost the same upstream.
      this.leaveAlone(nowMs, longestMs * (1 + chance) * 0.5);
      this.#openings += 1;
    }
  }

  /** It has said what another attempt would not mend. */
  trip(nowMs: number): void {
    this.leaveAlone(nowMs, this.#options.maxMs);
  }

  /** It is not to be dialed for so long, whatever was counted. */
  leaveAlone(nowMs: number, delayMs: number): void {
    // What was under way when it opened has nothing new to say.
    if (this.#isOpen && this.#probe === null) return;
    this.#isOpen = true;
    this.#probe = null;
    this.#openUntilMs = nowMs + delayMs;
  }
}
