import { randomInt } from 'node:crypto';
import type { Msg, NatsConnection } from '@nats-io/transport-node';
import type { Interest } from '../../../core/bus.ts';
import type {
  BusLog,
  Entry,
  LogHost,
  LogInterest,
  NewEntry,
  Page,
  Place,
  Retention,
  Stored,
  Tail,
} from '../../../core/bus-log.ts';
import type { Clock, TimerHandle } from '../../../core/clock.ts';
import { toError } from '../../../core/errors.ts';
import type { ResolvedNatsBusOptions } from '../options.ts';
import { subjectOf } from '../subject.ts';
import { Appender, type AppenderHost, closed } from './appender.ts';
import { Fence } from './fence.ts';
import { ANSWER_MS, JetStream, type StreamInfo } from './jet-stream.ts';
import { entryOf, type KeptMessage, keptIn, nameOf } from './kept-message.ts';
import { pause } from './pause.ts';
import { readAfter, readTail, type Source } from './reader.ts';
import { differences, retentionOf, sameIdMsOf, setUpStream, streamConfig } from './stream.ts';

/** What the headers of a message take at most: the token of a topic has up to 768 bytes, and an id 128. */
const HEADERS_BYTES_MAX = 1_024;

/** The pause after a check that has failed, doubled with each further failure. A server reports each refusal. */
const RETRY_MS = 500;
const RETRY_MS_MAX = 30_000;

/** The pause between checks that only a doubt has caused. */
const DOUBT_MS = 1_000;

/** The newest fence is repeated this often within the time that messages are kept. */
const REPEATS = 3;
const REPEAT_MS_MAX = 3_600_000;

/** What a log needs of its link. */
export interface LogLink {
  readonly clock: Clock;
  readonly payloadBytesMax: number;
  /** Hears whole messages of a channel, across connections. */
  hear(channel: string, heard: (message: Msg) => void): Interest;
}

/** What a log knows of one connection. */
interface Session {
  readonly stream: JetStream;
  readonly ended: AbortController;
  /** Resolves when the first check has ended, however, or the connection is lost. */
  readonly settled: Promise<void>;
  readonly settle: () => void;
  /** The stream, once a check has succeeded. */
  info: StreamInfo | null;
  /** Why the latest check has failed. */
  problem: Error | null;
  checkedAtMs: number;
}

/**
 * The log of one link to NATS: a stream of JetStream, over requests of core NATS.
 *
 * With each connection, it checks whether the stream is what it was. Until then, nothing is appended, heard or read.
 */
export class NatsLog implements BusLog, AppenderHost {
  readonly #options: ResolvedNatsBusOptions;
  readonly #link: LogLink;
  readonly #host: LogHost;
  readonly #fence: Fence;
  readonly #appender: Appender;
  #retention: Retention;
  #session: Session | null = null;
  #isClosed = false;
  /** Begins the next check, unless one is under way. */
  #wake: ((isRepeated: boolean) => void) | null = null;
  /** Whether there is a reason to check again. */
  #isDoubted = false;
  #repeatTimer: TimerHandle | null = null;
  /** Begins the check of a doubt that came too soon after another. */
  #doubtTimer: TimerHandle | null = null;
  /** What was reported of the stream last, so that it is reported once. */
  #reported = '';
  #difference = '';

  constructor(options: ResolvedNatsBusOptions, link: LogLink, host: LogHost) {
    this.#options = options;
    this.#link = link;
    this.#host = host;
    this.#retention = options.retention;
    this.#fence = new Fence(options, link.clock, () => host.rewritten());
    this.#appender = new Appender(this);
  }

  /** As the stream has it, once that is known: one that was there stays as it is. */
  get retention(): Retention {
    return this.#retention;
  }

  get payloadBytesMax(): number {
    return Math.max(0, this.#link.payloadBytesMax - HEADERS_BYTES_MAX);
  }

  async append(topic: string, entry: NewEntry, signal: AbortSignal): Promise<Stored> {
    if (this.#isClosed) throw closed();
    const subject = this.#subjectOf(topic);
    const token = subject.slice(subject.lastIndexOf('.') + 1);
    return this.#appender.append(subject, token, entry, signal);
  }

  follow(topic: string, heard: (entry: Entry) => void): LogInterest {
    const interest = this.#link.hear(`out/${topic}`, (message) => {
      // Before the check, it is not known which log it belongs to. It shows as a gap.
      if (this.#session?.info == null) return;
      const kept = keptIn(message);
      if (kept === null) return;
      if (!this.#fence.anchor.saw(kept.seq, nameOf(kept))) this.#doubt();
      heard(entryOf(this.#fence.log, kept, kept.prev));
    });
    const session = () => this.#session;
    return {
      get ready() {
        return Promise.all([interest.ready, session()?.settled]).then(() => {});
      },
      end: () => interest.end(),
    };
  }

  async tail(topic: string): Promise<Tail> {
    const source = await this.#source(topic);
    const tail = await readTail(source);
    this.#checkSame(source);
    this.#fence.anchor.reached(tail.upTo.offset);
    return tail;
  }

  async read(topic: string, after: Place, limit: number): Promise<Page> {
    const source = await this.#source(topic);
    const page = await readAfter(source, after, limit);
    this.#checkSame(source);
    return page;
  }

  /** A connection is up. It hears all interests already. */
  connected(nats: NatsConnection): void {
    const ended = new AbortController();
    const stream = new JetStream(nats, this.#options, this.#link.clock, ended.signal);
    let settle = () => {};
    const settled = new Promise<void>((resolve) => {
      settle = resolve;
    });
    const session = { stream, ended, settled, settle, info: null, problem: null, checkedAtMs: 0 };
    this.#session = session;
    nats.subscribe(this.#fence.heardSubject, {
      callback: (error, message) => {
        if (error === null) this.#heardFence(session, message);
      },
    });
    void this.#watch(session);
  }

  disconnected(): void {
    const session = this.#session;
    this.#session = null;
    this.#clearDoubt();
    this.#appender.disconnected();
    session?.ended.abort();
    session?.settle();
    this.#wake?.(false);
  }

  close(): void {
    this.#isClosed = true;
    this.disconnected();
    this.#appender.close();
  }

  get clock(): Clock {
    return this.#link.clock;
  }

  get logName(): string {
    return this.#fence.log;
  }

  get sameIdMs(): number {
    const info = this.#session?.info ?? null;
    return info === null ? Number.POSITIVE_INFINITY : sameIdMsOf(info);
  }

  kept(seq: number, name: string, isDuplicate: boolean): void {
    // The first of a duplicate is older than what was seen, or not.
    if (!this.#fence.anchor.saw(seq, name) && !isDuplicate) this.#doubt();
  }

  doubted(): void {
    this.#doubt();
  }

  errored(error: Error): void {
    this.#host.errored(error);
  }

  #subjectOf(topic: string): string {
    return subjectOf(this.#options.name, `in/${topic}`);
  }

  /** Checks the stream, and again whenever there is a reason, as long as the connection lasts. */
  async #watch(session: Session): Promise<void> {
    let isRepeated = true;
    let failures = 0;
    while (this.#session === session) {
      this.#isDoubted = false;
      session.checkedAtMs = this.clock.now();
      try {
        const info = await this.#check(session, isRepeated);
        if (info === null) return;
        failures = 0;
        this.#reported = '';
        isRepeated = await this.#reason(info);
      } catch (thrown) {
        if (this.#session !== session) return;
        this.#failed(session, toError(thrown));
        const delayMs = Math.min(RETRY_MS * 2 ** failures, RETRY_MS_MAX);
        failures += 1;
        await pause(this.clock, delayMs, session.ended.signal);
      }
    }
  }

  /** Returns `null` if the connection is lost meanwhile. @throws Error if the check fails */
  async #check(session: Session, isRepeated: boolean): Promise<StreamInfo | null> {
    const { stream } = session;
    const info = await setUpStream(stream, streamConfig(this.#options));
    if (this.#session !== session) return null;
    this.#compare(info);
    // A leader that has lost its majority keeps no fence, so what it says is not believed.
    const problem = await this.#fence.check(stream, info, isRepeated);
    if (this.#session !== session) return null;
    this.#checked(session, info);
    if (problem !== null) throw problem;
    return info;
  }

  #checked(session: Session, info: StreamInfo): void {
    const isFirst = session.info === null;
    session.info = info;
    session.problem = null;
    this.#retention = retentionOf(info, this.#options.retention);
    session.settle();
    if (isFirst) this.#appender.connected(session.stream);
  }

  #failed(session: Session, error: Error): void {
    session.problem = error;
    session.settle();
    if (error.message === this.#reported) return;
    this.#reported = error.message;
    this.#host.errored(error);
  }

  #compare(info: StreamInfo): void {
    const { name } = info.config;
    const difference = differences(streamConfig(this.#options), info);
    if (difference === this.#difference) return;
    this.#difference = difference;
    if (difference === '') return;
    const problem = `the stream ${name} of the NATS server is not as natsBus would set it up`;
    this.#host.errored(new Error(`${problem}: ${difference}. It stays as it is.`));
  }

  /** Waits until there is a reason for another check. Returns whether it is time to repeat the fence. */
  #reason(info: StreamInfo): Promise<boolean> {
    if (this.#isDoubted) return Promise.resolve(false);
    return new Promise((resolve) => {
      this.#wake = (isRepeated) => {
        this.#wake = null;
        this.#clearRepeat();
        resolve(isRepeated);
      };
      if (info.config.max_age > 0) this.#awaitRepeat();
    });
  }

  /** Processes that wait as long as each other would all repeat it at once. */
  #awaitRepeat(): void {
    this.#clearRepeat();
    const ms = Math.ceil(Math.min(this.#retention.forMs / REPEATS, REPEAT_MS_MAX));
    this.#repeatTimer = this.clock.setTimer(ms + randomInt(ms), () => this.#wake?.(true));
  }

  #clearRepeat(): void {
    if (this.#repeatTimer !== null) this.clock.clearTimer(this.#repeatTimer);
    this.#repeatTimer = null;
  }

  #heardFence(session: Session, message: Msg): void {
    if (this.#session !== session) return;
    if (!this.#fence.heard(message)) this.#checkAgain();
    else if (this.#repeatTimer !== null) this.#awaitRepeat();
  }

  /** Something does not fit. Under load, many things do not at once. */
  #doubt(): void {
    if (this.#session === null) return;
    const leftMs = this.#session.checkedAtMs + DOUBT_MS - this.clock.now();
    this.#doubtTimer ??= this.clock.setTimer(Math.max(0, leftMs), () => {
      this.#doubtTimer = null;
      this.#checkAgain();
    });
  }

  #clearDoubt(): void {
    if (this.#doubtTimer !== null) this.clock.clearTimer(this.#doubtTimer);
    this.#doubtTimer = null;
  }

  #checkAgain(): void {
    this.#isDoubted = true;
    this.#wake?.(false);
  }

  /** Waits for the check of this connection. @throws Error if there is no connection, or the check fails or takes long */
  async #source(topic: string): Promise<Source> {
    const session = this.#session;
    if (this.#isClosed) throw closed();
    if (session === null) throw new Error('the bus is down');
    if (session.info === null)
      await Promise.race([session.settled, pause(this.clock, ANSWER_MS, session.ended.signal)]);
    const { stream, info, problem } = session;
    if (info === null) throw problem ?? new Error('the NATS server does not answer');
    const { log } = this.#fence;
    const subject = this.#subjectOf(topic);
    const ask = (counted?: string) => this.#askAgain(session, counted);
    const saw = (message: KeptMessage) => {
      // Not while the past of the stream is in question.
      if (log === this.#fence.log) this.#fence.anchor.saw(message.seq, nameOf(message));
    };
    return { stream, clock: this.clock, subject, log, info, saw, ask };
  }

  /** Asks for the stream. @throws Error if it is not what it was, or its leader is behind */
  async #askAgain({ stream }: Session, subject?: string): Promise<StreamInfo> {
    // What is seen in the meantime does not count.
    const { end } = this.#fence.anchor;
    const info = await stream.info(subject);
    if (info !== null && this.#fence.isKnown(info) && info.state.last_seq >= end) {
      // Limits that others have set, or a purge, may drop a fence early.
      if (info.state.first_seq > this.#fence.seq) this.#wake?.(true);
      return info;
    }
    this.#doubt();
    throw new Error('the stream of the NATS server is not what it was a moment ago');
  }

  /** @throws Error if the log was rewritten since */
  #checkSame({ log }: Source): void {
    if (log !== this.#fence.log) throw new Error('the log was rewritten meanwhile');
  }
}
