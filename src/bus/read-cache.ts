import type { Page, Place } from '../core/bus-log.ts';
import { Ring, type RingBudget } from './ring.ts';

/** How many runs are held. Readers that are far apart have one each. */
const RUNS_MAX = 4;

/** How many entries each run has. */
const ENTRIES_MAX = 1_024;

/**
 * What readers of one topic have read from the bus, so that others who are behind as well need not read it again.
 *
 * Each run is a part of the topic without a gap, and has what its readers have read last. The bytes count towards the budget of
 * the rings.
 */
export class ReadCache {
  readonly #budget: RingBudget;
  /** The run that was used last is at the end. */
  readonly #runs: Ring[] = [];

  constructor(budget: RingBudget) {
    this.#budget = budget;
  }

  /** What was read after a place; `null` if nothing was. */
  after(place: Place, limit: number): Page | null {
    for (const run of this.#runs) {
      if (!isSame(run.at(place.offset), place)) continue;
      const { entries } = run.after(place.offset, limit);
      if (entries.length === 0) continue;
      this.#use(run);
      // Only the bus knows the end.
      return { isWhole: true, entries, hasMore: true };
    }
    return null;
  }

  /** Takes what was read after a place. */
  add(place: Place, page: Page): void {
    if (!page.isWhole || page.entries.length === 0) return;
    const run =
      this.#runs.find(({ newest }) => isSame(newest, place)) ??
      new Ring(this.#budget, place, ENTRIES_MAX);
    for (const entry of page.entries) run.push(entry);
    this.#use(run);
  }

  clear(): void {
    for (const run of this.#runs) run.clear();
    this.#runs.length = 0;
  }

  #use(run: Ring): void {
    const index = this.#runs.indexOf(run);
    if (index !== -1) this.#runs.splice(index, 1);
    this.#runs.push(run);
    if (this.#runs.length > RUNS_MAX) this.#runs.shift()?.clear();
  }
}

function isSame(here: Place | undefined, { log, offset, tag }: Place): boolean {
  return here?.log === log && here.offset === offset && here.tag === tag;
}
