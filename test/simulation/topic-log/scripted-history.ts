import type { Entry, Page, Place, Tail } from '../../../src/core/bus-log.ts';
import type { SimulatedClock } from '../simulated-clock.ts';

/** A message as the script knows it. */
export interface Message {
  readonly topic: string;
  readonly offset: number;
  readonly tag: string;
  readonly keptAtMs: number;
  /** The message before it in its topic, whether it is still kept or not. */
  readonly before: Message | null;
  /** The number that the log knew at the time. */
  readonly prev: number;
  readonly payload: Uint8Array;
  isDropped: boolean;
  /** Whether it was lost with the past of the log. */
  isVoid: boolean;
}

const expired: Page = { isWhole: false, cause: 'expired' };
const reset: Page = { isWhole: false, cause: 'reset' };

const RADIX = 36;

/**
 * The log of a simulated server: everything that was ever kept, and what has become of it.
 *
 * It can lose its newest messages, and then uses their numbers again. The log gets another name only later, as with a server
 * whose loss is found by somebody else.
 */
export class ScriptedHistory {
  /** All messages of this past, dropped or not, oldest first. */
  readonly topics = new Map<string, Message[]>();
  /** All messages that ever were, by their payload. */
  readonly byPayload = new Map<Uint8Array, Message>();
  /** The number of the newest message. */
  offset = 0;
  log = 'log0';
  renames = 0;
  /** Whether it has an older past, and nobody knows. */
  isRolledBack = false;
  renamedAtMs = Number.NEGATIVE_INFINITY;
  readonly #clock: SimulatedClock;
  readonly #forMs: number;
  /** Whether it takes a place for expired unless it is certain that nothing after it was dropped. */
  readonly #isStrict: boolean;
  #serial = 0;
  /** How many messages of each topic were dropped: its oldest. */
  readonly #dropped = new Map<string, number>();
  /** No message of any topic was dropped after this number. */
  #droppedUpTo = 0;

  constructor(clock: SimulatedClock, forMs: number, isStrict: boolean) {
    this.#clock = clock;
    this.#forMs = forMs;
    this.#isStrict = isStrict;
  }

  /** All messages of a topic, dropped or not. */
  all(topic: string): Message[] {
    const known = this.topics.get(topic) ?? [];
    this.topics.set(topic, known);
    return known;
  }

  append(topic: string): Message {
    this.dropOld();
    const all = this.all(topic);
    this.offset += 1;
    this.#serial += 1;
    const before = all.at(-1) ?? null;
    const message: Message = {
      ...{ topic, offset: this.offset, tag: this.#serial.toString(RADIX).padStart(8, '0') },
      ...{ keptAtMs: this.#clock.now(), before, isDropped: false, isVoid: false },
      prev: before === null || before.isDropped ? 0 : before.offset,
      payload: Buffer.from(`${topic} ${this.#serial}`),
    };
    all.push(message);
    this.byPayload.set(message.payload, message);
    return message;
  }

  dropOld(): void {
    const untilMs = this.#clock.now() - this.#forMs;
    for (const topic of this.topics.keys()) {
      for (let first = this.#firstKept(topic); first; first = this.#firstKept(topic)) {
        if (first.keptAtMs >= untilMs) break;
        this.#drop(first);
      }
    }
  }

  #firstKept(topic: string): Message | undefined {
    return this.all(topic)[this.#dropped.get(topic) ?? 0];
  }

  /** Drops the oldest messages of a topic that are kept. */
  expire(topic: string, count: number): void {
    for (let left = count; left > 0; left -= 1) {
      const first = this.#firstKept(topic);
      if (first !== undefined) this.#drop(first);
    }
  }

  #drop(message: Message): void {
    message.isDropped = true;
    this.#dropped.set(message.topic, (this.#dropped.get(message.topic) ?? 0) + 1);
    this.#droppedUpTo = Math.max(this.#droppedUpTo, message.offset);
  }

  /** Brings back the past of a while ago. What was dropped since then stays so. Returns the newest number that is left. */
  rollBack(byMs: number): number {
    const sinceMs = this.#clock.now() - byMs;
    let offset = 0;
    for (const [topic, all] of this.topics) {
      const lost = all.filter(({ keptAtMs }) => keptAtMs >= sinceMs);
      for (const message of lost) message.isVoid = true;
      all.splice(all.length - lost.length, lost.length);
      this.#dropped.set(topic, Math.min(this.#dropped.get(topic) ?? 0, all.length));
      offset = Math.max(offset, all.at(-1)?.offset ?? 0);
    }
    this.offset = offset;
    this.isRolledBack = true;
    this.#droppedUpTo = Math.min(this.#droppedUpTo, offset);
    return offset;
  }

  /** The loss is known: all places from before are void. */
  rename(): void {
    this.renames += 1;
    this.isRolledBack = false;
    this.renamedAtMs = this.#clock.now();
    this.log = `log${this.renames}`;
  }

  entryOf({ offset, tag, prev, payload }: Message): Entry {
    return { log: this.log, offset, tag, prev, payload, isBinary: false };
  }

  tail(topic: string): Tail {
    this.dropOld();
    const newest = this.all(topic).at(-1);
    const isKept = newest !== undefined && !newest.isDropped;
    return {
      newest: isKept ? { log: this.log, offset: newest.offset, tag: newest.tag } : null,
      upTo: { log: this.log, offset: this.offset, tag: '' },
    };
  }

  /** The messages of a topic after a number, dropped or not. */
  after(topic: string, offset: number): Message[] {
    const all = this.all(topic);
    let first = all.length;
    while (first > 0 && (all[first - 1] as Message).offset > offset) first -= 1;
    return all.slice(first);
  }

  /** @param lateMs - how far the reader is behind the log. */
  read(topic: string, after: Place, limit: number, lateMs: number): Page {
    this.dropOld();
    if (after.log !== this.log) return reset;
    if (after.offset > this.offset) return lateMs > 0 ? this.#page([], limit) : reset;
    const [at] = this.after(topic, after.offset - 1);
    const isNamed = at?.offset === after.offset;
    if (after.tag !== '' && !(isNamed && at.tag === after.tag)) return reset;
    const later = this.after(topic, after.offset);
    if (later[0]?.isDropped) return expired;
    const isCertain = after.offset >= this.#droppedUpTo || (isNamed && !at.isDropped);
    if (this.#isStrict && !isCertain) return expired;
    const untilMs = this.#clock.now() - lateMs;
    const known = later.filter(({ keptAtMs }) => keptAtMs <= untilMs);
    return this.#page(known, limit);
  }

  #page(messages: readonly Message[], limit: number): Page {
    const entries = messages.slice(0, limit).map((message) => this.entryOf(message));
    return { isWhole: true, entries, hasMore: messages.length > limit };
  }
}
