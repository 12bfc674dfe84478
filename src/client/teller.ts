import { runAll } from '../core/run-each.ts';

/** Who has a teller. */
export interface TellerOwner<Fact> {
  /** Gives the chart a fact. */
  take(fact: Fact): void;
  /** The chart has settled: whatever follows from that is added to the news. */
  settled(): void;
}

/**
 * Gives a chart its facts, and tells user code what came of them.
 *
 * User code never runs inside a transition. It hears one thing after the other, and everybody hears each before the
 * next: what a subscriber does now is told when all have heard this.
 */
export class Teller<Fact> {
  readonly #owner: TellerOwner<Fact>;
  /** Most of the time there is nothing. */
  #news: (() => void)[] | null = null;
  #isTaking = false;
  #isTelling = false;

  constructor(owner: TellerOwner<Fact>) {
    this.#owner = owner;
  }

  send(fact: Fact): void {
    if (this.#isTaking) {
      // From inside an order: it is taken up when the transition is done.
      this.#owner.take(fact);
      return;
    }
    this.#isTaking = true;
    try {
      this.#owner.take(fact);
    } finally {
      this.#isTaking = false;
    }
    this.settle();
  }

  /** Adds news that will be told with those of the next settling. */
  add(news: () => void): void {
    this.#news ??= [];
    this.#news.push(news);
  }

  /** Tells news as soon as no transition is under way. */
  later(news: () => void): void {
    this.add(news);
    if (!this.#isTaking) this.settle();
  }

  settle(): void {
    this.#owner.settled();
    if (this.#isTelling) return;
    this.#isTelling = true;
    try {
      runAll(
        () => this.#next(),
        (news) => news(),
      );
    } finally {
      this.#isTelling = false;
    }
  }

  #next(): (() => void) | undefined {
    const news = this.#news?.shift();
    if (news === undefined) this.#news = null;
    return news;
  }
}
