import type { Page, Place } from '../../core/bus-log.ts';
import type { RecoveryCause } from '../../core/recovery.ts';
import type { InboundConnection } from '../inbound-connection.ts';
import { framesOf, onFrame } from './entry-frames.ts';
import { takePosition } from './positions.ts';

/** The topic of a follower. */
export interface FollowedTopic {
  readonly name: string;
  /** What was kept after a place. Rejects while the bus does not answer. */
  after(place: Place, limit: number): Page | Promise<Page>;
  /** The follower can be sent more. */
  ready(follower: Follower): void;
  /** The bus did not answer. */
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
 * joined, was away, or is too slow. It holds a place and no messages. Once it has caught up, it is a member like all others,
 * and the follower is dropped.
 *
 * ```
 * joins, falls behind ─▶ place ─▶ pages after the place ─▶ outbox ─▶ level with the topic
 *                                  ▲ flows again              │ congested
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
    return !this.#isReading && !this.#isOver && !this.connection.side.isCongested;
  }

  /** Whether it was told where it is, and has everything that was read for it. */
  get isSettled(): boolean {
    return this.#news === null && !this.#isReading;
  }

  /** The member has left, or is level. */
  end(): void {
    this.#isOver = true;
  }

  /** The topic begins at this place, for a member that has no other. */
  begin(top: Place): void {
    this.#place ??= top;
  }

  /** It goes on at another place, because it has missed what is before it. */
  moveTo(place: Place | null, cause: MissedCause): void {
    // It is told only once that it is new.
    if (this.#news !== 'first') this.#news = cause;
    this.#place = place;
  }

  /** Sends what it can, at most about `limit` messages. Returns how many. */
  pump(limit: number): number {
    if (!this.isWaiting || !this.connection.isOpen || !this.#isPlaced) return 0;
    const place = this.#place as Place;
    if (this.#news !== null && this.#news !== 'resumed' && !this.#tell(place)) return 0;
    const page = this.#topic.after(place, limit);
    if (!(page instanceof Promise)) return this.#take(page);
    this.#await(page, place);
    return 0;
  }

  /** Whether it is known where the member was. A Mooring client says so right after it has opened. */
  get #isPlaced(): boolean {
    if (this.#news === 'first') {
      const { positions } = this.connection.side;
      if (positions === 'awaited') return false;
      const position = takePosition(positions, this.#topic.name);
      if (position !== null) {
        this.#place = position;
        this.#news = 'resumed';
      }
    }
    return this.#place !== null;
  }

  #await(page: Promise<Page>, place: Place): void {
    this.#isReading = true;
    const settle = (run: () => void) => {
      this.#isReading = false;
      // It may have been moved meanwhile.
      if (this.#isOver || !this.connection.isOpen) return;
      if (this.#place === place) run();
      else this.#topic.ready(this);
    };
    page.then(
      (read) => settle(() => void this.#take(read)),
      () => settle(() => this.#topic.stalled(this)),
    );
  }

  #take(page: Page): number {
    if (!page.isWhole) {
      this.#topic.lost(this, page.cause);
      return 0;
    }
    if (this.#news !== null && !this.#tell(this.#place as Place)) return 0;
    let sent = 0;
    for (const entry of page.entries) {
      const { side } = this.connection;
      const { plain, headed } = framesOf(this.#topic.name, entry);
      const result = side.outbox?.publish(side.isMooring ? headed : plain) ?? 'refused';
      // It goes on when the outbox has drained.
      if (result === 'refused') return sent;
      const { log, offset, tag } = entry;
      // A copy, because the entry holds its message.
      this.#place = { log, offset, tag };
      sent += 1;
    }
    if (page.hasMore) this.#topic.ready(this);
    else this.#topic.reached(this);
    return sent;
  }

  /** Tells a Mooring client where it is. Returns `false` if there is no room for that. */
  #tell(place: Place): boolean {
    const { side } = this.connection;
    const cause = this.#news;
    if (cause !== null && side.isMooring) {
      const recovery = { topic: this.#topic.name, recovered: cause === 'resumed', cause };
      const result = side.outbox?.publish(onFrame(recovery, place)) ?? 'refused';
      if (result === 'refused') return false;
    }
    this.#news = null;
    return true;
  }
}
