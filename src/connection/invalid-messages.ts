import type { ManagedConnection } from './managed-connection.ts';

const MINUTE_MS = 60_000;

/** The invalid messages of one connection since its minute began. */
interface Minute {
  readonly beganAtMs: number;
  count: number;
}

/** Kept apart from the connections: nearly all of them send no invalid message, and then cost nothing. */
const minutes = new WeakMap<ManagedConnection, Minute>();

/**
 * Counts an invalid message, and ends the connection when there were more than `limits.invalidPerMinuteMax` within a
 * minute. The minute begins with an invalid message.
 *
 * @returns whether the connection may go on.
 */
export function countInvalid(connection: ManagedConnection, nowMs: number): boolean {
  let minute = minutes.get(connection);
  if (minute === undefined || nowMs - minute.beganAtMs >= MINUTE_MS) {
    minute = { beganAtMs: nowMs, count: 0 };
    minutes.set(connection, minute);
  }
  minute.count += 1;
  if (minute.count <= connection.context.limits.invalidPerMinuteMax) return true;
  connection.end('invalid-message');
  return false;
}
