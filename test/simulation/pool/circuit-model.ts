import type { CircuitOptions, CircuitState } from '../../../src/client/pool/circuit-breaker.ts';
import type { Attempt } from './attempt.ts';

/** A time with known bounds only, because a random number decides. */
export interface Span {
  readonly leastMs: number;
  readonly mostMs: number;
}

/** What the end of an attempt reveals about its upstream. */
export type Says =
  | { readonly what: 'nothing' }
  | { readonly what: 'failed' }
  | { readonly what: 'refused' }
  | { readonly what: 'come-back'; readonly after: Span };

/**
 * When an upstream may be dialed, according to the guide of pools. It knows what happened, and nothing of the
 * code: the random part of a delay is a span.
 */
export class CircuitModel {
  readonly #options: CircuitOptions;
  #failures = 0;
  #openings = 0;
  /** How long its circuit is open, if it is. */
  #until: Span | null = null;
  /** The attempt that probes. */
  #probe: Attempt | null = null;

  constructor(options: CircuitOptions) {
    this.#options = options;
  }

  /** The possible states of its circuit. */
  states(nowMs: number): readonly CircuitState[] {
    if (this.#until === null) return ['closed'];
    if (nowMs < this.#until.leastMs) return ['open'];
    return nowMs < this.#until.mostMs ? ['open', 'half-open'] : ['half-open'];
  }

  /** Whether a member that may dial certainly goes there, unless another upstream has fewer members. */
  isFree(nowMs: number): boolean {
    if (this.#until === null) return true;
    return nowMs >= this.#until.mostMs && this.#probe === null;
  }

  /** The latest time at which it may be dialed again. */
  get freeAtMs(): number {
    return this.#until?.mostMs ?? 0;
  }

  /** An attempt goes there. Returns the fault, if that is one. */
  chosen(attempt: Attempt, nowMs: number): string | null {
    const until = this.#until;
    const probe = this.#probe;
    if (until === null) return null;
    this.#probe = attempt;
    // Whatever the random part was, it is over.
    this.#until = {
      leastMs: Math.min(until.leastMs, nowMs),
      mostMs: Math.min(until.mostMs, nowMs),
    };
    if (nowMs < until.leastMs) return `${until.leastMs - nowMs} ms too early`;
    return probe === null ? null : `attempt ${probe.number} finds out already`;
  }

  opened(): void {
    if (this.#until === null) return;
    this.#until = null;
    this.#probe = null;
    this.#failures = this.#options.failuresMax - 1;
  }

  lasted(): void {
    this.#failures = 0;
    this.#openings = 0;
  }

  ended(attempt: Attempt, says: Says, nowMs: number): void {
    const { maxMs } = this.#options;
    const isProbe = this.#probe === attempt;
    // Others that were under way when the circuit opened do not count, unless one is probing just now.
    const counts = this.#until === null || this.#probe !== null;
    if (isProbe) this.#probe = null;
    if (!counts && says.what !== 'failed') return;
    if (says.what === 'nothing') return;
    if (says.what === 'failed') this.#failed(isProbe, nowMs);
    else if (says.what === 'refused') this.#leave({ leastMs: maxMs, mostMs: maxMs }, nowMs);
    else this.#leave(says.after, nowMs);
  }

  #failed(isProbe: boolean, nowMs: number): void {
    const { failuresMax, minMs, maxMs } = this.#options;
    this.#failures += 1;
    if (this.#until === null ? this.#failures < failuresMax : !isProbe) return;
    const longestMs = Math.min(maxMs, minMs * 2 ** this.#openings);
    this.#leave({ leastMs: longestMs / 2, mostMs: longestMs }, nowMs);
    this.#openings += 1;
  }

  /** For at least that long, whatever was known before. */
  #leave({ leastMs, mostMs }: Span, nowMs: number): void {
    this.#until = { leastMs: nowMs + leastMs, mostMs: nowMs + mostMs };
    this.#probe = null;
  }
}
