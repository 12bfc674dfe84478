import type { Clock, TimerHandle } from '../../src/core/clock.ts';

interface VirtualTimer {
  readonly dueMs: number;
  readonly callback: () => void;
}

/** Wall time at the beginning of virtual time, in milliseconds since 1970. */
const EPOCH_MS = 1_700_000_000_000;

/**
 * Time that stands still until a test moves it.
 *
 * Timers fire in the order in which they are due, each at its own moment, and what was put off until after
 * the poll phase runs right behind the timer that put it off.
 */
export class VirtualClock implements Clock {
  /** How late the next timer is; a busy event loop is late, an idle one is not. */
  latenessMs: () => number = () => 0;
  /** How many timers were ever set. */
  timersSet = 0;

  readonly #timers = new Set<VirtualTimer>();
  #polls: (() => void)[] = [];
  #nowMs = 0;

  /** Timers that are set and have neither fired nor been cleared. */
  get timersPending(): number {
    return this.#timers.size;
  }

  now(): number {
    return this.#nowMs;
  }

  wallNow(): number {
    return EPOCH_MS + this.#nowMs;
  }

  setTimer(delayMs: number, callback: () => void): TimerHandle {
    const timer = { dueMs: this.#nowMs + delayMs + this.latenessMs(), callback };
    this.timersSet += 1;
    this.#timers.add(timer);
    return timer;
  }

  clearTimer(handle: TimerHandle): void {
    this.#timers.delete(handle as VirtualTimer);
  }

  afterPoll(callback: () => void): void {
    this.#polls.push(callback);
  }

  /** Lets `durationMs` pass in an event loop that is alive. */
  advance(durationMs: number): void {
    const untilMs = this.#nowMs + durationMs;
    this.#runPolls();
    for (let timer = this.#due(untilMs); timer !== undefined; timer = this.#due(untilMs)) {
      this.#timers.delete(timer);
      this.#nowMs = Math.max(this.#nowMs, timer.dueMs);
      timer.callback();
      this.#runPolls();
    }
    this.#nowMs = untilMs;
  }

  /** Lets `durationMs` pass while the event loop is stuck: what became due meanwhile fires afterwards. */
  stall(durationMs: number): void {
    this.#nowMs += durationMs;
    this.advance(0);
  }

  #due(untilMs: number): VirtualTimer | undefined {
    let first: VirtualTimer | undefined;
    for (const timer of this.#timers) {
      if (timer.dueMs <= untilMs && (first === undefined || timer.dueMs < first.dueMs)) {
        first = timer;
      }
    }
    return first;
  }

  #runPolls(): void {
    while (this.#polls.length > 0) {
      const polls = this.#polls;
      this.#polls = [];
      for (const poll of polls) poll();
    }
  }
}
