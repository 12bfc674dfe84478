import { type Rate, TokenBucket } from '../core/token-bucket.ts';

/**
 * How often each address comes.
 *
 * A bucket that nobody took from while it could have filled up is full, and a full one is the same as none: so
 * buckets are kept in two generations, and the older one is dropped each time they could have filled up. Memory is bounded by
 * how many addresses come in twice that time.
 */
export class AddressRates {
  readonly #rate: Rate;
  readonly #fillMs: number;
  #recent = new Map<string, TokenBucket>();
  #older = new Map<string, TokenBucket>();
  #turnedAtMs: number;

  constructor(rate: Rate, nowMs: number) {
    this.#rate = rate;
    this.#fillMs = (1_000 * rate.burst) / rate.perSecond;
    this.#turnedAtMs = nowMs;
  }

  /** How many addresses are remembered. */
  get size(): number {
    return this.#recent.size + this.#older.size;
  }

  /** Takes one token of this address; `false` when none is left. */
  take(address: string, nowMs: number): boolean {
    if (nowMs - this.#turnedAtMs >= this.#fillMs) this.#turn(nowMs);
    const bucket = this.#recent.get(address) ?? this.#revived(address, nowMs);
    return bucket.take(nowMs);
  }

  #turn(nowMs: number): void {
    this.#older = this.#recent;
    this.#recent = new Map();
    this.#turnedAtMs = nowMs;
  }

  #revived(address: string, nowMs: number): TokenBucket {
    const bucket = this.#older.get(address) ?? new TokenBucket(this.#rate, nowMs);
    this.#older.delete(address);
    this.#recent.set(address, bucket);
    return bucket;
  }
}
