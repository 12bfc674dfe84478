import { RingBudget } from '../../bus/ring.ts';
import type { TopicLogParts } from '../../bus/topic-log.ts';
import type { ChartSystem } from '../../chart/chart-system.ts';
import type { BusLog, Entry, LogHost } from '../../core/bus-log.ts';
import type { Clock } from '../../core/clock.ts';
import type { Contract } from '../../core/contract.ts';
import { guarded, runAll } from '../../core/guard.ts';
import type { DeadlineOwner, TimerWheel } from '../../core/timer-wheel.ts';
import type { InboundConnection } from '../inbound-connection.ts';
import type { BusWatcher } from '../reach.ts';
import type { AnyReporter } from '../report.ts';
import type { TopicAudience } from '../topics.ts';
import { Appender } from './appender.ts';
import { DurableTopic, type DurableTopicHost } from './durable-topic.ts';
import { EntryFrames, offFrame } from './entry-frames.ts';
import type { Follower } from './follower.ts';
import { Positions } from './positions.ts';

/** How many messages followers are sent in one turn of the event loop, all together. */
const TURN_MAX = 1_000;

/** How many followers may read at a time. */
const READS_MAX = 32;

/** How many topics are followed that nobody needs any more. */
const LINGERING_MAX = 1_000;

/** How long until followers ask a bus again that did not answer. */
const STALLED_MS = 1_000;

/** What durable topics need of their supervisor. */
export interface DurableParts {
  /** The option `durable`. */
  readonly isDurable: (topic: string) => boolean;
  readonly appendMs: number;
  readonly clock: Clock;
  /** Returns a number from 0 to 1, and never throws. */
  readonly random: () => number;
  readonly wheel: TimerWheel;
  readonly charts: ChartSystem;
  readonly contract: Pick<Contract<unknown, never, unknown>, 'decoded'>;
  readonly reporter: AnyReporter;
}

/**
 * The durable topics of one supervisor: those that the option `durable` names.
 *
 * ```
 * append ─▶ log of the bus ═▶ TopicLog ─▶ DurableTopic ─▶ fan-out ─▶ members that are level
 *                                             └─▶ Follower ─▶ outbox of each member that is not
 * ```
 */
export class DurableTopics implements DurableTopicHost, LogHost, BusWatcher, DeadlineOwner {
  readonly appender: Appender;
  readonly logParts: TopicLogParts;
  readonly frames = new EntryFrames();
  readonly #parts: DurableParts;
  readonly #topics = new Map<string, DurableTopic>();
  /** Followers that can be sent more. */
  readonly #ready = new Set<Follower>();
  #isTurnDue = false;
  /** Followers that must read. */
  readonly #unread = new Set<Follower>();
  /** The connections of those that read. */
  readonly #reading = new Set<InboundConnection>();
  /** Topics that nobody needs any more, the oldest first. */
  readonly #lingering = new Set<DurableTopic>();
  readonly #stalled = new Set<Follower>();
  /** Topics whose log has crashed. */
  readonly #crashed = new Set<DurableTopic>();
  #isRetryDue = false;

  /** @param openLog - opens the log of the bus, or makes one of this process alone. */
  constructor(parts: DurableParts, openLog: (host: LogHost & BusWatcher) => BusLog) {
    const { clock, wheel, charts, random } = parts;
    this.#parts = parts;
    const log = openLog(this);
    this.logParts = { log, clock, wheel, charts, random, budget: new RingBudget() };
    this.appender = new Appender(log, parts);
  }

  /** Whether a topic is durable. The option is asked once for each audience. */
  isDurable(audience: TopicAudience): boolean {
    const report = (error: Error) => this.#parts.reporter.errored('durable', error);
    audience.isDurable ??= guarded(() => this.#parts.isDurable(audience.name), report) === true;
    return audience.isDurable;
  }

  /** A topic has members or listeners in this process. */
  needed(audience: TopicAudience): void {
    if (audience.durable !== null || !this.isDurable(audience)) return;
    const known = this.#topics.get(audience.name);
    if (known === undefined) {
      audience.durable = new DurableTopic(audience, this);
      this.#topics.set(audience.name, audience.durable);
    } else {
      this.#lingering.delete(known);
      audience.durable = known;
      known.servedBy(audience);
    }
  }

  /** A topic has neither members nor listeners any more. Its log lingers, because they may come back. */
  unneeded(audience: TopicAudience): void {
    const topic = audience.durable;
    if (topic === null) return;
    audience.durable = null;
    this.#lingering.add(topic);
    topic.log.close();
    const [oldest] = this.#lingering;
    // A peer may choose the names.
    if (this.#lingering.size > LINGERING_MAX) oldest?.log.end();
  }

  closed(topic: DurableTopic): void {
    this.#lingering.delete(topic);
    this.#topics.delete(topic.name);
  }

  crashed(topic: DurableTopic, error: Error): void {
    this.errored(error);
    this.#crashed.add(topic);
    this.#retryLater();
  }

  // Peers.

  /** A Mooring client has opened. */
  opened({ side }: InboundConnection): void {
    side.positions = new Positions();
  }

  /** A Mooring client has told where it was, before it answered the first beat. Later ones count for nothing. */
  positionsTold(connection: InboundConnection, positions: unknown): void {
    connection.side.positions?.add(positions);
  }

  /** A Mooring client has answered a beat. */
  beatAnswered(connection: InboundConnection): void {
    const { positions } = connection.side;
    if (positions?.isAwaited !== true) return;
    positions.settle();
    if (positions.size === 0) connection.side.positions = null;
    this.flows(connection);
  }

  /** A connection can be sent more. */
  flows(connection: InboundConnection): void {
    this.#tellOffs(connection);
    for (const name of connection.side.topics ?? []) {
      const follower = this.#topics.get(name)?.followerOf(connection);
      if (follower !== undefined) this.ready(follower);
    }
  }

  /** Tells a client which topics it has left while its outbox was congested. */
  #tellOffs({ side }: InboundConnection): void {
    for (const topic of side.untoldOffs ?? []) {
      if (side.outbox?.publish(offFrame(topic)) === 'refused') return;
      side.untoldOffs?.delete(topic);
    }
  }

  // Followers.

  ready(follower: Follower): void {
    this.#ready.add(follower);
    this.#stalled.delete(follower);
    this.#planTurn();
  }

  /** Sends followers a share each, in turn, so that thousands that come back at once hold up nobody. */
  #turn(): void {
    this.#isTurnDue = false;
    let left = TURN_MAX;
    // Those that are ready again meanwhile come last.
    const next = () => (left > 0 ? this.#ready.values().next().value : undefined);
    runAll(next, (follower) => {
      this.#ready.delete(follower);
      left -= Math.max(1, follower.pump(left));
    });
    this.#planTurn();
  }

  #planTurn(): void {
    if (this.#isTurnDue || this.#ready.size === 0) return;
    this.#isTurnDue = true;
    this.#parts.clock.afterPoll(() => this.#turn());
  }

  unread(follower: Follower): void {
    this.#unread.add(follower);
    this.#readNext();
  }

  /** One at a time for each connection: what is read and cannot be sent is thrown away. */
  #readNext(): void {
    for (const follower of this.#unread) {
      if (this.#reading.size >= READS_MAX) return;
      const { connection } = follower;
      if (this.#reading.has(connection)) continue;
      this.#unread.delete(follower);
      this.#reading.add(connection);
      void follower.read().finally(() => {
        this.#reading.delete(connection);
        this.#readNext();
      });
    }
  }

  stalled(follower: Follower): void {
    this.#stalled.add(follower);
    this.#retryLater();
  }

  deadlinePassed(): void {
    this.#isRetryDue = false;
    for (const follower of this.#stalled) this.ready(follower);
    const crashed = [...this.#crashed];
    this.#crashed.clear();
    for (const topic of crashed) topic.restart();
  }

  #retryLater(): void {
    if (this.#isRetryDue) return;
    this.#isRetryDue = true;
    this.#parts.wheel.schedule(STALLED_MS, this, 'stalled');
  }

  // What its topics report.

  announce(audience: TopicAudience, { payload, isBinary }: Entry): void {
    const report = (error: Error) => this.errored(error);
    guarded(() => {
      audience.announce(this.#parts.contract.decoded(Buffer.from(payload), isBinary));
    }, report);
  }

  wasReset(topic: string, members: number): void {
    const { charts, reporter } = this.#parts;
    charts.notifications.add(() => reporter.emit({ type: 'topic.reset', topic, members }));
  }

  end(connection: InboundConnection): void {
    connection.end('missed-messages');
  }

  // The bus.

  busMoved(state: 'up' | 'down'): void {
    for (const { log } of this.#topics.values()) {
      if (state === 'up') log.returned();
      else log.lost();
    }
    if (state === 'up') this.deadlinePassed();
  }

  rewritten(): void {
    for (const { log } of [...this.#topics.values()]) log.rewritten();
  }

  errored(error: Error): void {
    const { charts, reporter } = this.#parts;
    charts.notifications.add(() => reporter.errored('bus', error));
  }

  /** Settles the appends, then stops following all topics. */
  async close(): Promise<void> {
    await this.appender.close();
    for (const { log } of [...this.#topics.values()]) log.end();
  }
}
