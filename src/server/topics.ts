import { Subject } from 'rxjs/internal/Subject';
import type { Notifications } from '../chart/notifications.ts';
import type { Interest } from '../core/bus.ts';
import { MooringError } from '../core/errors.ts';
import type { UntimedEvent } from '../core/events.ts';
import { Stream } from '../core/stream.ts';
import { copyOf } from '../core/text.ts';
import { kindOf } from '../core/wording.ts';
import type { DurableTopic } from './durable/durable-topic.ts';
import type { DurableTopics } from './durable/durable-topics.ts';
import type { Audience, FanOut } from './fan-out.ts';
import type { InboundConnection } from './inbound-connection.ts';
import type { Publication } from './publication.ts';
import type { Reach } from './reach.ts';
import type { AnyReporter } from './report.ts';
import type { SharedFrames } from './shared-frames.ts';
import type { TopicSize } from './supervisor-types.ts';

/**
 * Longest name of a topic, in bytes of UTF-8. A peer that chooses names can therefore use at most `limits.topicsMax` times this
 * much memory for them.
 */
const NAME_BYTES_MAX = 256;

/** A name of this length is always short enough: a UTF-16 code unit takes at most three bytes. */
const SHORT_NAME = Math.floor(NAME_BYTES_MAX / 3);

/** A topic got its first member, or lost its last one. */
export type TopicEvent = Extract<UntimedEvent, { type: 'topic.opened' | 'topic.closed' }>;

/**
 * The members of one topic, and its two streams: an RxJS pipeline into {@link FanOut.publish} while it has members, and
 * `messages$` for listeners in this process.
 */
export class TopicAudience implements Audience {
  readonly name: string;
  readonly members = new Set<InboundConnection>();
  removals = 0;
  shared: SharedFrames | null = null;
  /** The public handle without options; made on first use. */
  handle: object | null = null;
  /** Hears what other processes publish, while it is needed. Only `Reach` sets it. */
  interest: Interest | null = null;
  /** Whether the option `durable` names it; `undefined` before it was asked. */
  isDurable: boolean | undefined;
  /** What is kept in it, while it is needed. Only `DurableTopics` sets it. */
  durable: DurableTopic | null = null;
  /** Lets {@link Topics} find it while it is idle. */
  ref: WeakRef<TopicAudience> | null = null;

  readonly #topics: Topics;
  #publications: Subject<Publication> | null = null;
  #messages: Stream<unknown> | null = null;
  #dropped = 0;

  constructor(name: string, topics: Topics) {
    this.name = name;
    this.#topics = topics;
  }

  [Symbol.iterator](): Iterator<InboundConnection> {
    return this.members.values();
  }

  get size(): number {
    return this.members.size;
  }

  has(connection: InboundConnection): boolean {
    return this.members.has(connection);
  }

  /** Whether it must be kept even if its handle is not in use. */
  get isNeeded(): boolean {
    return this.members.size > 0 || this.isObserved;
  }

  /** Whether somebody in this process listens to its messages. */
  get isObserved(): boolean {
    return this.#messages?.observed === true;
  }

  /** Publications that members missed, since it last got its first member. */
  get dropped(): number {
    return this.members.size === 0 ? 0 : this.#dropped;
  }

  /** The stream of published messages; made on first use. */
  get messages(): Stream<unknown> {
    const topics = this.#topics;
    this.#messages ??= new Stream<unknown>(topics.listenerErrored, undefined, () =>
      topics.place(this),
    );
    return this.#messages;
  }

  add(connection: InboundConnection): void {
    if (this.members.size === 0) this.#dropped = 0;
    this.members.add(connection);
  }

  remove(connection: InboundConnection): void {
    this.members.delete(connection);
    this.removals += 1;
    if (this.members.size > 0) return;
    this.#publications?.complete();
    this.#publications = null;
  }

  /** Writes a publication to the members, then emits its message to the listeners. */
  publish(publication: Publication): void {
    this.deliver(publication);
    if (this.isObserved) this.announce(publication.message);
  }

  /** Writes a publication to the members. */
  deliver(publication: Publication): void {
    if (this.members.size > 0) this.#pipeline().next(publication);
  }

  /** Emits a message as a notification, so that a listener that publishes in answer does not run inside a fan-out. */
  announce(message: unknown): void {
    this.#topics.notifications.add(() => this.messages.next(message));
  }

  /** Made for the first publication, because it takes as much memory as the rest of a topic. */
  #pipeline(): Subject<Publication> {
    if (this.#publications !== null) return this.#publications;
    const publications$ = new Subject<Publication>();
    publications$.subscribe((publication) => {
      this.#topics.fanOut.publish(publication, this);
      this.#dropped += publication.dropped + publication.replaced;
    });
    this.#publications = publications$;
    return publications$;
  }
}

/** The dependencies of topics. */
export interface TopicsParts {
  readonly fanOut: FanOut;
  readonly notifications: Notifications;
  readonly reporter: AnyReporter;
  /** `null` without other processes. */
  readonly reach: Reach | null;
  /** `null` without durable topics. */
  readonly durable: DurableTopics | null;
}

/**
 * The topics of one supervisor.
 *
 * Each topic is a {@link TopicAudience}, and its members are a plain set: joining and leaving cost the same with ten members or
 * ten thousand. An audience is kept here while it has members or listeners. Otherwise it lives only while its handle is in use,
 * so names that peers invent leave nothing behind.
 */
export class Topics {
  readonly notifications: Notifications;
  readonly fanOut: FanOut;

  readonly #topicsMax: number;
  readonly #reporter: AnyReporter;
  readonly #reach: Reach | null;
  readonly #durable: DurableTopics | null;
  /** Audiences with members or listeners. */
  readonly #active = new Map<string, TopicAudience>();
  /** Audiences with neither, whose handle may still be in use. */
  readonly #idle = new Map<string, WeakRef<TopicAudience>>();
  readonly #collected = new FinalizationRegistry<string>((name) => this.#forget(name));
  /** Events that have not been added to the notifications yet. */
  #events: TopicEvent[] = [];
  #isComplete = false;

  constructor(topicsMax: number, { fanOut, notifications, reporter, reach, durable }: TopicsParts) {
    this.#topicsMax = topicsMax;
    this.fanOut = fanOut;
    this.notifications = notifications;
    this.#reporter = reporter;
    this.#reach = reach;
    this.#durable = durable;
  }

  /** The audience of this name. @throws MooringError `invalid-topic` */
  audience(name: string): TopicAudience {
    checkTopicName(name);
    return this.#find(name) ?? this.#create(name);
  }

  /** The topics that a connection is a member of. */
  *audiencesOf(connection: InboundConnection): Iterable<TopicAudience> {
    for (const name of connection.side.topics ?? []) {
      const audience = this.#active.get(name);
      if (audience?.has(connection)) yield audience;
    }
  }

  /** The topics with members, and how many each has. */
  *sizes(): Iterator<TopicSize> {
    for (const { name, members } of [...this.#active.values()]) {
      if (members.size > 0) yield { name, size: members.size };
    }
  }

  join(connection: InboundConnection, name: string): boolean {
    checkTopicName(name);
    if (!connection.isOpen) return false;
    connection.side.topics ??= new Set();
    if (connection.side.topics.has(name)) return true;
    if (connection.side.topics.size >= this.#topicsMax) return false;
    const audience = this.#find(name) ?? new TopicAudience(copyOf(name), this);
    // Not the given name, which may be a slice of a message and would keep the message alive.
    connection.side.topics.add(audience.name);
    // It must not get what was published before.
    if (audience.shared !== null) this.fanOut.setApart(connection);
    audience.add(connection);
    if (audience.members.size === 1) this.#changed(audience, 'topic.opened');
    audience.durable?.joined(connection);
    return true;
  }

  leave(connection: InboundConnection, name: string): boolean {
    checkTopicName(name);
    if (!connection.isOpen || !connection.side.topics?.has(name)) return false;
    this.fanOut.claim(connection);
    this.#active.get(name)?.durable?.leaves(connection);
    connection.side.topics.delete(name);
    connection.side.forgetTopic(name);
    this.#remove(connection, name);
    return true;
  }

  /** Takes a connection out of all its topics, in time linear in their number. The connection keeps their names. */
  leaveAll(connection: InboundConnection): void {
    for (const name of connection.side.topics ?? []) this.#remove(connection, name);
  }

  /** Emits the events since the last call. They are held back, because a connection leaves its topics before its own report. */
  emitEvents(): void {
    if (this.#events.length === 0) return;
    const events = this.#events;
    this.#events = [];
    for (const event of events) this.notifications.add(() => this.#reporter.emit(event));
  }

  /** Completes all streams, when the supervisor has stopped. */
  complete(): void {
    this.#isComplete = true;
    const idle = [...this.#idle.values()].map((ref) => ref.deref());
    for (const audience of [...this.#active.values(), ...idle]) audience?.messages.complete();
  }

  readonly listenerErrored = (error: Error): void =>
    this.#reporter.errored('topic.messages$', error);

  #find(name: string): TopicAudience | undefined {
    return this.#active.get(name) ?? this.#idle.get(name)?.deref();
  }

  #create(name: string): TopicAudience {
    const audience = new TopicAudience(copyOf(name), this);
    if (this.#isComplete) audience.messages.complete();
    this.#idle.set(audience.name, this.#refTo(audience));
    return audience;
  }

  #remove(connection: InboundConnection, name: string): void {
    const audience = this.#active.get(name);
    if (audience?.has(connection) !== true) return;
    audience.remove(connection);
    audience.durable?.left(connection);
    if (audience.members.size === 0) this.#changed(audience, 'topic.closed');
  }

  #changed(audience: TopicAudience, type: TopicEvent['type']): void {
    this.#events.push({ type, topic: audience.name });
    this.place(audience);
  }

  /** Keeps an audience that is needed and holds the others weakly. */
  place(audience: TopicAudience): void {
    const { name } = audience;
    if (audience.isNeeded) {
      this.#active.set(name, audience);
      this.#idle.delete(name);
      this.#reach?.listen(audience);
      this.#durable?.needed(audience);
    } else {
      this.#reach?.stopListening(audience);
      this.#durable?.unneeded(audience);
      this.#active.delete(name);
      if (audience.handle !== null) this.#idle.set(name, this.#refTo(audience));
    }
  }

  /** Makes one reference per audience, because each is registered and a registration lasts as long as the audience. */
  #refTo(audience: TopicAudience): WeakRef<TopicAudience> {
    if (audience.ref === null) {
      audience.ref = new WeakRef(audience);
      this.#collected.register(audience, audience.name);
    }
    return audience.ref;
  }

  #forget(name: string): void {
    // Another audience may have this name by now.
    if (this.#idle.get(name)?.deref() === undefined) this.#idle.delete(name);
  }
}

/**
 * Checks most names by their length alone, because it runs for each `topic(name).publish()`. @throws MooringError
 * `invalid-topic`
 */
export function checkTopicName(name: unknown): asserts name is string {
  if (typeof name !== 'string' || name.length === 0) {
    throw invalidName(`a non-empty string, not ${kindOf(name)}`);
  }
  // It would have no UTF-8, so it could not be told from others in another process.
  if (!name.isWellFormed()) throw invalidName('well-formed, without a lone surrogate');
  if (name.length <= SHORT_NAME) return;
  const bytes = Buffer.byteLength(name);
  if (bytes > NAME_BYTES_MAX) {
    throw invalidName(`at most ${NAME_BYTES_MAX} bytes long in UTF-8, not ${bytes}`);
  }
}

function invalidName(expected: string): MooringError {
  return new MooringError('invalid-topic', `a topic name must be ${expected}`);
}
