import type { Port } from './port.ts';

const MINUTE_MS = 60_000;

/** The invalid messages of one connection since its minute began. */
interface Minute {
  readonly beganAtMs: number;
  count: number;
}

/** Kept apart from the connections: nearly all of them send no invalid message, and then cost nothing. */
const minutes = new WeakMap<Port, Minute>();

/**
 * Counts an invalid message, and ends the connection when there were more than `limits.invalidPerMinuteMax` within a
 * minute. The minute begins with an invalid message.
 *
 * @returns whether the connection may go on.
 */
export function countInvalid(port: Port, nowMs: number): boolean {
  let minute = minutes.get(port);
  if (minute === undefined || nowMs - minute.beganAtMs >= MINUTE_MS) {
    minute = { beganAtMs: nowMs, count: 0 };
    minutes.set(port, minute);
  }
  minute.count += 1;
  if (minute.count <= port.context.limits.invalidPerMinuteMax) return true;
  port.end('invalid-message');
  return false;
}
