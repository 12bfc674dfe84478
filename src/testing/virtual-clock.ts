import type { Clock, TimerHandle } from '../core/clock.ts';
import { runEach } from '../core/guard.ts';

interface VirtualTimer {
  readonly dueMs: number;
  /** Decides between timers that are due at the same moment. */
  readonly rank: number;
  readonly callback: () => void;
  isPending: boolean;
}

/** Wall time at the beginning of virtual time, in milliseconds since 1970. */
const EPOCH_MS = 1_700_000_000_000;

/**
 * Time that stands still until a test moves it.
 *
 * Timers fire in the order in which they are due, each at its own time. Callbacks of `afterPoll` run directly after the
 * timer that added them.
 */
export class VirtualClock implements Clock {
  /** How late the next timer is, in milliseconds. A busy event loop is late, an idle one is not. */
  latenessMs: () => number = () => 0;
  /** How many timers have been set so far. */
  timersSet = 0;

  readonly #heap: VirtualTimer[] = [];
  readonly #random: (() => number) | undefined;
  #polls: (() => void)[] = [];
  #pending = 0;
  #nowMs = 0;
  #wallOffsetMs = 0;

  /** @param random - decides which of two timers that are due at the same time fires first. @default the one set first */
  constructor(random?: () => number) {
    this.#random = random;
  }

  /** How many timers are pending. */
  get timersPending(): number {
    return this.#pending;
  }

  now(): number {
    return this.#nowMs;
  }

  wallNow(): number {
    return EPOCH_MS + this.#wallOffsetMs + this.#nowMs;
  }

  setTimer(delayMs: number, callback: () => void): TimerHandle {
    const dueMs = this.#nowMs + delayMs + this.latenessMs();
    this.timersSet += 1;
    this.#pending += 1;
    const timer = { dueMs, rank: this.#random?.() ?? this.timersSet, callback, isPending: true };
    push(this.#heap, timer);
    return timer;
  }

  clearTimer(handle: TimerHandle): void {
    const timer = handle as VirtualTimer;
    if (!timer.isPending) return;
    timer.isPending = false;
    this.#pending -= 1;
  }

  afterPoll(callback: () => void): void {
    this.#polls.push(callback);
  }

  /** Lets `durationMs` pass in a live event loop. */
  advance(durationMs: number): void {
    const untilMs = this.#nowMs + durationMs;
    while (this.step(untilMs));
  }

  /**
   * Lets time pass until one timer has fired, but not beyond `untilMs`. Returns whether a timer has fired.
   *
   * Between two steps, a test can check everything.
   */
  step(untilMs: number): boolean {
    this.#runPolls();
    const timer = this.#due(untilMs);
    if (timer === undefined) {
      this.#nowMs = Math.max(this.#nowMs, untilMs);
      return false;
    }
    this.clearTimer(timer);
    this.#nowMs = Math.max(this.#nowMs, timer.dueMs);
    timer.callback();
    this.#runPolls();
    return true;
  }

  /** Lets `durationMs` pass while the event loop is blocked. Timers that became due fire afterwards. */
  stall(durationMs: number): void {
    this.#nowMs += durationMs;
    this.advance(0);
  }

  /** Sets the wall clock forward or back, as an operator or a time server does. Timers are not affected. */
  setWall(byMs: number): void {
    this.#wallOffsetMs += byMs;
  }

  /** Takes the first due timer out of the heap. */
  #due(untilMs: number): VirtualTimer | undefined {
    for (let first = this.#heap[0]; first !== undefined; first = this.#heap[0]) {
      if (first.isPending && first.dueMs > untilMs) return undefined;
      pop(this.#heap);
      if (first.isPending) return first;
    }
    return undefined;
  }

  #runPolls(): void {
    while (this.#polls.length > 0) {
      const polls = this.#polls;
      this.#polls = [];
      runEach(polls, (poll) => poll());
    }
  }
}

// A binary heap, because with many timers a test would spend most of its time on sorting.

function isBefore(one: VirtualTimer, other: VirtualTimer): boolean {
  return one.dueMs === other.dueMs ? one.rank < other.rank : one.dueMs < other.dueMs;
}

function push(heap: VirtualTimer[], timer: VirtualTimer): void {
  let index = heap.push(timer) - 1;
  while (index > 0) {
    const above = (index - 1) >> 1;
    const parent = heap[above] as VirtualTimer;
    if (!isBefore(timer, parent)) break;
    heap[index] = parent;
    index = above;
  }
  heap[index] = timer;
}

function pop(heap: VirtualTimer[]): void {
  const last = heap.pop();
  if (last === undefined || heap.length === 0) return;
  let index = 0;
  for (let below = earlierChild(heap, 0); below !== -1; below = earlierChild(heap, index)) {
    const child = heap[below] as VirtualTimer;
    if (!isBefore(child, last)) break;
    heap[index] = child;
    index = below;
  }
  heap[index] = last;
}

function earlierChild(heap: readonly VirtualTimer[], index: number): number {
  const left = heap[2 * index + 1];
  const right = heap[2 * index + 2];
  if (left === undefined) return -1;
  return right !== undefined && isBefore(right, left) ? 2 * index + 2 : 2 * index + 1;
}
