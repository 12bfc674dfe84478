import type { Entry, Place } from '../../../src/core/bus-log.ts';
import type { LogWorld } from './log-world.ts';
import type { Message } from './scripted-history.ts';

/** How long an entry may be on its way. */
const LATE_MS = 3_000;

/**
 * What somebody was told of a topic since a place. It must be the log without a gap, as the script knows it.
 *
 * It is spoiled when the log loses a message that it includes. Nobody can know that at once, so what it is told then does not
 * count; but it must end.
 */
export class Line {
  isSpoiled = false;
  /** How much of the past had been renamed when it began. */
  readonly renames: number;
  readonly log: string;
  readonly #world: LogWorld;
  readonly #topic: string;
  readonly #who: string;
  /** The last message; `null` if there was none before its place, or it is not known which. */
  #last: Message | null;
  #offset: number;

  constructor(world: LogWorld, topic: string, who: string, start: Place) {
    this.#world = world;
    this.#topic = topic;
    this.#who = who;
    this.#offset = start.offset;
    this.log = start.log;
    this.renames = world.history.renames;
    const [named] = world.history.after(topic, start.offset - 1);
    this.#last = named?.offset === start.offset && named.tag === start.tag ? named : null;
    this.isSpoiled = start.offset > world.history.offset || (start.tag !== '' && !this.#last);
    world.lines.add(this);
  }

  get offset(): number {
    return this.#offset;
  }

  get last(): Message | null {
    return this.#last;
  }

  /** The log has lost everything after a number. */
  rolledBackTo(offset: number): void {
    if (offset < this.#offset) this.isSpoiled = true;
  }

  /** The next entry. */
  take(entry: Entry): void {
    const message = this.#world.history.byPayload.get(entry.payload);
    if (message === undefined || message.topic !== this.#topic)
      this.#broken('tells-what-was-kept', `${entry.offset} was not kept`);
    else this.#next(message);
  }

  #next(message: Message): void {
    if (!this.isSpoiled && !this.#isNext(message))
      this.#broken('no-gap', `${message.offset} after ${this.#offset} (${this.#last?.offset})`);
    this.#last = message;
    this.#offset = message.offset;
    this.isSpoiled ||= message.isVoid;
  }

  #isNext({ before, offset }: Message): boolean {
    if (this.#last !== null) return before === this.#last;
    return offset > this.#offset && (before === null || before.offset <= this.#offset);
  }

  /** There is nothing up to a place. */
  rest({ offset }: Place): void {
    const missed = this.#after().find((message) => message.offset <= offset);
    if (missed !== undefined && !this.isSpoiled)
      this.#broken('idle-is-true', `${missed.offset} was kept before ${offset}`);
    this.#offset = Math.max(this.#offset, offset);
  }

  /** Messages that were kept after it, dropped or not. */
  #after(): Message[] {
    return this.#world.history.after(this.#topic, this.#offset);
  }

  /** It is told that it cannot go on. @param isExpected - whether somebody else has found a reason. */
  interrupt(cause: 'expired' | 'reset', isExpected = false): void {
    this.end();
    if (!isExpected && !this.#isJustified(cause))
      this.#broken('no-false-alarm', `${cause} at ${this.#offset}`);
  }

  #isJustified(cause: 'expired' | 'reset'): boolean {
    const { plan, history } = this.#world;
    if (this.isSpoiled || this.renames !== history.renames || this.log !== history.log) return true;
    // What was heard and not told may show another past, and entries of a log may still come after it was renamed.
    if (cause === 'reset') return history.isRolledBack || this.#isJustRenamed;
    return plan.isStrict || this.#after().some((one) => one.isDropped);
  }

  get #isJustRenamed(): boolean {
    const { history, clock } = this.#world;
    return clock.now() - history.renamedAtMs < LATE_MS;
  }

  end(): void {
    this.#world.lines.delete(this);
  }

  /** Everything is quiet: it must have everything. */
  checkEnd(): void {
    const [missed] = this.#after();
    if (this.isSpoiled) this.#broken('a-reset-is-told', `at ${this.#offset}`);
    else if (missed !== undefined) this.#broken('all-arrives', `${missed.offset} is missing`);
  }

  #broken(rule: string, problem: string): void {
    this.#world.broken(rule, `${this.#who} of ${this.#topic}: ${problem}`);
  }
}
