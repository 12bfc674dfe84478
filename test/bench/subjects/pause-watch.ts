import { type IntervalHistogram, monitorEventLoopDelay } from 'node:perf_hooks';
import type { ServerOrders } from '../orders.ts';

/** A timer of libuv, which wakes the process a hundred times a second: some microseconds for each look. */
const LOOK_MS = 10;
const NANOSECONDS_PER_MS = 1_000_000;

/** What a server in Node.js is asked about the pauses of its event loop while it is measured otherwise. */
export function pauseOrders(): Pick<ServerOrders, 'watchPauses' | 'watchedPauseMs'> {
  let watch: IntervalHistogram | null = null;
  return {
    watchPauses() {
      watch = monitorEventLoopDelay({ resolution: LOOK_MS });
      watch.enable();
    },
    watchedPauseMs() {
      watch?.disable();
      // What is recorded is the time from look to look.
      return (watch?.max ?? Number.NaN) / NANOSECONDS_PER_MS - LOOK_MS;
    },
  };
}
