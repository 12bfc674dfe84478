import { headingText } from '../core/heading.ts';
import { type Recovery, recoveryCauses, recoveryOf } from '../core/recovery.ts';
import { byteLength } from '../core/text.ts';

/** How many positions a client keeps; the oldest are forgotten. */
const POSITIONS_MAX = 2_000;

/** Longest position, in characters. Those of a Mooring server have at most 40. */
const POSITION_MAX = 64;

/**
 * Longest heading, in bytes. A server with durable topics takes messages of 1,024 bytes. Only a heading with a single topic may be
 * longer, if its name has many characters that JSON escapes.
 */
const HEADING_BYTES_MAX = 1_000;

/** What a server tells about a durable topic. */
export interface Waypoint {
  readonly topic: string;
  /** Where the client is now; `null` if it has left the topic. */
  readonly position: string | null;
  /** For a client that was joined to the topic: whether it has missed something. */
  readonly recovery?: Recovery;
}

/** Where a client is in durable topics, by their names. The positions are opaque: the server has made them. */
export class Positions {
  /** Those that have changed most recently are the last. */
  readonly #positions: Map<string, string>;

  constructor(given: Readonly<Record<string, string>> = {}) {
    this.#positions = new Map(Object.entries(given).slice(-POSITIONS_MAX));
  }

  get all(): Readonly<Record<string, string>> {
    return Object.fromEntries(this.#positions);
  }

  /** The headings that tell a server where the client was. Several, because a server may limit the length of a message. */
  get headings(): readonly string[] {
    const parts: Record<string, string>[] = [];
    const emptyBytes = headingText('from', {}).length;
    let length = HEADING_BYTES_MAX;
    for (const [topic, position] of this.#positions) {
      const added = byteLength(JSON.stringify({ [topic]: position }));
      if (length + added > HEADING_BYTES_MAX) {
        parts.push(Object.create(null));
        length = emptyBytes;
      }
      (parts.at(-1) as Record<string, string>)[topic] = position;
      length += added;
    }
    return parts.map((part) => headingText('from', part));
  }

  move({ topic, position }: Waypoint): void {
    this.#positions.delete(topic);
    if (position === null) return;
    if (this.#positions.size >= POSITIONS_MAX) this.#forgetOldest();
    this.#positions.set(topic, position);
  }

  #forgetOldest(): void {
    for (const topic of this.#positions.keys()) {
      this.#positions.delete(topic);
      return;
    }
  }
}

/** Reads the values of a heading about a topic. Returns `null` for values that no server of Mooring sends. */
export function waypointOf([
  topic,
  position,
  recovered,
  cause,
]: readonly unknown[]): Waypoint | null {
  if (typeof topic !== 'string' || typeof position !== 'string') return null;
  if (position.length > POSITION_MAX) return null;
  if (recovered === undefined) return { topic, position };
  const known = recoveryCauses.find((each) => each === cause);
  if (known === undefined || recovered !== (known === 'resumed')) return null;
  return { topic, position, recovery: recoveryOf(topic, known) };
}
