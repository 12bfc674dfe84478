import type { ConnectionFact } from '../../machines/connection-contract.ts';

/** A fact of a connection, with the time at which the chart took it. */
export interface TrailFact {
  /** A fact of the connection chart, for example `heartbeat.missed`. */
  readonly fact: ConnectionFact['type'];
  /** Wall time, in milliseconds since 1970. */
  readonly atMs: number;
}

/** The last facts of a connection, oldest first. */
export type Trail = readonly TrailFact[];

/**
 * Writes a trail as one line. Times count back from the last fact, in seconds. An empty trail gives an empty string.
 *
 * @example
 * ```ts
 * trailText(verdict.trail); // '-5.124s heartbeat.missed, -0.024s heartbeat.lost, 0s websocket.closed'
 * ```
 */
export function trailText(trail: Trail): string {
  const endedAtMs = trail.at(-1)?.atMs ?? 0;
  return trail.map(({ fact, atMs }) => `${(atMs - endedAtMs) / 1_000}s ${fact}`).join(', ');
}
