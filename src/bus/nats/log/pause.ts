import type { Clock } from '../../../core/clock.ts';
import { whenAborted } from '../../../core/guard.ts';

/** Waits. Resolves at once when the signal aborts. */
export function pause(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const timer = clock.setTimer(ms, done);
    const stopWaiting = whenAborted(signal, done);
    function done(): void {
      clock.clearTimer(timer);
      stopWaiting();
      resolve();
    }
  });
}
