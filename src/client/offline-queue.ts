import type { FlushResult } from '../core/connection.ts';
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
  readonly #waiting: Waiting[] = [];

  constructor(max: number, dropped: (waiting: Waiting, reason: DropReason) => void) {
    this.#max = max;
    this.#dropped = dropped;
  }

  get size(): number {
    return this.#waiting.length;
  }

  push(waiting: Waiting): void {
    this.#waiting.push(waiting);
    if (this.#waiting.length > this.#max) this.#drop('queue-full');
  }

  /** Drops all that have expired; returns when the next one will, in the clock's time. */
  purge(nowMs: number): number {
    const expired = this.#waiting.filter(({ expiresAtMs }) => expiresAtMs <= nowMs);
    if (expired.length > 0) {
      const left = this.#waiting.filter(({ expiresAtMs }) => expiresAtMs > nowMs);
      this.#waiting.splice(0, this.#waiting.length, ...left);
      for (const waiting of expired) this.#tell(waiting, 'expired');
    }
    return Math.min(
      Number.POSITIVE_INFINITY,
      ...this.#waiting.map(({ expiresAtMs }) => expiresAtMs),
    );
  }

  /** The next that has not expired; it stays where it is until {@link shift}. */
  peek(nowMs: number): Waiting | undefined {
    for (;;) {
      const first = this.#waiting[0];
      if (first === undefined || first.expiresAtMs > nowMs) return first;
      this.#drop('expired');
    }
  }

  shift(): void {
    this.#waiting.shift();
  }

  /** Gives everything up. */
  clear(): void {
    while (this.#waiting.length > 0) this.#drop('stopped');
  }

  #drop(reason: DropReason): void {
    const dropped = this.#waiting.shift();
    if (dropped !== undefined) this.#tell(dropped, reason);
  }

  #tell(waiting: Waiting, reason: DropReason): void {
    waiting.settle?.('lost');
    this.#dropped(waiting, reason);
  }
}
