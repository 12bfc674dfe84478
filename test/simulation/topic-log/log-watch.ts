import { TopicLog, type TopicLogOwner, type TopicLogParts } from '../../../src/bus/topic-log.ts';
import type { Entry, Place } from '../../../src/core/bus-log.ts';
import { Line } from './line.ts';
import type { LogReader } from './log-reader.ts';
import type { LogWorld } from './log-world.ts';

/** How long a log that nobody needs may be there, with a tick or two. */
const LINGERS_MS = 121_000;

/** The log of one topic in one process: checks all that it reports, and passes it on to its readers. */
export class LogWatch implements TopicLogOwner {
  readonly topic: string;
  readonly readers = new Set<LogReader>();
  log: TopicLog;
  readonly #world: LogWorld;
  readonly #parts: TopicLogParts;
  readonly #who: string;
  #line: Line | null = null;
  #isClosed = false;
  #isNeeded = true;
  #leftAtMs = 0;
  /** Whether it is being told that the past has changed. */
  #isRewriting = false;
  /** How much was reported. */
  arrivals = 0;
  interruptions = 0;

  constructor(world: LogWorld, topic: string, who: string, parts: TopicLogParts) {
    this.topic = topic;
    this.#world = world;
    this.#who = who;
    this.#parts = parts;
    this.log = new TopicLog(topic, parts, this);
  }

  get isNeeded(): boolean {
    return this.#isNeeded;
  }

  following(top: Place): void {
    this.#note('following', top.offset);
    if (this.#line !== null) this.#world.broken('reports-in-order', `${this.#who} follows twice`);
    this.#line = new Line(this.#world, this.topic, this.#who, top);
    this.#checkTop(top.offset);
  }

  arrived(entry: Entry): void {
    this.#note('arrived', entry.offset);
    this.arrivals += 1;
    if (this.#line === null || this.#isClosed)
      this.#world.broken('reports-in-order', `${this.#who} tells without a place`);
    this.#line?.take(entry);
    this.#checkTop(entry.offset);
    for (const reader of this.readers) reader.arrived(entry);
  }

  #checkTop(offset: number): void {
    const top = this.log?.top;
    if (top !== undefined && top?.offset !== offset)
      this.#world.broken('top-is-true', `${top?.offset} while it tells ${offset}`);
  }

  interrupted(cause: 'expired' | 'reset'): void {
    this.#note('interrupted', cause);
    this.interruptions += 1;
    if (this.#line === null) this.#world.broken('reports-in-order', `${this.#who} has no place`);
    this.#line?.interrupt(cause, this.#isRewriting);
    this.#line = null;
    for (const reader of [...this.readers]) reader.interrupted();
  }

  idle(place: Place): void {
    this.#note('idle', place.offset);
    this.#line?.rest(place);
    for (const reader of this.readers) reader.idle(place);
  }

  closed(error: Error | null): void {
    this.#note('closed', error?.stack ?? '');
    if (error !== null) this.#world.broken('never-crashes', error.stack ?? '');
    if (this.#isNeeded) this.#world.broken('closes-when-left', this.#who);
    this.#isClosed = true;
    this.#line?.end();
    this.#line = null;
  }

  rewritten(): void {
    const { interruptions } = this;
    this.#isRewriting = true;
    this.log.rewritten();
    this.#isRewriting = false;
    const wasTold = this.#line === null || this.interruptions > interruptions;
    if (!wasTold) this.#world.broken('a-reset-is-told', `${this.#who} goes on`);
  }

  /** It has just heard this. If that is not what it has told with this number, it must have noticed. */
  heard(entry: Entry): void {
    const line = this.#line;
    const message = this.#world.history.byPayload.get(entry.payload);
    if (line === null || line.last === null || line.last.offset !== entry.offset) return;
    if (line.log === entry.log && line.last !== message)
      this.#world.broken('contradiction-is-noticed', `${this.#who} at ${entry.offset}`);
  }

  leave(): void {
    this.#note('left');
    this.#isNeeded = false;
    this.#leftAtMs = this.#world.clock.now();
    for (const reader of [...this.readers]) reader.leave();
    this.log.close();
  }

  need(): void {
    this.#note('needed');
    this.#isNeeded = true;
    const awayMs = this.#world.clock.now() - this.#leftAtMs;
    if (awayMs > LINGERS_MS && !this.#isClosed)
      this.#world.broken('closes-when-left', `${this.#who} lingers`);
    if (this.#isClosed) this.log = new TopicLog(this.topic, this.#parts, this);
    else this.log.needed();
    this.#isClosed = false;
  }

  checkEnd(): void {
    if (this.#line === null) this.#world.broken('all-arrives', `${this.#who} does not follow`);
    this.#line?.checkEnd();
    for (const reader of this.readers) reader.checkEnd();
  }

  #note(what: string, detail: string | number = ''): void {
    this.#world.note(`${this.#who} ${this.topic} ${what}`, detail);
  }
}
