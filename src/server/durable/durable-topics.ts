import { RingBudget } from '../../bus/ring.ts';
import type { TopicLogParts } from '../../bus/topic-log.ts';
import type { ChartSystem } from '../../chart/chart-system.ts';
import type { BusLog, Entry, LogHost } from '../../core/bus-log.ts';
import type { Clock } from '../../core/clock.ts';
import type { Contract } from '../../core/contract.ts';
import { guarded, runEach } from '../../core/guard.ts';
import type { DeadlineOwner, TimerWheel } from '../../core/timer-wheel.ts';
import type { InboundConnection } from '../inbound-connection.ts';
import type { BusWatcher } from '../reach.ts';
import type { AnyReporter } from '../report.ts';
import type { TopicAudience } from '../topics.ts';
import { Appender } from './appender.ts';
import { DurableTopic, type DurableTopicHost } from './durable-topic.ts';
import type { Follower } from './follower.ts';
import { type Positions, readPositions } from './positions.ts';

/** How many messages followers are sent in one turn of the event loop, all together, and one of them at a time. */
const TURN_MAX = 1_000;
const PAGE_MAX = 64;

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
  readonly logParts: TopicLogParts;
  readonly #parts: DurableParts;
  readonly #appender: Appender;
  readonly #topics = new Map<string, DurableTopic>();
  /** Followers that can be sent more. */
  #ready = new Set<Follower>();
  #isTurnDue = false;
  readonly #stalled = new Set<Follower>();
  /** Topics whose log has crashed. */
  readonly #crashed = new Set<DurableTopic>();
  #isRetryDue = false;

  /** @param openLog - opens the log of the bus, or makes one of this process alone. */
  constructor(parts: DurableParts, openLog: (host: LogHost & BusWatcher) => BusLog) {
    const { clock, wheel, charts } = parts;
    this.#parts = parts;
    const log = openLog(this);
    const { random } = parts;
    this.logParts = { log, clock, wheel, charts, random, budget: new RingBudget() };
    this.#appender = new Appender(log, parts);
  }

  /** Keeps a message. @throws MooringError `invalid-options` or `message-too-large` */
  get appender(): Appender {
    return this.#appender;
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
      audience.durable = known;
      known.servedBy(audience);
    }
  }

  /** A topic has neither members nor listeners any more. Its log lingers, because they may come back. */
  unneeded(audience: TopicAudience): void {
    audience.durable?.log.close();
    audience.durable = null;
  }

  closed(topic: string): void {
    this.#topics.delete(topic);
  }

  crashed(topic: DurableTopic, error: Error): void {
    this.errored(error);
    this.#crashed.add(topic);
    this.#retryLater();
  }

  // Peers.

  /** A Mooring client has opened. */
  opened({ side }: InboundConnection): void {
    side.positions = 'awaited';
  }

  /** A Mooring client has told where it was, before it answered the first beat. Later ones count for nothing. */
  positionsTold(connection: InboundConnection, positions: unknown): void {
    if (connection.side.positions === 'awaited') this.#place(connection, readPositions(positions));
  }

  /** A Mooring client has answered a beat. */
  beatAnswered(connection: InboundConnection): void {
    if (connection.side.positions === 'awaited') this.#place(connection, null);
  }

  #place(connection: InboundConnection, positions: Positions): void {
    connection.side.positions = positions;
    this.flows(connection);
  }

  /** A connection can be sent more. */
  flows(connection: InboundConnection): void {
    for (const name of connection.side.topics ?? []) {
      const follower = this.#topics.get(name)?.followerOf(connection);
      if (follower !== undefined) this.ready(follower);
    }
  }

  // Followers.

  ready(follower: Follower): void {
    this.#ready.add(follower);
    this.#stalled.delete(follower);
    if (this.#isTurnDue) return;
    this.#isTurnDue = true;
    this.#parts.clock.afterPoll(() => this.#turn());
  }

  /** Sends followers a share each, so that thousands that come back at once hold up nobody. */
  #turn(): void {
    this.#isTurnDue = false;
    const due = [...this.#ready];
    this.#ready = new Set();
    let left = TURN_MAX;
    runEach(due, (follower) => {
      if (left <= 0) this.ready(follower);
      else left -= Math.max(1, follower.pump(Math.min(left, PAGE_MAX)));
    });
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
    await this.#appender.close();
    for (const { log } of [...this.#topics.values()]) log.end();
  }
}
