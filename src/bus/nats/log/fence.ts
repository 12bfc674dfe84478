import { hash } from 'node:crypto';
import type { Msg } from '@nats-io/transport-node';
import type { Clock } from '../../../core/clock.ts';
import { longName } from '../../../core/short-name.ts';
import type { ResolvedNatsBusOptions } from '../options.ts';
import { subjectOf } from '../subject.ts';
import { Anchor } from './anchor.ts';
import { isFull, type JetStream, type StreamInfo } from './jet-stream.ts';
import { headersOf, type KeptMessage, keptIn, nameOf } from './kept-message.ts';
import { pause } from './pause.ts';

/** The token of fences. No topic has it, because `!` is encoded in theirs. */
const TOKEN = '!fence';

/** How long a stream with replicas may lack a message before it is lost. A new leader may be behind for a moment. */
const PATIENCE_MS = 5_000;
const ASK_AGAIN_MS = 500;

/** How many fences are looked through. */
const FENCES_MAX = 256;

/** Hexadecimal digits of a hash that fit into a number. */
const LOG_DIGITS = 12;
const HEX = 16;
const RADIX = 36;

/** A fence: a message of the stream that names the incarnation of the log from there on. */
interface FenceMark {
  readonly seq: number;
  readonly name: string;
  readonly incarnation: string;
  /** The incarnation that the first process knew that has found messages missing. */
  readonly over: string;
}

/** What a fence says. */
type Naming = Pick<FenceMark, 'incarnation' | 'over'>;

/** What a link knows of the stream. */
interface Known {
  readonly created: string;
  readonly mark: FenceMark;
}

/**
 * Tells whether the log is still what it was.
 *
 * A stream that was restored from an older disk has the same name, the same time of creation, and gives the same numbers
 * again. So the name of the log is a hash of that time and of the newest fence. A link that finds its anchor gone, or another
 * message in its place, appends a fence with a new incarnation. All others hear it.
 *
 * A fence must not expire, or the old name would come back. So each link repeats the newest one when it connects, and
 * whenever a third of the retention has passed. If no link was there for that long, the next one begins a new incarnation.
 */
export class Fence {
  readonly anchor = new Anchor();
  readonly #clock: Clock;
  readonly #rewritten: () => void;
  readonly #subject: string;
  /** Where it is heard. */
  readonly heardSubject: string;
  #known: Known | null = null;
  #log = '';

  constructor(options: ResolvedNatsBusOptions, clock: Clock, rewritten: () => void) {
    this.#clock = clock;
    this.#rewritten = rewritten;
    this.#subject = `${subjectOf(options.name, 'in')}.${TOKEN}`;
    this.heardSubject = `${subjectOf(options.name, 'out')}.${TOKEN}`;
  }

  /** The name of the log: the same in all processes. Empty before the first check. */
  get log(): string {
    return this.#log;
  }

  /** The number of the newest fence; 0 before the first check. */
  get seq(): number {
    return this.#known?.mark.seq ?? 0;
  }

  /** Whether a stream is the one that was checked. */
  isKnown({ created }: StreamInfo): boolean {
    return this.#known?.created === created;
  }

  /** Hears a fence. Returns whether it only repeats the one that is known. */
  heard(message: Msg): boolean {
    const kept = keptIn(message);
    if (kept === null) return true;
    // The first check is under way, and may just have asked.
    if (this.#known === null) return false;
    const mark = markOf(kept);
    const { mark: newest } = this.#known;
    if (mark.name === newest.name) return true;
    if (mark.incarnation !== newest.incarnation || mark.seq <= this.anchor.seq) return false;
    this.#known = { ...this.#known, mark };
    this.anchor.saw(mark.seq, mark.name);
    return true;
  }

  /**
   * Finds out what the log is called now. Returns why the newest fence was not repeated, if there is no room for that: what the
   * stream has can be read.
   *
   * @param isRepeated - whether the newest fence is repeated.
   * @throws Error if the server does not answer
   */
  async check(stream: JetStream, info: StreamInfo, isRepeated: boolean): Promise<Error | null> {
    const isBroken = this.isKnown(info) && (await this.#isBroken(stream, info));
    const { mark, problem } = await this.#newest(stream, isRepeated, (found) =>
      this.#successor(info, found, isBroken),
    );
    this.#adopt(info, mark, isBroken);
    return problem;
  }

  /**
   * Returns the newest fence, after appending one if it must.
   *
   * Several processes append at once. JetStream takes the first, and the others look again.
   */
  async #newest(
    stream: JetStream,
    isRepeated: boolean,
    successor: (found: FenceMark | null) => Naming,
  ): Promise<{ mark: FenceMark; problem: Error | null }> {
    let mustRepeat = isRepeated;
    for (let attempt = 1; attempt <= FENCES_MAX; attempt += 1) {
      const newest = await stream.message({ last_by_subj: this.#subject });
      const found = newest && markOf(newest);
      const next = successor(found);
      const same = found?.incarnation === next.incarnation ? found : null;
      if (same !== null && !mustRepeat) return { mark: same, problem: null };
      mustRepeat = false;
      const mark = await this.#keep(stream, next, found?.seq ?? 0).catch(fullOrThrow);
      if (mark instanceof Error) return { mark: orThrow(same, mark), problem: mark };
      if (mark !== null) return { mark, problem: null };
    }
    throw new Error('too many processes append fences');
  }

  /** Appends a fence. Returns `null` if the newest one has another number than `last`. */
  async #keep(stream: JetStream, next: Naming, last: number): Promise<FenceMark | null> {
    const { incarnation, over } = next;
    const name = `${TOKEN}/${longName()}`;
    const headers = headersOf(name, false);
    const seq = await stream.keep(this.#subject, `${incarnation} ${over}`, headers, last);
    return seq === null ? null : { seq, name, incarnation, over };
  }

  /** Which incarnation follows after the newest fence that was found. */
  #successor(info: StreamInfo, found: FenceMark | null, isBroken: boolean) {
    const known = this.isKnown(info) ? this.#known?.mark : undefined;
    const isReplaced = found !== null && found.over === known?.incarnation;
    if (isBroken && !isReplaced) return { incarnation: longName(), over: known?.incarnation ?? '' };
    // If all have expired, but not the anchor's past, the log goes on.
    return found ?? known ?? { incarnation: longName(), over: '' };
  }

  #adopt(info: StreamInfo, mark: FenceMark, isBroken: boolean): void {
    if (isBroken || !this.isKnown(info)) this.anchor.moveTo(mark.seq, mark.name);
    else this.anchor.saw(mark.seq, mark.name);
    this.#known = { created: info.created, mark };
    const before = this.#log;
    this.#log = logOf(info.created, mark.incarnation);
    if (before !== '' && before !== this.#log) this.#rewritten();
  }

  /** Whether the stream has lost the anchor, other than by its retention. */
  async #isBroken(stream: JetStream, info: StreamInfo): Promise<boolean> {
    // A fence that is heard in the meantime moves the anchor.
    const { seq, name, end } = this.anchor;
    const found = await stream.message({ seq });
    if (found !== null && nameOf(found) !== name) return true;
    const isComplete = found !== null && info.state.last_seq >= end;
    if (isComplete) return false;
    if (await this.#endsBefore(stream, end, info.config.num_replicas)) return true;
    const again = await stream.message({ seq });
    if (again !== null) return nameOf(again) !== name;
    return this.#isFenced(stream, seq);
  }

  /** Whether the numbers of a stream do not reach as far as this one. One with replicas gets the time to catch up. */
  async #endsBefore(stream: JetStream, seq: number, replicas: number): Promise<boolean> {
    const until = this.#clock.now() + (replicas > 1 ? PATIENCE_MS : 0);
    for (;;) {
      const info = await stream.info();
      if (info === null || !this.isKnown(info)) throw new Error('the stream was replaced');
      if (info.state.last_seq >= seq) return false;
      if (this.#clock.now() >= until) return true;
      await pause(this.#clock, ASK_AGAIN_MS, stream.lost);
    }
  }

  /**
   * Whether there is a fence up to the anchor that this link has not heard.
   *
   * The number of the anchor was given, but its message is gone: it has expired, or has been pushed out by newer ones of its
   * topic. Or it was lost, and another one got its number and is gone as well. But then, the process that appended it has
   * begun with a fence.
   */
  async #isFenced(stream: JetStream, seq: number): Promise<boolean> {
    let last: KeptMessage | null = null;
    for (let count = 0; count < FENCES_MAX; count += 1) {
      const query = { seq: (last?.seq ?? 0) + 1, next_by_subj: this.#subject };
      const next: KeptMessage | null = await stream.message(query);
      if (next === null || next.seq > seq)
        return last !== null && nameOf(last) !== this.#known?.mark.name;
      last = next;
    }
    return false;
  }
}

function fullOrThrow(thrown: unknown): Error {
  if (isFull(thrown)) return thrown;
  throw thrown;
}

function orThrow(mark: FenceMark | null, problem: Error): FenceMark {
  if (mark === null) throw problem;
  return mark;
}

function markOf(message: KeptMessage): FenceMark {
  const [incarnation = '', over = ''] = Buffer.from(message.payload).toString().split(' ');
  return { seq: message.seq, name: nameOf(message), incarnation, over };
}

function logOf(created: string, incarnation: string): string {
  const digits = hash('sha256', `${created} ${incarnation}`, 'hex').slice(0, LOG_DIGITS);
  return Number.parseInt(digits, HEX).toString(RADIX);
}
