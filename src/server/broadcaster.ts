import type { Observable } from 'rxjs';
import { memoryLog } from '../bus/memory-log.ts';
import type { ChartSystem } from '../chart/chart-system.ts';
import type { OutboxRuntime } from '../connection/outbox.ts';
import type { Connection } from '../core/connection.ts';
import { Contract } from '../core/contract.ts';
import { MooringError, toError } from '../core/errors.ts';
import { type Frame, messageFrame } from '../core/frame.ts';
import { chanceOf, ignoreRejection } from '../core/guard.ts';
import { callback, oneOf, type Rule, resolved } from '../core/option-rules.ts';
import { printAs } from '../core/text.ts';
import { type DurableParts, DurableTopics } from './durable/durable-topics.ts';
import { type Audience, FanOut } from './fan-out.ts';
import type { InboundConnection } from './inbound-connection.ts';
import type { ResolvedOptions } from './options.ts';
import {
  deliveryOf,
  type PolicyOf,
  type Publication,
  type PublicationPolicy,
  publicationOf,
  type SelectionParts,
  selectionOf,
} from './publication.ts';
import { Reach } from './reach.ts';
import type { Registry } from './registry.ts';
import { handleOf, type Reporter } from './report.ts';
import type {
  Appended,
  AppendOptions,
  AudienceOptions,
  Delivery,
  Overflow,
  Topic,
  TopicOptions,
} from './supervisor-types.ts';
import { type TopicAudience, Topics } from './topics.ts';

/** The dependencies of a broadcaster. */
export interface BroadcasterParts<Peer, In, Out> {
  readonly registry: Registry;
  readonly charts: ChartSystem;
  readonly reporter: Reporter<Peer, In, Out>;
  readonly context: OutboxRuntime;
}

/** Checks and encodes each message once. Writes one frame to all open connections or to the members of a topic. */
export class Broadcaster<Peer, In, Out, Sent> {
  readonly topics: Topics;
  readonly contract: Contract<In, Out, Sent>;
  readonly reporter: Reporter<Peer, In, Out>;
  readonly fanOut: FanOut;
  /** The other processes; `null` without a bus. */
  readonly reach: Reach | null;
  /** `null` without the option `durable`. */
  readonly durable: DurableTopics | null;
  readonly #registry: Registry;
  readonly #selectionParts: SelectionParts;

  constructor(
    options: ResolvedOptions<Peer, In, Out, Sent>,
    { registry, charts, reporter, context }: BroadcasterParts<Peer, In, Out>,
  ) {
    const { limits, codec, messages, sends, bus, clock } = options;
    const { notifications } = charts;
    const { wheel, writeBatcher: batcher } = context;
    this.#registry = registry;
    this.reporter = reporter;
    this.contract = new Contract(codec, messages, sends);
    this.fanOut = new FanOut({
      ...{ notifications, batcher, highBytes: limits.outboxHighBytes },
      audiencesOf: (connection) => this.#audiencesOf(connection),
    });
    const { contract, fanOut } = this;
    const parts = { fanOut, notifications, reporter };
    this.reach = bus ? new Reach(bus, { ...parts, clock, contract, registry }) : null;
    this.durable = this.#durableTopics(options, {
      ...{ clock, wheel, charts, contract, reporter },
      random: () => chanceOf(options.random, (error) => reporter.errored('random', error)),
    });
    const { reach, durable } = this;
    this.topics = new Topics(limits.topicsMax, { ...parts, reach, durable });
    const find = (id: string) => registry.open.get(id);
    this.#selectionParts = { reporter, find, isShared: bus !== undefined };
  }

  /** Without a bus, the messages of durable topics are kept in this process. */
  #durableTopics(
    { durable, timeouts: { appendMs } }: ResolvedOptions<Peer, In, Out, Sent>,
    parts: Omit<DurableParts, 'isDurable' | 'appendMs'>,
  ): DurableTopics | null {
    if (durable === undefined) return null;
    const { reach } = this;
    return new DurableTopics({ ...parts, isDurable: durable, appendMs }, (host) =>
      reach === null
        ? memoryLog(parts.clock, {}, (error) => host.errored(error))
        : reach.openLog(host),
    );
  }

  /**
   * Sends one message to every open connection.
   *
   * @throws MooringError when the message or an option is wrong.
   */
  broadcast(message: Out, audience?: AudienceOptions<Connection<Peer, In, Out>>): Delivery {
    const publication = this.publication(message, audience);
    // First, because a subscriber may publish in answer before the next line ends.
    const forwarded = this.reach?.forwardBroadcast(publication) ?? false;
    this.fanOut.publish(publication, this.#registry);
    return deliveryOf(publication, forwarded);
  }

  /** @throws MooringError when the message or an option is wrong. */
  publication(
    message: Out,
    audience: AudienceOptions<Connection<Peer, In, Out>> | undefined,
    policyOf?: PolicyOf<Sent>,
  ): Publication {
    const selection = selectionOf(audience, this.#selectionParts);
    return publicationOf(this.contract, message, selection, policyOf);
  }

  *#audiencesOf(connection: InboundConnection): Iterable<Audience> {
    yield this.#registry;
    yield* this.topics.audiencesOf(connection);
  }

  /** The frame of a message for one connection. @throws MooringError when the message is wrong. */
  frame(message: Out): Frame {
    return messageFrame(this.contract.payload(message));
  }

  join(connection: InboundConnection, topic: string): boolean {
    const isMember = this.topics.join(connection, topic);
    // Not if refused: a subscriber may call this while the end of a connection is being reported, and topic events follow that
    // report.
    if (isMember) this.topics.emitEvents();
    return isMember;
  }

  leave(connection: InboundConnection, topic: string): boolean {
    const hasLeft = this.topics.leave(connection, topic);
    if (hasLeft) this.topics.emitEvents();
    return hasLeft;
  }

  /** Leaves the bus, when what was appended is settled: the log ends with its link. `null` without a bus or durable topics. */
  leaveBus(): Promise<void> | null {
    const { durable, reach } = this;
    if (durable === null) return reach?.close() ?? null;
    return durable.close().then(() => reach?.close());
  }

  /**
   * The public handle of a topic. Without options, it is the same object as long as the topic has members or a handle of it is
   * in use. With options, it is another view of the same audience, with its own policy.
   */
  topic(name: string, options?: TopicOptions<Sent>): Topic<Out, Sent, Connection<Peer, In, Out>> {
    const audience = this.topics.audience(name);
    audience.handle ??= new TopicHandle(audience, this);
    return options === undefined
      ? (audience.handle as TopicHandle<Peer, In, Out, Sent>)
      : new TopicHandle(audience, this, options);
  }
}

const topicRules = {
  overflow: oneOf<Overflow>('drop-newest', 'latest', 'close'),
  keyOf: callback<(message: never) => string>(),
} satisfies Record<keyof TopicOptions<never>, Rule<unknown>>;

function checkedPolicy(options: unknown) {
  return resolved(options, topicRules, ({ keyOf, overflow }, report) => {
    if (keyOf !== undefined && overflow !== 'latest')
      report("has an effect only with overflow 'latest'", 'keyOf');
  });
}

/** Shared by all handles without options, because `topic(name).publish()` is called for each message. */
const defaults = checkedPolicy({});

/** An audience with the policy for messages that are published through this handle. */
class TopicHandle<Peer, In, Out, Sent> implements Topic<Out, Sent, Connection<Peer, In, Out>> {
  /** Used in error messages about values. */
  static readonly spokenName = 'a topic';

  readonly #audience: TopicAudience;
  readonly #broadcaster: Broadcaster<Peer, In, Out, Sent>;
  readonly #overflow: Overflow;
  readonly #keyOf: (message: Sent) => string;

  /** @throws MooringError `invalid-options` */
  constructor(
    audience: TopicAudience,
    broadcaster: Broadcaster<Peer, In, Out, Sent>,
    options?: TopicOptions<Sent>,
  ) {
    const { overflow, keyOf } = options === undefined ? defaults : checkedPolicy(options);
    this.#audience = audience;
    this.#broadcaster = broadcaster;
    this.#overflow = overflow;
    this.#keyOf = (keyOf as TopicOptions<Sent>['keyOf']) ?? (() => '');
  }

  get name(): string {
    return this.#audience.name;
  }

  get size(): number {
    return this.#audience.members.size;
  }

  get droppedMessages(): number {
    return this.#audience.dropped;
  }

  get connections(): Iterable<Connection<Peer, In, Out>> {
    const { members } = this.#audience;
    return {
      *[Symbol.iterator]() {
        for (const connection of [...members])
          if (members.has(connection)) yield handleOf<Peer, In, Out>(connection);
      },
    };
  }

  get messages$(): Observable<Sent> {
    return this.#audience.messages.observable as Observable<Sent>;
  }

  get isDurable(): boolean {
    return this.#broadcaster.durable?.isDurable(this.#audience) === true;
  }

  append(message: Out, options?: AppendOptions): Promise<Appended> {
    const { durable, contract } = this.#broadcaster;
    if (durable === null || !this.isDurable)
      throw new MooringError('not-durable', `the option durable does not name topic ${this.name}`);
    return durable.appender.append(this.name, contract.payload(message), options);
  }

  publish(message: Out, audience?: AudienceOptions<Connection<Peer, In, Out>>): Delivery {
    const publication = this.#broadcaster.publication(message, audience, (sent) =>
      this.#policyFor(sent),
    );
    const forwarded = this.#broadcaster.reach?.forward(this.name, publication) ?? false;
    this.#audience.publish(publication);
    return deliveryOf(publication, forwarded);
  }

  #policyFor(message: Sent): PublicationPolicy {
    const overflow = this.#overflow;
    const key: unknown = overflow === 'latest' ? this.#keyOf(message) : '';
    if (typeof key === 'string') return { overflow, topic: this.name, key, durable: null };
    ignoreRejection(key);
    throw new MooringError(
      'invalid-message',
      `keyOf of topic ${this.name} must return a string, not ${typeof key}`,
    );
  }

  next = (message: Out): void => {
    try {
      this.publish(message);
    } catch (thrown) {
      this.#errored(toError(thrown));
    }
  };

  error = (cause: unknown): void => {
    this.#errored(
      new MooringError('stream-errored', `the source of topic ${this.name} ended with an error`, {
        cause,
      }),
    );
  };

  complete = (): void => {};

  #errored(error: Error): void {
    this.#broadcaster.reporter.errored('topic', error);
  }

  static {
    printAs(TopicHandle.prototype, 'Topic', ({ name, size, droppedMessages }) => {
      return { name, size, droppedMessages };
    });
  }
}
