import type { Stream } from '../orders.ts';
import type { Subject } from './subject.ts';

/** Digits of a stamp: microseconds of the clock that all processes of a machine share. */
export const STAMP_DIGITS = 16;

/** The current time in microseconds, the same in every process. */
export function nowMicros(): number {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1_000_000 + nanoseconds / 1_000;
}

/** Publishes message after message, tick after tick. */
export async function publishing(
  stream: Stream,
  text: string,
  { publish, writeBare }: Pick<Subject, 'publish' | 'writeBare'>,
): Promise<void> {
  const { perTick, ticks, pauseMs, everyMs = 0, isStamped = false, isBare = false } = stream;
  const textOf = isStamped ? () => stamped(text) : () => text;
  if (isBare && writeBare === undefined) throw new Error('this subject has no bare sockets');
  let dueAt = performance.now();
  for (let tick = 0; tick < ticks; tick += 1) {
    if (isBare) writeBare?.(text, perTick);
    else for (let count = 0; count < perTick; count += 1) publish(textOf());
    dueAt += everyMs;
    const waitMs = Math.max(pauseMs, dueAt - performance.now());
    await new Promise((resolve) => setTimeout(resolve, waitMs));
  }
}

function stamped(text: string): string {
  const stamp = String(Math.floor(nowMicros())).padStart(STAMP_DIGITS, '0');
  return stamp + text.slice(STAMP_DIGITS);
}
