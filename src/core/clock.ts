import { hasMethods } from './methods.ts';

/** A pending timer of a {@link Clock}. Opaque; pass it to `clearTimer`. */
export type TimerHandle = object;

/**
 * A source of time and timers.
 *
 * Mooring waits and reads the time only through a clock, so a test with a virtual clock runs thousands of connections without
 * waiting. The timers of a clock must not keep the process alive.
 */
export interface Clock {
  /** Monotonic time in milliseconds; only differences mean anything. */
  now(): number;
  /** Wall time in milliseconds since 1970, for timestamps that people read. */
  wallNow(): number;
  /** Calls `callback` once, at least `delayMs` from now. */
  setTimer(delayMs: number, callback: () => void): TimerHandle;
  /** Cancels a timer. Does nothing if the timer has fired. */
  clearTimer(handle: TimerHandle): void;
  /** Calls `callback` after the event loop has polled all waiting input once. */
  afterPoll(callback: () => void): void;
}

const clockMethods = ['now', 'wallNow', 'setTimer', 'clearTimer', 'afterPoll'];

/** The problem of a value that is not a clock. */
export const mustBeClock = 'must be a clock with now, wallNow, setTimer, clearTimer, afterPoll';

/** Whether a value can be a clock. */
export function isClock(value: unknown): value is Clock {
  return hasMethods(value, clockMethods);
}

/** The clock of the running process. */
export const systemClock: Clock = {
  now: () => performance.now(),
  wallNow: () => Date.now(),
  setTimer: (delayMs, callback) => setTimeout(callback, delayMs).unref(),
  clearTimer: (handle) => clearTimeout(handle as NodeJS.Timeout),
  // Not `unref`ed: an unreferenced immediate does not wake a loop that sleeps in its poll phase.
  afterPoll: (callback) => void setImmediate(callback),
};

/** The clock of a page, which has neither immediates nor a process to keep alive. */
export const pageClock: Clock = {
  now: () => performance.now(),
  wallNow: () => Date.now(),
  setTimer: (delayMs, callback) => ({ id: setTimeout(callback, delayMs) }),
  clearTimer: (handle) => clearTimeout((handle as { id: NodeJS.Timeout }).id),
  // A new task runs after everything that the page has received so far.
  afterPoll: (callback) => void setTimeout(callback, 0),
};

/** The longest delay of a native timer. */
const HOLD_MS = 2_147_483_647;

/** Keeps the process alive until the returned function is called. */
export function holdProcess(): () => void {
  const timer = setInterval(() => {}, HOLD_MS);
  return () => clearInterval(timer);
}

/** Parses a date of HTTP or of RFC 3339 into milliseconds since 1970; `NaN` if the text is not a date. */
export function wallTimeOf(text: string): number {
  return Date.parse(text);
}
