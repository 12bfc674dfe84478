import type { Entry, Place } from '../core/bus-log.ts';
import { placeOf } from './place.ts';

/** What one ring may hold, unless it is given another number of entries. */
const ENTRIES_MAX = 256;
const BYTES_MAX = 1_048_576;

/** What all rings of a process may hold. */
const PROCESS_BYTES_MAX = 67_108_864;

/** What an entry costs beside its payload, about. */
const ENTRY_BYTES = 256;

/**
 * Bounds the bytes of all rings of a process together. Above the bound, the topics that have been quiet for longest lose their
 * oldest entries first.
 */
export class RingBudget {
  readonly #bytesMax: number;
  #bytes = 0;
  #quietest: Ring | null = null;
  #loudest: Ring | null = null;

  constructor(bytesMax: number = PROCESS_BYTES_MAX) {
    this.#bytesMax = bytesMax;
  }

  /** The bytes of all rings. */
  get bytes(): number {
    return this.#bytes;
  }

  /** @internal A ring has taken or dropped an entry. */
  count(bytes: number): void {
    this.#bytes += bytes;
  }

  /** @internal A ring has taken an entry, so it is the last to be trimmed. */
  pushed(ring: Ring): void {
    if (this.#loudest !== ring) {
      this.remove(ring);
      ring.quieter = this.#loudest;
      if (this.#loudest === null) this.#quietest = ring;
      else this.#loudest.louder = ring;
      this.#loudest = ring;
    }
    while (this.#bytes > this.#bytesMax && this.#quietest !== null) this.#quietest.dropOldest();
  }

  /** @internal A ring is empty. */
  remove(ring: Ring): void {
    const { quieter, louder } = ring;
    if (quieter !== null) quieter.louder = louder;
    else if (this.#quietest === ring) this.#quietest = louder;
    if (louder !== null) louder.quieter = quieter;
    else if (this.#loudest === ring) this.#loudest = quieter;
    ring.quieter = null;
    ring.louder = null;
  }
}

/** Entries of one topic without a gap: everything after its floor, up to the newest. */
export class Ring {
  /** @internal The neighbours in the list of the budget. */
  quieter: Ring | null = null;
  /** @internal */
  louder: Ring | null = null;
  readonly #budget: RingBudget;
  readonly #entriesMax: number;
  readonly #entries: Entry[] = [];
  #bytes = 0;
  /** The place before the oldest entry. */
  #floor: Place;

  constructor(budget: RingBudget, floor: Place, entriesMax: number = ENTRIES_MAX) {
    this.#budget = budget;
    this.#floor = floor;
    this.#entriesMax = entriesMax;
  }

  get floor(): Place {
    return this.#floor;
  }

  /** The newest entry, or the floor. */
  get newest(): Place {
    return this.#entries.at(-1) ?? this.#floor;
  }

  get size(): number {
    return this.#entries.length;
  }

  push(entry: Entry): void {
    this.#entries.push(entry);
    this.#count(bytesOf(entry));
    while (this.#entries.length > this.#entriesMax || this.#bytes > BYTES_MAX) this.dropOldest();
    if (this.#entries.length > 0) this.#budget.pushed(this);
  }

  /** Drops the oldest entry. */
  dropOldest(): void {
    const entry = this.#entries.shift();
    if (entry === undefined) return;
    this.#floor = placeOf(entry);
    this.#count(-bytesOf(entry));
    if (this.#entries.length === 0) this.#budget.remove(this);
  }

  /** Drops all entries. */
  clear(): void {
    while (this.#entries.length > 0) this.dropOldest();
  }

  /** The entry with this number, or the floor if it has it; `undefined` if neither does. */
  at(offset: number): Place | undefined {
    if (offset === this.#floor.offset) return this.#floor;
    const entry = this.#entries[this.#firstAfter(offset) - 1];
    return entry?.offset === offset ? entry : undefined;
  }

  /** At most `limit` entries after a number that is not below the floor, oldest first, and whether there are more. */
  after(offset: number, limit: number): { entries: readonly Entry[]; hasMore: boolean } {
    const first = this.#firstAfter(offset);
    const entries = this.#entries.slice(first, first + limit);
    return { entries, hasMore: first + limit < this.#entries.length };
  }

  #firstAfter(offset: number): number {
    let low = 0;
    let high = this.#entries.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#entries[middle] as Entry).offset > offset) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  #count(bytes: number): void {
    this.#bytes += bytes;
    this.#budget.count(bytes);
  }
}

function bytesOf({ payload }: Entry): number {
  return payload.length + ENTRY_BYTES;
}
