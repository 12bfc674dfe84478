import type { Entry, Page, Place, Tail } from '../core/bus-log.ts';
import { placeOf } from './place.ts';
import { Ring, type RingBudget } from './ring.ts';
import { WaitingEntries } from './waiting-entries.ts';

/** What an entry was to a {@link GaplessRun}. */
export type Heard = 'told' | 'seen' | 'early' | 'contradicting';

/**
 * Turns entries of a topic that are missed, doubled and out of order into a run without a gap.
 *
 * It tells each entry once, in order, and keeps the newest in a ring. An entry whose predecessor is missing waits. An entry
 * that cannot be of the same history contradicts the run: then the log has an older past, and the run is over.
 */
export class GaplessRun {
  readonly #tell: (entry: Entry) => void;
  readonly #waiting = new WaitingEntries();
  readonly #ring: Ring;
  #top: Place;
  /** There is no other entry up to this number. */
  #wholeUpTo: number;
  /** The number of the newest message before that; 0 if it is not known. */
  #lastMessage: number;
  /** The largest number that is known to be kept. */
  #known: number;
  /** Whether it tells nothing more. */
  #isOver = false;

  /** @param start - what comes next follows this place. */
  constructor(start: Place, budget: RingBudget, tell: (entry: Entry) => void) {
    this.#tell = tell;
    this.#top = start;
    this.#ring = new Ring(budget, start);
    this.#wholeUpTo = start.offset;
    this.#known = start.offset;
    this.#lastMessage = start.tag === '' ? 0 : start.offset;
  }

  /** The place of the newest entry that it has told, or the place where it began. */
  get top(): Place {
    return this.#top;
  }

  /** The places after which it goes on, the best first. The message of the first may not be kept any more. */
  get ends(): readonly [top: Place, idle?: Place] {
    const { log, offset } = this.#top;
    const idle: Place = { log, offset: this.#wholeUpTo, tag: '' };
    return this.#wholeUpTo > offset ? [this.#top, idle] : [this.#top];
  }

  /** Whether an entry is known to be kept that it has not told. */
  get isBehind(): boolean {
    return this.#known > this.#wholeUpTo;
  }

  /** Takes an entry that was heard. */
  hear(entry: Entry): Heard {
    if (this.#isOver) return 'seen';
    const heard = this.#hear(entry);
    this.#isOver ||= heard === 'contradicting';
    return heard;
  }

  #hear(entry: Entry): Heard {
    if (entry.offset <= this.#wholeUpTo) return this.#contradicts(entry) ? 'contradicting' : 'seen';
    this.#known = Math.max(this.#known, entry.offset);
    if (!this.#isNext(entry)) {
      this.#waiting.add(entry);
      return 'early';
    }
    if (!this.#continues(entry)) return 'contradicting';
    this.#next(entry);
    return this.#goOn() ? 'told' : 'contradicting';
  }

  /** Takes entries that were read after one of its {@link ends}. Returns `false` if they contradict it. */
  take(entries: readonly Entry[]): boolean {
    for (const entry of entries) {
      if (this.#isOver) return true;
      if (entry.offset > this.#wholeUpTo) this.#next(entry);
      else if (this.#contradicts(entry)) return false;
    }
    return this.#goOn();
  }

  /** Whether a tail, asked for when {@link top} was `then`, shows another past; `undefined` if that must be read. */
  isRewrittenIn({ newest, upTo }: Tail, then: Place): boolean | undefined {
    if (upTo.log !== this.#top.log) return true;
    if (newest === null || newest.offset < then.offset) return undefined;
    return newest.offset <= this.#wholeUpTo && newest.tag !== '' && this.#contradicts(newest);
  }

  /** Something with this number is kept. */
  learn(offset: number): void {
    this.#known = Math.max(this.#known, offset);
  }

  /** The newest entry that is kept has this number, although a later one was heard. */
  correct(offset: number): void {
    this.#known = Math.max(offset, this.#wholeUpTo);
    if (!this.isBehind) this.#waiting.clear();
  }

  /** Forgets what was heard and not told. */
  forgetEarly(): void {
    this.correct(0);
  }

  /** There is nothing between its top and a number. Returns whether that is new. */
  rest(offset: number): boolean {
    if (offset <= this.#wholeUpTo || this.isBehind) return false;
    this.#wholeUpTo = offset;
    return true;
  }

  /** What came after a place; `null` if it does not know. */
  after({ log, offset, tag }: Place, limit: number): Page | null {
    const isHere = offset >= this.#ring.floor.offset && offset <= this.#wholeUpTo;
    if (log !== this.#top.log || !isHere) return null;
    if (tag !== '' && this.#ring.at(offset)?.tag !== tag) return null;
    return { isWhole: true, ...this.#ring.after(offset, limit) };
  }

  /** Tells nothing more, and releases its entries. */
  end(): void {
    this.#isOver = true;
    this.#ring.clear();
    this.#waiting.clear();
  }

  /** Tells what has waited. Returns `false` if that contradicts it. */
  #goOn(): boolean {
    for (let entry = this.#waiting.first; entry !== undefined; entry = this.#waiting.first) {
      const isTold = entry.offset <= this.#wholeUpTo;
      if (this.#isOver || !(isTold || this.#isNext(entry))) return true;
      this.#waiting.shift();
      if (!this.#takeWaiting(entry)) return false;
    }
    return true;
  }

  /** Returns `false` if it contradicts. */
  #takeWaiting(entry: Entry): boolean {
    if (entry.offset <= this.#wholeUpTo) return !this.#contradicts(entry);
    const isNext = this.#continues(entry);
    if (isNext) this.#next(entry);
    return isNext;
  }

  #next(entry: Entry): void {
    this.#ring.push(entry);
    this.#top = placeOf(entry);
    this.#wholeUpTo = entry.offset;
    this.#lastMessage = entry.offset;
    this.#known = Math.max(this.#known, entry.offset);
    this.#tell(entry);
  }

  /**
   * Whether nothing is missing before an entry. If the log knew no predecessor, its messages had been dropped, and one of them
   * may have been missed: that must be read.
   */
  #isNext({ prev }: Entry): boolean {
    return prev !== 0 && prev <= this.#wholeUpTo;
  }

  /** The predecessor of the next entry is the newest one here. */
  #continues({ prev }: Entry): boolean {
    return this.#lastMessage === 0 || prev === this.#lastMessage;
  }

  /** Whether something up to its end is not part of it. Below the ring, nobody knows. */
  #contradicts({ offset, tag }: Place): boolean {
    const { floor } = this.#ring;
    if (offset < floor.offset) return false;
    const here = this.#ring.at(offset);
    if (here === undefined) return true;
    return here.tag !== '' && here.tag !== tag;
  }
}
