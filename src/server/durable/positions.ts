import { PLACE_LENGTH_MAX, parsePlace } from '../../bus/place.ts';
import type { Place } from '../../core/bus-log.ts';

/** How many positions of one peer are kept. */
const POSITIONS_MAX = 10_000;

/** Longest name of a topic, in UTF-16 code units. */
const TOPIC_MAX = 256;

/**
 * Where a Mooring client was in durable topics. It says so in one heading or several, before it answers the first beat. A position
 * counts only for a topic that the application joins the connection to.
 */
export class Positions {
  #isAwaited = true;
  readonly #positions = new Map<string, string>();

  /** Whether the client has not answered the first beat. */
  get isAwaited(): boolean {
    return this.#isAwaited;
  }

  get size(): number {
    return this.#positions.size;
  }

  /** Takes positions that a peer has sent, which may be anything. Anything else counts as a position in another log. */
  add(given: unknown): void {
    if (!this.#isAwaited || typeof given !== 'object' || given === null || Array.isArray(given))
      return;
    for (const [topic, position] of Object.entries(given)) {
      if (this.#positions.size >= POSITIONS_MAX) return;
      if (topic.length > TOPIC_MAX) continue;
      const isLikely = typeof position === 'string' && position.length <= PLACE_LENGTH_MAX;
      this.#positions.set(topic, isLikely ? position : '');
    }
  }

  /** The client has said everything. */
  settle(): void {
    this.#isAwaited = false;
  }

  /** Takes the position in a topic out; `null` if there is none. */
  take(topic: string): Place | null {
    const position = this.#positions.get(topic);
    if (position === undefined) return null;
    this.#positions.delete(topic);
    return parsePlace(position) ?? foreign;
  }
}

/** No log has this name. */
const foreign: Place = { log: '0', offset: 0, tag: '' };
