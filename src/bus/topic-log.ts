import type {
  Interruption,
  TopicLogFact,
  TopicLogOrders,
} from '../../machines/topic-log-contract.ts';
import type { ChartSystem } from '../chart/chart-system.ts';
import type { ChartOwner, ChartRunner } from '../chart/runner.ts';
import { topicLogTable } from '../chart/tables/topic-log.ts';
import type { BusLog, Entry, LogInterest, Page, Place, Tail } from '../core/bus-log.ts';
import type { Clock } from '../core/clock.ts';
import type { Deadline, DeadlineOwner, TimerWheel } from '../core/timer-wheel.ts';
import { GaplessRun } from './gapless-run.ts';
import { formatPlace } from './place.ts';
import { ReadCache } from './read-cache.ts';
import type { RingBudget } from './ring.ts';
import { WaitingEntries } from './waiting-entries.ts';

/** How long the bus may take to answer, in milliseconds. */
export const ANSWER_MS = 10_000;

/** The delays between attempts, doubled with each failure. */
export const RETRY_MS = { min: 250, max: 30_000 };

/** The delays before the first checks, after it began and after the bus has returned: 250 ms, then 2 s. */
export const CHECK_DELAYS_MS = [250, 1_750] as const;

/** How many checks there are later, in the time for which a message is kept. */
export const CHECKS_PER_RETENTION = 4;

/** How long an entry may be on its way when the bus has already named it. */
export const GRACE_MS = 250;

/** How long a topic that nobody needs is followed. */
export const LINGER_MS = 120_000;

/** How many entries are read at once. */
const PAGE_MAX = 256;

type Fact = TopicLogFact['type'];

/** Gets what a {@link TopicLog} reports. Its methods must not throw. */
export interface TopicLogOwner {
  /** From here on the log follows the topic. Everything that `arrived` after this continues it without a gap. */
  following(top: Place): void;
  /** The next entry. */
  arrived(entry: Entry): void;
  /** What comes next does not continue what came before; `following` is called next, when the new place is known. */
  interrupted(cause: Interruption['cause']): void;
  /** Nothing new was kept up to this place. A reader that has everything may go on from it. */
  idle(place: Place): void;
  /** The log has ended: nobody needed it, or it crashed. Make another one when the topic is needed again. */
  closed(error: Error | null): void;
}

/** What the logs of all topics of a supervisor share. */
export interface TopicLogParts {
  readonly log: BusLog;
  readonly clock: Clock;
  readonly wheel: TimerWheel;
  readonly charts: ChartSystem;
  readonly budget: RingBudget;
  /** A number from 0 to 1. It spreads attempts over time. */
  readonly random: () => number;
}

/**
 * One durable topic in this process: it turns what the bus delivers into a run of entries without a gap.
 *
 * ```
 * BusLog.follow ─▶ heard ─▶ GaplessRun ─▶ owner.arrived
 *                             │ gap ─▶ chart: filling ─▶ BusLog.read ─▶ GaplessRun
 *                             └ ring ─▶ after(place)
 * ```
 * The chart decides what the bus is asked. Entries never enter it.
 */
export class TopicLog implements ChartOwner, DeadlineOwner, TopicLogOrders {
  readonly topic: string;
  readonly #parts: TopicLogParts;
  readonly #owner: TopicLogOwner;
  readonly #chart: ChartRunner<Fact>;
  readonly #deadline: Deadline;
  #interest: LogInterest | null = null;
  /** `null` while its place is not known. */
  #run: GaplessRun | null = null;
  /** Entries that were heard while its place is not known. */
  readonly #waiting = new WaitingEntries();
  /** Where the bus has said that it may begin. */
  #start: Place | null = null;
  /** The log of the last run. */
  #lastLog: string | null = null;
  /** The log before that, if it was another. Its entries may still be on their way. */
  #formerLog: string | null = null;
  /** Numbers the states, so that an answer to a question of an earlier one is ignored. */
  #step = 0;
  /** Attempts in a row that the bus has not answered. */
  #failures = 0;
  /** Checks since it began, or since the bus returned. */
  #checks = 0;
  #nextCheckAtMs = 0;
  /** The reads that are under way, so that many members at one place cause one. */
  #reads = new Map<string, Promise<Page>>();
  readonly #cache: ReadCache;

  /** It begins at once, and calls its owner only later. */
  constructor(topic: string, parts: TopicLogParts, owner: TopicLogOwner) {
    this.topic = topic;
    this.#parts = parts;
    this.#owner = owner;
    this.#cache = new ReadCache(parts.budget);
    this.#deadline = parts.wheel.schedule(ANSWER_MS, this);
    this.#chart = parts.charts.run(topicLogTable, this);
    this.#chart.start();
  }

  /** The place of the newest entry that it has told, or where it began; `null` while it is not following. */
  get top(): Place | null {
    return this.#run?.top ?? null;
  }

  /**
   * What was kept after a place, about `limit` entries: from memory at once, or read from the bus. Only the bus says that a place
   * is void or has expired.
   *
   * Rejects if the bus does not answer.
   */
  after(place: Place, limit: number): Page | Promise<Page> {
    return this.held(place, limit) ?? this.read(place, limit);
  }

  /** The part of {@link after} that needs no read; `null` if it must be read. */
  held(place: Place, limit: number): Page | null {
    if (this.#run === null) return null;
    return this.#run.after(place, limit) ?? this.#cache.after(place, limit);
  }

  /** Reads once for all that are at the same place, whatever limit each of them has. */
  read(place: Place, limit: number): Promise<Page> {
    const reads = this.#reads;
    const key = formatPlace(place);
    const known = reads.get(key);
    if (known !== undefined) return known;
    const read = this.#readAnew(place, limit).finally(() => reads.delete(key));
    reads.set(key, read);
    return read;
  }

  async #readAnew(place: Place, limit: number): Promise<Page> {
    const reads = this.#reads;
    const page = await this.#parts.log.read(this.topic, place, limit);
    if (reads === this.#reads) this.#cache.add(place, page);
    return page;
  }

  /** Nobody is behind any more, or what was read is of the past. */
  forgetRead(): void {
    this.#reads = new Map();
    this.#cache.clear();
  }

  /** The bus has lost its past. */
  rewritten(): void {
    // Members may have read before it has begun.
    this.forgetRead();
    this.#chart.send('history.rewritten');
  }

  /** The bus is down. */
  lost(): void {
    // The bus may come back with an older past, and use the numbers again of what waits here.
    this.#run?.forgetEarly();
    this.#chart.send('bus.lost');
  }

  /** The bus is up again. */
  returned(): void {
    this.#checkAgain();
    this.#chart.send('bus.returned');
  }

  /** Nobody needs it now. It lingers for two minutes if it is following, and is closed at once otherwise. */
  close(): void {
    this.#chart.send('audience.left');
  }

  /** Closes it at once. */
  end(): void {
    this.close();
    // It lingers if it was following.
    this.deadlinePassed();
  }

  /** It is needed again. Does nothing after `closed`. */
  needed(): void {
    this.#chart.send('audience.returned');
  }

  deadlinePassed(): void {
    this.#chart.send('deadline.passed');
  }

  #heard(entry: Entry): void {
    if (this.#chart.isOver || entry.log === this.#formerLog) return;
    const run = this.#run;
    if (run === null) this.#waiting.add(entry);
    else if (entry.log !== run.top.log) this.rewritten();
    else this.#hear(run, entry);
  }

  #hear(run: GaplessRun, entry: Entry): void {
    const wasBehind = run.isBehind;
    const heard = run.hear(entry);
    if (heard === 'contradicting') this.rewritten();
    else if (heard === 'early') this.#chart.send('gap.seen');
    else if (wasBehind && !run.isBehind) this.#chart.send('gap.filled');
  }

  // Orders. Each state has one deadline, and asks the bus one thing at most.

  subscribe(): void {
    const step = this.#wait(ANSWER_MS);
    this.#interest = this.#parts.log.follow(this.topic, (entry) => this.#heard(entry));
    const ready = () => {
      if (step === this.#step) this.#chart.send('interest.ready');
      // Too late for the first question: what was kept since then may have been missed.
      else this.returned();
    };
    this.#interest.ready.then(ready, ready);
  }

  askStart(): void {
    // The answer covers all that was heard before the question.
    this.#waiting.clear();
    this.#ask(async (isCurrent) => {
      const { newest, upTo } = await this.#parts.log.tail(this.topic);
      if (!isCurrent()) return null;
      // Either the answer or what was heard since the question is of an older past.
      const isUnsure = this.#waiting.hasOther(upTo.log, this.#lastLog, this.#formerLog);
      if (isUnsure) return 'attempt.failed';
      this.#start = newest ?? upTo;
      return 'tail.told';
    });
  }

  begin(): void {
    const start = this.#start as Place;
    const { budget } = this.#parts;
    if (start.log !== this.#lastLog) {
      this.#formerLog = start.log === this.#formerLog ? null : this.#lastLog;
      this.#lastLog = start.log;
    }
    this.#run = new GaplessRun(start, budget, (entry) => this.#owner.arrived(entry));
    this.#checkAgain();
    this.#owner.following(start);
    this.#waiting.keepOnly(start.log);
    for (let entry = this.#waiting.first; entry !== undefined; entry = this.#waiting.first) {
      this.#waiting.shift();
      this.#heard(entry);
    }
  }

  scheduleCheck(): void {
    const delayMs = this.#nextCheckAtMs - this.#parts.clock.now();
    this.#wait(this.#failures > 0 ? this.#retryMs() : Math.max(0, delayMs));
  }

  checkTail(): void {
    const run = this.#following;
    const then = run.top;
    this.#ask(async (isCurrent) => {
      const tail = await this.#parts.log.tail(this.topic);
      if (!isCurrent()) return null;
      const isRewritten = run.isRewrittenIn(tail, then);
      if (isRewritten) return 'history.rewritten';
      const page = isRewritten === undefined ? await this.#readEnd(run) : empty;
      return isCurrent() ? this.#judge(run, tail, page) : null;
    });
  }

  #judge(run: GaplessRun, tail: Tail, page: Page | null): Fact {
    if (page === null) return 'attempt.failed';
    if (!page.isWhole) return factOf(page.cause);
    this.#checked(run, tail, page.entries);
    return run.isBehind ? 'tail.advanced' : 'tail.told';
  }

  /** Nothing has changed before the top. Learns what the bus has after it. */
  #checked(run: GaplessRun, { newest, upTo }: Tail, read: readonly Entry[]): void {
    const { forMs } = this.#parts.log.retention;
    this.#failures = 0;
    this.#checks += 1;
    const delayMs = CHECK_DELAYS_MS[this.#checks] ?? forMs / CHECKS_PER_RETENTION;
    this.#nextCheckAtMs = this.#parts.clock.now() + delayMs;
    for (const place of [newest, read.at(-1)]) if (place) run.learn(place.offset);
    const isAtEnd = newest === null || newest.offset === run.top.offset;
    if (isAtEnd && run.rest(upTo.offset)) this.#owner.idle(upTo);
  }

  countFailure(): void {
    this.#failures += 1;
  }

  expectEntry(): void {
    this.#wait(GRACE_MS);
  }

  readOn(): void {
    const run = this.#following;
    this.#ask(async (isCurrent) => {
      const page = await this.#readEnd(run);
      if (!isCurrent()) return null;
      const isEmpty = page?.isWhole === true && page.entries.length === 0;
      return isEmpty ? this.#correct(run, isCurrent) : this.#take(run, page);
    });
  }

  #take(run: GaplessRun, page: Page | null): Fact {
    if (page === null) return 'page.read';
    if (!page.isWhole) return factOf(page.cause);
    this.#failures = 0;
    if (!run.take(page.entries)) return 'history.rewritten';
    return run.isBehind || page.hasMore ? 'page.read' : 'gap.filled';
  }

  /** An entry was heard that cannot be read: it is read too early, or was lost with the past of the log. */
  async #correct(run: GaplessRun, isCurrent: () => boolean): Promise<Fact | null> {
    const tail = await this.#parts.log.tail(this.topic);
    if (!isCurrent()) return null;
    if (run.isRewrittenIn(tail, run.top)) return 'history.rewritten';
    run.correct(tail.newest?.offset ?? 0);
    return run.isBehind ? 'attempt.failed' : 'gap.filled';
  }

  /**
   * Reads what follows the run. If its last message has expired, the number up to which there is no other still counts.
   * Returns `null` if what has expired was heard meanwhile.
   */
  async #readEnd(run: GaplessRun): Promise<Page | null> {
    const [top, idle] = run.ends;
    let page = await this.#parts.log.read(this.topic, top, PAGE_MAX);
    const hasExpired = () => !page.isWhole && page.cause === 'expired';
    if (hasExpired() && idle) page = await this.#parts.log.read(this.topic, idle, PAGE_MAX);
    return hasExpired() && run.top !== top ? null : page;
  }

  pause(): void {
    this.#failures += 1;
    this.#wait(this.#retryMs());
  }

  interrupt({ cause }: Interruption): void {
    this.#run?.end();
    this.#run = null;
    this.forgetRead();
    this.#owner.interrupted(cause);
  }

  linger(): void {
    this.#wait(LINGER_MS);
  }

  finish(): void {
    this.#release();
    this.#owner.closed(null);
  }

  chartCrashed(error: Error): void {
    this.#release();
    this.#owner.closed(error);
  }

  #release(): void {
    this.#step += 1;
    this.#parts.wheel.cancel(this.#deadline);
    this.#interest?.end();
    this.#run?.end();
    this.#run = null;
    this.forgetRead();
    this.#waiting.clear();
  }

  /** The run, in states that have one. */
  get #following(): GaplessRun {
    return this.#run as GaplessRun;
  }

  /** Asks the bus something, and sends the chart what follows from the answer. */
  #ask(question: (isCurrent: () => boolean) => Promise<Fact | null>): void {
    const step = this.#wait(ANSWER_MS);
    const isCurrent = () => step === this.#step;
    const answered = (fact: Fact | null) => {
      if (fact !== null && isCurrent()) this.#chart.send(fact);
    };
    question(isCurrent).then(answered, () => answered('attempt.failed'));
  }

  /** Starts the deadline of a state, and returns the number of the state. */
  #wait(delayMs: number): number {
    this.#parts.wheel.postpone(this.#deadline, delayMs);
    this.#step += 1;
    return this.#step;
  }

  /** Something may have been missed just now. */
  #checkAgain(): void {
    this.#failures = 0;
    this.#checks = 0;
    this.#nextCheckAtMs = this.#parts.clock.now() + CHECK_DELAYS_MS[0];
  }

  #retryMs(): number {
    const { min, max } = RETRY_MS;
    const longestMs = Math.min(max, min * 2 ** (this.#failures - 1));
    return longestMs * (1 - this.#parts.random() / 2);
  }
}

const empty: Page = { isWhole: true, entries: [], hasMore: false };

function factOf(cause: Interruption['cause']): Fact {
  return cause === 'expired' ? 'place.expired' : 'history.rewritten';
}
