import type { DropReason } from '../core/events.ts';
import { runAll, runEach } from '../core/guard.ts';
import type { Headed, Outgoing } from './outbound-outbox.ts';

/** A message with its payload and its measured length. */
export interface Unsent extends Required<Outgoing> {
  readonly payload: string | Uint8Array;
  /** Set if it leaves with a heading. It is then not lost with its connection, and nothing is reported when it is dropped. */
  readonly headed?: Headed | undefined;
}

/** A message that waits in the queue. */
export interface Waiting extends Unsent {
  /** In the clock's time, in milliseconds. */
  readonly expiresAtMs: number;
}

/** How many messages and bytes may wait. */
export interface QueueLimits {
  readonly queueMax: number;
  readonly queueBytesMax: number;
}

/** How many taken places are kept at the head of the list: removing them one by one would move all others each time. */
const TAKEN_MAX = 1_024;

/** Messages that wait, in order and up to two limits. Over a limit, the oldest are dropped. */
export class OfflineQueue {
  readonly #limits: QueueLimits;
  readonly #dropped: (waiting: Waiting, reason: DropReason) => void;
  /** The first {@link #taken} places are empty. */
  #waiting: (Waiting | undefined)[] = [];
  #taken = 0;
  #bytes = 0;
  /** Those with headings, which may be given up. Some may have left already. */
  readonly #headed = new WeakMap<Headed, Waiting>();
  /** No message expires earlier, so most calls of `purge` need not look at the messages. */
  #nextExpiryMs = Number.POSITIVE_INFINITY;

  constructor(limits: QueueLimits, dropped: (waiting: Waiting, reason: DropReason) => void) {
    this.#limits = limits;
    this.#dropped = dropped;
  }

  get size(): number {
    return this.#waiting.length - this.#taken;
  }

  /** Adds a message that is not larger than the queue may be. */
  push(waiting: Waiting): void {
    this.#note(waiting);
    this.#waiting.push(waiting);
    this.#bytes += waiting.bytes;
    this.#nextExpiryMs = Math.min(this.#nextExpiryMs, waiting.expiresAtMs);
    this.#dropOldest();
  }

  /** Puts back the first message, which could not be sent. */
  putBack(first: Waiting): void {
    this.#note(first);
    if (this.#taken === 0) this.#waiting.unshift(first);
    else {
      this.#taken -= 1;
      this.#waiting[this.#taken] = first;
    }
    this.#bytes += first.bytes;
    this.#nextExpiryMs = Math.min(this.#nextExpiryMs, first.expiresAtMs);
    this.#dropOldest();
  }

  #note(waiting: Waiting): void {
    if (waiting.headed !== undefined) this.#headed.set(waiting.headed, waiting);
  }

  /** Removes a message that is given up. */
  remove(headed: Headed): void {
    const removed = this.#headed.get(headed);
    const index = this.#waiting.indexOf(removed);
    if (removed === undefined || index === -1) return;
    // In place, because a signal may give up many at once.
    this.#waiting.splice(index, 1);
    this.#bytes -= removed.bytes;
  }

  #dropOldest(): void {
    runAll(
      () => (this.#isOver ? this.shift() : undefined),
      (dropped) => this.#dropped(dropped, 'queue-full'),
    );
  }

  get #isOver(): boolean {
    const { queueMax, queueBytesMax } = this.#limits;
    return this.size > queueMax || this.#bytes > queueBytesMax;
  }

  /** Drops all expired messages. Returns when the next one expires, in the clock's time. */
  purge(nowMs: number): number {
    if (nowMs < this.#nextExpiryMs) return this.#nextExpiryMs;
    const waiting = this.#all();
    const expired = waiting.filter(({ expiresAtMs }) => expiresAtMs <= nowMs);
    this.#reset(waiting.filter(({ expiresAtMs }) => expiresAtMs > nowMs));
    runEach(expired, (each) => this.#dropped(each, 'expired'));
    return this.#nextExpiryMs;
  }

  /** The first message that has not expired. */
  first(nowMs: number): Waiting | undefined {
    this.purge(nowMs);
    return this.#waiting[this.#taken];
  }

  shift(): Waiting | undefined {
    const first = this.#waiting[this.#taken];
    if (first === undefined) return undefined;
    this.#waiting[this.#taken] = undefined;
    this.#taken += 1;
    this.#bytes -= first.bytes;
    if (this.#taken > TAKEN_MAX && this.#taken * 2 > this.#waiting.length) {
      this.#waiting = this.#waiting.slice(this.#taken);
      this.#taken = 0;
    }
    return first;
  }

  clear(reason: DropReason): void {
    const waiting = this.#all();
    this.#reset([]);
    runEach(waiting, (each) => this.#dropped(each, reason));
  }

  #all(): Waiting[] {
    return this.#waiting.slice(this.#taken) as Waiting[];
  }

  #reset(waiting: Waiting[]): void {
    this.#waiting = waiting;
    this.#taken = 0;
    this.#bytes = waiting.reduce((sum, { bytes }) => sum + bytes, 0);
    this.#nextExpiryMs = waiting.reduce(
      (earliest, { expiresAtMs }) => Math.min(earliest, expiresAtMs),
      Number.POSITIVE_INFINITY,
    );
  }
}
