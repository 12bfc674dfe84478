import { placeOf } from '../../bus/place.ts';
import type { Page, Place } from '../../core/bus-log.ts';
import { type RecoveryCause, recoveryOf } from '../../core/recovery.ts';
import type { InboundConnection } from '../inbound-connection.ts';
import { type EntryFrames, onFrame } from './entry-frames.ts';

/** How many messages are read at first, and at most. A member that takes fewer is read fewer next time. */
const FIRST_PAGE = 8;
const PAGE_MAX = 64;

/** The topic of a follower. */
export interface FollowedTopic {
  readonly name: string;
  readonly frames: EntryFrames;
  /** What was kept after a place, as far as this process holds it; `null` if it must be read. */
  held(place: Place, limit: number): Page | null;
  /** Reads what was kept after a place. Rejects if the bus does not answer. */
  read(place: Place, limit: number): Promise<Page>;
  /** The follower can be sent more. */
  ready(follower: Follower): void;
  /** The follower must read, when it is its turn. */
  unread(follower: Follower): void;
  /** The bus did not answer, or not with what must be there. */
  stalled(follower: Follower): void;
  /** The follower has got everything up to its place. */
  reached(follower: Follower): void;
  /** What comes after its place is not kept any more, or its place is void. */
  lost(follower: Follower, cause: MissedCause): void;
}

/** Why a member has missed messages for good. */
export type MissedCause = Exclude<RecoveryCause, 'resumed' | 'first'>;

/**
 * A member of a durable topic that does not get what is published, because it has to get something else before: it has just
 * joined, was away, or is too slow. It holds a place, and messages only from when they are read until its next turn. Once it has
 * caught up, it is a member like all others, and the follower is dropped.
 *
 * ```
 * joins, falls behind ─▶ place ─▶ pages after the place ─▶ outbox ─▶ level with the topic
 *                                  ▲ has space                │ is full
 *                                  └──────────────────────────┘
 * ```
 */
export class Follower {
  readonly connection: InboundConnection;
  readonly #topic: FollowedTopic;
  /** The member has everything up to here; `null` until the place is known. */
  #place: Place | null;
  /** What a Mooring client must be told before it gets anything; `null` if it was told. */
  #news: RecoveryCause | null;
  /** What was read after the place. */
  #page: Page | null = null;
  #pageMax = FIRST_PAGE;
  /** Pages in a row that had nothing. */
  #emptyPages = 0;
  #isReading = false;
  #isOver = false;

  /** @param news - `null` for a member that was told before, or cannot be told. */
  constructor(
    connection: InboundConnection,
    topic: FollowedTopic,
    place: Place | null,
    news: RecoveryCause | null,
  ) {
    this.connection = connection;
    this.#topic = topic;
    this.#place = place;
    this.#news = news;
  }

  get place(): Place | null {
    return this.#place;
  }

  /** Whether its own position is still to be judged. */
  get isResuming(): boolean {
    return this.#news === 'resumed';
  }

  /** Whether it could take something now. */
  get isWaiting(): boolean {
    return this.#isLive && !this.#isReading && !this.connection.side.isCongested;
  }

  get #isLive(): boolean {
    return !this.#isOver && this.connection.isOpen;
  }

  /** Whether it was told where it is, and has everything that was read for it. */
  get isSettled(): boolean {
    return this.#news === null && !this.#isReading;
  }

  /** Whether the bus has twice had nothing after its place, since the topic is followed. */
  get isInVain(): boolean {
    return this.#emptyPages > 1;
  }

  /** The member has left, or is level. */
  end(): void {
    this.#isOver = true;
    this.#page = null;
  }

  /** The topic begins at this place, for a member that has no other. */
  begin(top: Place): void {
    this.#place ??= top;
    this.#emptyPages = 0;
  }

  /** It goes on at another place, because it has missed what is before it. */
  moveTo(place: Place | null, cause: MissedCause): void {
    // It is told only once that it is new.
    if (this.#news !== 'first') this.#news = cause;
    this.#place = place;
    this.#page = null;
  }

  /** Sends what it can, at most about `limit` messages. Returns how many. */
  pump(limit: number): number {
    if (!this.isWaiting || !this.#isPlaced || !this.#hasSpace) {
      // What was read is read again when it can be sent.
      this.#page = null;
      return 0;
    }
    const place = this.#place as Place;
    if (this.#news !== null && this.#news !== 'resumed' && !this.#tell(place)) return 0;
    const page = this.#page ?? this.#topic.held(place, Math.min(limit, PAGE_MAX));
    this.#page = null;
    if (page !== null) return this.#take(page);
    this.#topic.unread(this);
    return 0;
  }

  /** What it sends leaves space for what the application sends. */
  get #hasSpace(): boolean {
    return this.connection.side.outbox?.hasSpace() === true;
  }

  /** Whether it is known where the member was. A Mooring client says so right after it has opened. */
  get #isPlaced(): boolean {
    const { positions } = this.connection.side;
    if (this.#news === 'first' && positions !== null) {
      if (positions.isAwaited) return false;
      const position = positions.take(this.#topic.name);
      if (position !== null) {
        this.#place = position;
        this.#news = 'resumed';
      }
    }
    return this.#place !== null;
  }

  /** Reads the next page. Does nothing if that is not needed any more. */
  async read(): Promise<void> {
    const place = this.#place;
    if (!this.isWaiting || place === null) return;
    // Another may have read it while this one waited for its turn.
    if (this.#topic.held(place, 1) !== null) {
      this.#topic.ready(this);
      return;
    }
    this.#isReading = true;
    const page = await this.#topic.read(place, this.#pageMax).catch(() => null);
    this.#isReading = false;
    if (!this.#isLive) return;
    if (page === null) this.#topic.stalled(this);
    else {
      // It may have been moved meanwhile.
      if (this.#place === place) this.#page = page;
      this.#topic.ready(this);
    }
  }

  #take(page: Page): number {
    if (!page.isWhole) {
      this.#topic.lost(this, page.cause);
      return 0;
    }
    if (this.#news !== null && !this.#tell(this.#place as Place)) return 0;
    const sent = this.#send(page.entries);
    this.#emptyPages = page.entries.length === 0 ? this.#emptyPages + 1 : 0;
    this.#pageMax = Math.min(PAGE_MAX, Math.max(1, 2 * sent), this.#pageMax * 2);
    // Otherwise, it goes on when the outbox has space.
    if (sent < page.entries.length) return sent;
    if (page.hasMore) this.#topic.ready(this);
    else this.#topic.reached(this);
    return sent;
  }

  /** Returns how many of the messages the outbox has taken. It takes them one by one, because they may be long. */
  #send(entries: (Page & { isWhole: true })['entries']): number {
    let sent = 0;
    for (const entry of entries) {
      const { outbox, isMooring } = this.connection.side;
      if (outbox === null || !outbox.hasSpace()) return sent;
      const { plain, headed } = this.#topic.frames.of(this.#topic.name, entry);
      const result = outbox.publish(isMooring ? headed : plain);
      if (result === 'refused' || this.#isOver) return sent;
      this.#place = placeOf(entry);
      sent += 1;
    }
    return sent;
  }

  /** Tells a Mooring client where it is. Returns `false` if there is no room for that. */
  #tell(place: Place): boolean {
    const { side } = this.connection;
    const cause = this.#news;
    if (cause !== null && side.isMooring) {
      const recovery = recoveryOf(this.#topic.name, cause);
      const result = side.outbox?.publish(onFrame(recovery, place)) ?? 'refused';
      if (result === 'refused') return false;
    }
    this.#news = null;
    return true;
  }
}
