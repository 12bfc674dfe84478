/** Who has a teller. */
export interface TellerOwner<Fact> {
  /** Gives the chart a fact. */
  send(fact: Fact): void;
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
  readonly #news: (() => void)[] = [];
  #isSending = false;
  #isTelling = false;

  constructor(owner: TellerOwner<Fact>) {
    this.#owner = owner;
  }

  tell(fact: Fact): void {
    if (this.#isSending) {
      // From inside an order: XState takes it up when the transition is done.
      this.#owner.send(fact);
      return;
    }
    this.#isSending = true;
    this.#owner.send(fact);
    this.#isSending = false;
    this.settle();
  }

  /** Adds news that will be told with those of the next settling. */
  add(news: () => void): void {
    this.#news.push(news);
  }

  /** Tells news as soon as no transition is under way. */
  later(news: () => void): void {
    this.#news.push(news);
    if (!this.#isSending) this.settle();
  }

  settle(): void {
    this.#owner.settled();
    if (this.#isTelling) return;
    this.#isTelling = true;
    for (let news = this.#news.shift(); news !== undefined; news = this.#news.shift()) news();
    this.#isTelling = false;
  }
}
