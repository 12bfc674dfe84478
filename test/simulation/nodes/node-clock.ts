import type { Clock, TimerHandle } from '../../../src/core/clock.ts';
import type { SimulatedClock } from '../simulated-clock.ts';

interface NodeTimer {
  readonly handle: TimerHandle;
  isPending: boolean;
}

/** The clock of one simulated process: the time of the world, with a wall clock of its own, until the process dies. */
export class NodeClock implements Clock {
  /** How many timers are pending. */
  pending = 0;
  isDead = false;
  readonly #clock: SimulatedClock;
  readonly #wallAheadMs: number;

  constructor(clock: SimulatedClock, wallAheadMs: number) {
    this.#clock = clock;
    this.#wallAheadMs = wallAheadMs;
  }

  now(): number {
    return this.#clock.now();
  }

  wallNow(): number {
    return this.#clock.wallNow() + this.#wallAheadMs;
  }

  setTimer(delayMs: number, callback: () => void): TimerHandle {
    this.pending += 1;
    const timer: NodeTimer = {
      isPending: true,
      handle: this.#clock.setTimer(delayMs, () => {
        this.#settle(timer);
        if (!this.isDead) callback();
      }),
    };
    return timer;
  }

  clearTimer(handle: TimerHandle): void {
    const timer = handle as NodeTimer;
    this.#clock.clearTimer(timer.handle);
    this.#settle(timer);
  }

  afterPoll(callback: () => void): void {
    this.#clock.afterPoll(() => {
      if (!this.isDead) callback();
    });
  }

  #settle(timer: NodeTimer): void {
    if (timer.isPending) this.pending -= 1;
    timer.isPending = false;
  }
}
