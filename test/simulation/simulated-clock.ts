import type { TimerHandle } from '../../src/core/clock.ts';
import { VirtualClock } from '../../src/testing/virtual-clock.ts';

/**
 * The event loop of a simulated process.
 *
 * What arrives from the network keeps its own time: after a stall it was in the kernel long before, so it is
 * read before anything that waits for the poll phase, as in a real loop.
 */
export class SimulatedClock extends VirtualClock {
  /** How late the timers of the code under test are, in milliseconds. */
  timerLatenessMs: () => number = () => 0;
  /** How long the loop did not run, all stalls and late timers taken together, in milliseconds. */
  lostMs = 0;

  #isStuck = false;

  override setTimer(delayMs: number, callback: () => void): TimerHandle {
    const latenessMs = this.timerLatenessMs();
    this.lostMs += latenessMs;
    return super.setTimer(delayMs + latenessMs, callback);
  }

  override afterPoll(callback: () => void): void {
    super.setTimer(0, callback);
  }

  /** Calls `callback` when the code that runs now is done, before anything else; as `process.nextTick`. */
  soon(callback: () => void): void {
    super.afterPoll(callback);
  }

  /** Something reaches this process from outside at `dueMs`, which may have passed while the loop was stuck. */
  arriveAt(dueMs: number, callback: () => void): TimerHandle {
    return super.setTimer(dueMs - this.now(), callback);
  }

  /** Something of the system takes `delayMs`, for ever when that is infinite. */
  lateBy(delayMs: number, callback: () => void): void {
    if (Number.isFinite(delayMs)) super.setTimer(delayMs, callback);
  }

  /** Lets time pass while the loop is stuck; what became due meanwhile is left to the next steps. */
  override stall(durationMs: number): void {
    this.lostMs += durationMs;
    this.#isStuck = true;
    super.stall(durationMs);
    this.#isStuck = false;
  }

  override advance(durationMs: number): void {
    if (!this.#isStuck) super.advance(durationMs);
  }
}
