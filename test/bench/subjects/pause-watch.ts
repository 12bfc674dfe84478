import { type IntervalHistogram, monitorEventLoopDelay } from 'node:perf_hooks';
import type { ServerOrders } from '../orders.ts';

/** A timer of libuv, which wakes the process a hundred times a second: some microseconds for each check. */
const LOOK_MS = 10;
const NANOSECONDS_PER_MS = 1_000_000;

/** The orders about pauses of the event loop, for a server in Node.js during other measurements. */
export function pauseOrders(): Pick<ServerOrders, 'watchPauses' | 'watchedPauseMs'> {
  let watch: IntervalHistogram | null = null;
  return {
    watchPauses() {
      watch = monitorEventLoopDelay({ resolution: LOOK_MS });
      watch.enable();
    },
    watchedPauseMs() {
      watch?.disable();
      // It records the time between two checks.
      return (watch?.max ?? Number.NaN) / NANOSECONDS_PER_MS - LOOK_MS;
    },
  };
}
