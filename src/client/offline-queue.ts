import type { FlushResult } from '../core/connection.ts';
import { runAll, runEach } from '../core/guard.ts';
import type { DropReason } from './client-types.ts';

/** A message that waits for a connection. */
export interface Waiting {
  readonly message: unknown;
  readonly payload: string | Uint8Array;
  /** In the clock's time, in milliseconds. */
  readonly expiresAtMs: number;
  readonly settle: ((result: FlushResult) => void) | undefined;
}

/** Messages in the order in which they were sent, at most so many; the oldest makes room for the newest. */
export class OfflineQueue {
  readonly #max: number;
  readonly #dropped: (waiting: Waiting, reason: DropReason) => void;
  #waiting: Waiting[] = [];
  /** No message expires earlier: most looks need not go through them. */
  #nextExpiryMs = Number.POSITIVE_INFINITY;

  constructor(max: number, dropped: (waiting: Waiting, reason: DropReason) => void) {
    this.#max = max;
    this.#dropped = dropped;
  }

  get size(): number {
    return this.#waiting.length;
  }

  push(waiting: Waiting): void {
    this.#waiting.push(waiting);
    this.#nextExpiryMs = Math.min(this.#nextExpiryMs, waiting.expiresAtMs);
    const dropped = this.#waiting.length > this.#max ? this.#waiting.shift() : undefined;
    if (dropped !== undefined) this.#reportDropped(dropped, 'queue-full');
  }

  /** Drops all that have expired; returns when it is to be looked at again, in the clock's time. */
  purge(nowMs: number): number {
    if (nowMs < this.#nextExpiryMs) return this.#nextExpiryMs;
    const expired = this.#waiting.filter(({ expiresAtMs }) => expiresAtMs <= nowMs);
    this.#waiting = this.#waiting.filter(({ expiresAtMs }) => expiresAtMs > nowMs);
    this.#nextExpiryMs = this.#waiting.reduce(
      (earliest, { expiresAtMs }) => Math.min(earliest, expiresAtMs),
      Number.POSITIVE_INFINITY,
    );
    runEach(expired, (waiting) => this.#reportDropped(waiting, 'expired'));
    return this.#nextExpiryMs;
  }

  /** The next that has not expired; it stays where it is until {@link shift}. */
  peek(nowMs: number): Waiting | undefined {
    this.purge(nowMs);
    return this.#waiting[0];
  }

  shift(): void {
    this.#waiting.shift();
  }

  /** Gives everything up. */
  clear(): void {
    this.#nextExpiryMs = Number.POSITIVE_INFINITY;
    runAll(
      () => this.#waiting.shift(),
      (dropped) => this.#reportDropped(dropped, 'stopped'),
    );
  }

  #reportDropped(waiting: Waiting, reason: DropReason): void {
    waiting.settle?.('lost');
    this.#dropped(waiting, reason);
  }
}
