import type { Entry, Page, Place } from '../../../src/core/bus-log.ts';
import { Line } from './line.ts';
import type { LogWatch } from './log-watch.ts';
import type { LogWorld } from './log-world.ts';

const RETRY_MS = 500;

/** A member that comes back at a place: it reads what it has missed, and then gets what arrives. */
export class LogReader {
  readonly #world: LogWorld;
  readonly #watch: LogWatch;
  readonly #line: Line;
  readonly #limit: number;
  #place: Place;
  /** Whether it has all that the log has told, so that it gets the next entry from there. */
  #isLevel = false;
  #isGone = false;

  constructor(world: LogWorld, watch: LogWatch, place: Place) {
    this.#world = world;
    this.#watch = watch;
    this.#place = place;
    this.#limit = world.plan.faults.slowMs < 100 ? world.random.pick([1, 3, 64]) : 256;
    this.#line = new Line(world, watch.topic, 'a reader', place);
    watch.readers.add(this);
    this.#read();
  }

  #read(): void {
    while (!this.#isGone && !this.#isLevel) {
      const page = this.#watch.log.after(this.#place, this.#limit);
      if (page instanceof Promise) {
        page.then(
          (read) => this.#readLater(read),
          () => this.#world.in(RETRY_MS, () => this.#read()),
        );
        return;
      }
      this.#take(page);
    }
  }

  #readLater(page: Page): void {
    this.#take(page);
    // A bus that knows nothing new must not be asked without a pause.
    if (page.isWhole && page.entries.length === 0) this.#world.in(RETRY_MS, () => this.#read());
    else this.#read();
  }

  #take(page: Page): void {
    if (this.#isGone || this.#isLevel) return;
    if (!page.isWhole) {
      this.#world.note('reader told', page.cause);
      this.#line.interrupt(page.cause);
      this.leave();
      return;
    }
    for (const entry of page.entries) this.#next(entry);
    const top = this.#watch.log.top;
    const isAtTop = top !== null && top.log === this.#place.log && this.#place.offset >= top.offset;
    this.#isLevel = isAtTop && !page.hasMore;
  }

  #next(entry: Entry): void {
    this.#line.take(entry);
    this.#place = { log: entry.log, offset: entry.offset, tag: entry.tag };
  }

  arrived(entry: Entry): void {
    // It may be ahead, because it was in a process that had heard more.
    if (this.#isLevel && entry.offset > this.#place.offset) this.#next(entry);
  }

  idle(place: Place): void {
    if (!this.#isLevel || place.offset <= this.#place.offset) return;
    this.#line.rest(place);
    this.#place = place;
  }

  /** Its place may still be good, but nobody knows here. */
  interrupted(): void {
    this.leave();
  }

  leave(): void {
    this.#isGone = true;
    this.#line.end();
    this.#watch.readers.delete(this);
  }

  checkEnd(): void {
    if (!this.#isLevel) this.#world.broken('readers-catch-up', `still at ${this.#place.offset}`);
    this.#line.checkEnd();
  }
}
