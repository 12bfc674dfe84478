import { parsePlace } from '../../bus/place.ts';
import type { Place } from '../../core/bus-log.ts';

/** How many positions of one peer are kept. */
export const POSITIONS_MAX = 10_000;

/**
 * Where a Mooring client was in durable topics, by their names. `awaited` until it has answered the first beat, and `null` if it
 * was nowhere. A position counts only for a topic that the application joins the connection to.
 */
export type Positions = 'awaited' | Map<string, unknown> | null;

/** Reads the positions that a peer has sent, which may be anything. */
export function readPositions(given: unknown): Positions {
  if (typeof given !== 'object' || given === null || Array.isArray(given)) return null;
  return new Map(Object.entries(given).slice(0, POSITIONS_MAX));
}

/** Takes the position in a topic out of those of a peer. A position that is not well-formed is one in another log. */
export function takePosition(positions: Positions, topic: string): Place | null {
  if (positions === null || positions === 'awaited' || !positions.has(topic)) return null;
  const position = positions.get(topic);
  positions.delete(topic);
  return (typeof position === 'string' ? parsePlace(position) : null) ?? foreign;
}

/** No log has this name. */
const foreign: Place = { log: '0', offset: 0, tag: '' };
