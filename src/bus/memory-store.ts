import type { Entry, NewEntry, Page, Place, Retention, Stored, Tail } from '../core/bus-log.ts';
import type { Clock } from '../core/clock.ts';
import { shortName } from '../core/short-name.ts';
import { placeOf, tagOf } from './place.ts';

/** What an entry costs beside its payload, about, with the name of its topic. */
const ENTRY_BYTES = 512;

/** How long the id of a message is remembered, in milliseconds. */
const SAME_ID_MS = 120_000;

/** How many ids are remembered. Above about 1,000 messages a second, they are forgotten earlier. */
const IDS_MAX = 262_144;

/** What a {@link MemoryStore} keeps. */
export interface StoreLimits {
  readonly retention: Readonly<Retention>;
  /** For the messages of all topics together. The newest message is kept even if it is larger. */
  readonly bytesMax: number;
}

/** Hears the entries of a topic. */
type Heard = (entry: Entry) => void;

/** The entries of one topic. It exists while it has one. */
interface TopicEntries {
  readonly name: string;
  /** Oldest first. */
  readonly kept: Kept[];
  /** No entry after this number was dropped. */
  droppedUpTo: number;
}

/** An entry in the list of all entries, which are in the order of their numbers. */
interface Kept {
  readonly entry: Entry;
  readonly topic: TopicEntries;
  readonly keptAtMs: number;
  older: Kept | null;
  newer: Kept | null;
}

/**
 * The messages of durable topics in the memory of one process, for all links of a bus.
 *
 * One counter numbers the messages of all topics. Each call first drops what is too old, in whichever topic. A topic without
 * a message leaves nothing behind, because a peer may invent its name.
 */
export class MemoryStore {
  readonly #clock: Clock;
  readonly #limits: StoreLimits;
  readonly #log = shortName();
  readonly #topics = new Map<string, TopicEntries>();
  readonly #followers = new Map<string, Set<Heard>>();
  readonly #ids = new RecentIds();
  #oldest: Kept | null = null;
  #newest: Kept | null = null;
  #bytes = 0;
  /** The number of the last message. */
  #offset = 0;
  /** No entry after this number was dropped from a topic that does not exist any more. */
  #goneUpTo = 0;

  constructor(clock: Clock, limits: StoreLimits) {
    this.#clock = clock;
    this.#limits = limits;
  }

  get retention(): Readonly<Retention> {
    return this.#limits.retention;
  }

  /** How many topics have a message. */
  get topicsKept(): number {
    this.#dropOld();
    return this.#topics.size;
  }

  append(topic: string, { id, payload, isBinary }: NewEntry): Stored {
    this.#dropOld();
    const nowMs = this.#clock.now();
    const first = this.#ids.placeOf(topic, id, nowMs);
    if (first !== undefined) return { place: first, isDuplicate: true };
    this.#offset += 1;
    const place: Place = { log: this.#log, offset: this.#offset, tag: tagOf(id) };
    this.#ids.add(topic, id, { place, atMs: nowMs });
    const prev = this.#topics.get(topic)?.kept.at(-1)?.entry.offset ?? 0;
    const entry: Entry = { ...place, prev, payload, isBinary };
    this.#keep(topic, entry, nowMs);
    for (const heard of this.#followers.get(topic) ?? []) heard(entry);
    return { place, isDuplicate: false };
  }

  /** Hears entries within the call that keeps them. Returns a function that ends it. */
  follow(topic: string, heard: Heard): () => void {
    const followers = this.#followers.get(topic) ?? new Set();
    this.#followers.set(topic, followers.add(heard));
    return () => {
      followers.delete(heard);
      if (followers.size === 0 && this.#followers.get(topic) === followers)
        this.#followers.delete(topic);
    };
  }

  tail(topic: string): Tail {
    this.#dropOld();
    const newest = this.#topics.get(topic)?.kept.at(-1)?.entry;
    return {
      newest: newest ? placeOf(newest) : null,
      upTo: { log: this.#log, offset: this.#offset, tag: '' },
    };
  }

  read(topic: string, after: Place, limit: number): Page {
    this.#dropOld();
    const { kept, droppedUpTo } = this.#topics.get(topic) ?? {
      kept: [],
      droppedUpTo: this.#goneUpTo,
    };
    const first = firstAfter(kept, after.offset);
    if (after.log !== this.#log || after.offset > this.#offset) return reset;
    if (after.offset < droppedUpTo) return expired;
    // The message at the place may have been dropped, if it is the last that was.
    const isDropped = after.offset === droppedUpTo && after.offset > 0;
    const at = kept[first - 1]?.entry;
    const isKnown = at?.offset === after.offset ? at.tag === after.tag : isDropped;
    if (after.tag !== '' && !isKnown) return reset;
    const entries = kept.slice(first, first + limit).map(({ entry }) => entry);
    return { isWhole: true, entries, hasMore: first + limit < kept.length };
  }

  #keep(name: string, entry: Entry, keptAtMs: number): void {
    const topic = this.#topics.get(name) ?? { name, kept: [], droppedUpTo: this.#goneUpTo };
    this.#topics.set(name, topic);
    const kept: Kept = { entry, topic, keptAtMs, older: this.#newest, newer: null };
    topic.kept.push(kept);
    if (this.#newest === null) this.#oldest = kept;
    else this.#newest.newer = kept;
    this.#newest = kept;
    this.#bytes += bytesOf(entry);
    if (topic.kept.length > this.retention.messagesPerTopic) this.#drop(topic);
    while (this.#bytes > this.#limits.bytesMax && this.#oldest !== kept) this.#dropOldest();
  }

  #dropOld(): void {
    const untilMs = this.#clock.now() - this.retention.forMs;
    while (this.#oldest !== null && this.#oldest.keptAtMs < untilMs) this.#dropOldest();
  }

  /** The oldest of all is the oldest of its topic. */
  #dropOldest(): void {
    if (this.#oldest !== null) this.#drop(this.#oldest.topic);
  }

  /** Drops the oldest entry of a topic. */
  #drop(topic: TopicEntries): void {
    const kept = topic.kept.shift();
    if (kept === undefined) return;
    const { entry, older, newer } = kept;
    if (older === null) this.#oldest = newer;
    else older.newer = newer;
    if (newer === null) this.#newest = older;
    else newer.older = older;
    this.#bytes -= bytesOf(entry);
    topic.droppedUpTo = entry.offset;
    if (topic.kept.length > 0) return;
    this.#topics.delete(topic.name);
    this.#goneUpTo = Math.max(this.#goneUpTo, entry.offset);
  }
}

const expired: Page = { isWhole: false, cause: 'expired' };
const reset: Page = { isWhole: false, cause: 'reset' };

function bytesOf({ payload }: Entry): number {
  return payload.length + ENTRY_BYTES;
}

/** The index of the first entry after a number. */
function firstAfter(kept: readonly Kept[], offset: number): number {
  let low = 0;
  let high = kept.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((kept[middle] as Kept).entry.offset > offset) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** The first message that had an id. */
interface First {
  readonly place: Place;
  readonly atMs: number;
}

/** The ids of the last two minutes in each topic. */
class RecentIds {
  /** By topic and id, in two generations: when the younger is full or old, it replaces the older. */
  #younger = new Map<string, First>();
  #older = new Map<string, First>();
  #youngerSinceMs = 0;

  placeOf(topic: string, id: string, nowMs: number): Place | undefined {
    const key = keyOf(topic, id);
    const first = this.#younger.get(key) ?? this.#older.get(key);
    return first !== undefined && nowMs - first.atMs <= SAME_ID_MS ? first.place : undefined;
  }

  add(topic: string, id: string, first: First): void {
    const isOld = first.atMs - this.#youngerSinceMs > SAME_ID_MS;
    if (isOld || this.#younger.size >= IDS_MAX / 2) {
      this.#older = this.#younger;
      this.#younger = new Map();
      this.#youngerSinceMs = first.atMs;
    }
    this.#younger.set(keyOf(topic, id), first);
  }
}

/** An id has no line break, so the last one separates it from the topic. */
function keyOf(topic: string, id: string): string {
  return `${topic}\n${id}`;
}
