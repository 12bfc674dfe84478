import { type Clock, systemClock } from '../../src/core/clock.ts';

/** The system's clock with a count of its pending timers. */
export class TimerCountingClock implements Clock {
  readonly pending = new Set<object>();
  /** The highest count so far. */
  pendingMax = 0;
  now = systemClock.now;
  wallNow = systemClock.wallNow;
  afterPoll = systemClock.afterPoll;

  setTimer(delayMs: number, callback: () => void): object {
    const handle: object = systemClock.setTimer(delayMs, () => {
      this.pending.delete(handle);
      callback();
    });
    this.pending.add(handle);
    this.pendingMax = Math.max(this.pendingMax, this.pending.size);
    return handle;
  }

  clearTimer(handle: object): void {
    this.pending.delete(handle);
    systemClock.clearTimer(handle);
  }
}
