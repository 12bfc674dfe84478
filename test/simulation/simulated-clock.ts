import type { TimerHandle } from '../../src/core/clock.ts';
import { VirtualClock } from '../../src/testing/virtual-clock.ts';

/**
 * The event loop of a simulated process.
 *
 * Input from the network has its own time: after a stall it has long been in the kernel, so it is read
 * before anything that waits for the poll phase, as in a real loop.
 */
export class SimulatedClock extends VirtualClock {
  /** How late the timers of the code under test are, in milliseconds. */
  timerLatenessMs: () => number = () => 0;
  /** How long the loop did not run, all stalls and late timers together, in milliseconds. */
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

  /** Calls `callback` after the current code and before anything else, like `process.nextTick`. */
  soon(callback: () => void): void {
    super.afterPoll(callback);
  }

  /** Input reaches this process from outside at `dueMs`, which may have passed while the loop was stuck. */
  arriveAt(dueMs: number, callback: () => void): TimerHandle {
    return super.setTimer(dueMs - this.now(), callback);
  }

  /** An operation of the system takes `delayMs`, or never completes if that is infinite. */
  lateBy(delayMs: number, callback: () => void): void {
    if (Number.isFinite(delayMs)) super.setTimer(delayMs, callback);
  }

  /** Advances time while the loop is stuck. What became due meanwhile is left to the next steps. */
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
