import type { ReportGate } from '../connection/report-gate.ts';
import { SupervisorError } from '../core/errors.ts';
import type { SupervisorNews } from '../core/events.ts';
import { runAll } from '../core/run-each.ts';
import { copyOf } from '../core/text.ts';
import { kindOf } from '../core/wording.ts';
import type { AcceptedPort } from './accepted-port.ts';
import type { TopicSize } from './topic.ts';
import { TopicAudience, type TopicAudienceHost } from './topic-audience.ts';

/**
 * Longest name of a topic, in bytes of UTF-8. A peer that chooses names then holds at most `limits.topicsMax` times as much of
 * them.
 */
const NAME_BYTES_MAX = 256;

/** A name of this length is short enough whatever it says: a UTF-16 code unit takes at most three bytes. */
const SHORT_NAME = Math.floor(NAME_BYTES_MAX / 3);

/** A topic got its first member, or lost its last one. */
export type TopicNews = Extract<SupervisorNews, { type: `topic.${string}` }>;

/** What topics tell their fleet. Both reach user code. */
export interface TopicsObserver {
  topicChanged(news: TopicNews): void;
  /** A subscriber of the messages of a topic threw. */
  listenerErrored(error: Error): void;
}

/**
 * Who listens to what.
 *
 * Each topic is an {@link TopicAudience}, and its members are a plain set: joining, leaving and dying cost the same for ten
 * members or ten thousand. An audience is held here while it has members or listeners. Without either it lives only as
 * long as somebody holds its handle, so names that peers invent leave nothing behind.
 */
export class Topics implements TopicAudienceHost {
  readonly reports: ReportGate;

  readonly #topicsMax: number;
  readonly #observer: TopicsObserver;
  /** With members or listeners. */
  readonly #active = new Map<string, TopicAudience>();
  /** With neither, and with a handle that somebody may hold. */
  readonly #idle = new Map<string, WeakRef<TopicAudience>>();
  readonly #collected = new FinalizationRegistry<string>((name) => this.#forget(name));
  readonly #news: TopicNews[] = [];
  /** How many news have been told, and how many may be by now. */
  #told = 0;
  #due = 0;
  #isTelling = false;
  #isComplete = false;

  constructor(topicsMax: number, reports: ReportGate, observer: TopicsObserver) {
    this.#topicsMax = topicsMax;
    this.reports = reports;
    this.#observer = observer;
  }

  /** The audience of this name. @throws SupervisorError `invalid-topic` */
  audience(name: string): TopicAudience {
    checkTopicName(name);
    return this.#find(name) ?? this.#create(name);
  }

  /** Those with members, and how many they have. */
  *sizes(): Iterator<TopicSize> {
    for (const { name, members } of [...this.#active.values()]) {
      if (members.size > 0) yield { name, size: members.size };
    }
  }

  join(port: AcceptedPort, name: string): boolean {
    checkTopicName(name);
    if (!port.isOpen) return false;
    port.topics ??= new Set();
    if (port.topics.has(name)) return true;
    if (port.topics.size >= this.#topicsMax) return false;
    const audience = this.#find(name) ?? new TopicAudience(copyOf(name), this);
    // Not the name that was given: it may be a part of a message, which it would keep alive.
    port.topics.add(audience.name);
    audience.add(port);
    if (audience.members.size === 1) this.#changed(audience, 'topic.opened');
    return true;
  }

  leave(port: AcceptedPort, name: string): boolean {
    checkTopicName(name);
    if (!port.isOpen || !port.topics?.delete(name)) return false;
    port.outbox?.forget(name);
    this.#remove(port, name);
    return true;
  }

  /** Takes a port out of all its topics, in time linear in their number. It still knows their names. */
  leaveAll(port: AcceptedPort): void {
    for (const name of port.topics ?? []) this.#remove(port, name);
  }

  /** Tells what has changed since it was last called; after a fan-out that is under way. Never from inside a transition. */
  tellNews(): void {
    if (this.#news.length === 0) return;
    const due = this.#told + this.#news.length;
    // What changes after this has a cause that is told first.
    if (this.reports.isShut) this.reports.add({ deliverReports: () => this.#tellUntil(due) });
    else this.#tellUntil(due);
  }

  /** Not by recursion: those who are told may change more, and all others hear of this first. */
  #tellUntil(due: number): void {
    this.#due = Math.max(this.#due, due);
    if (this.#isTelling) return;
    this.#isTelling = true;
    try {
      runAll(
        () => this.#nextNews(),
        (news) => this.#observer.topicChanged(news),
      );
    } finally {
      this.#isTelling = false;
    }
  }

  #nextNews(): TopicNews | undefined {
    if (this.#told >= this.#due) return undefined;
    this.#told += 1;
    return this.#news.shift();
  }

  /** Nothing will be published any more. */
  complete(): void {
    this.#isComplete = true;
    const idle = [...this.#idle.values()].map((ref) => ref.deref());
    for (const audience of [...this.#active.values(), ...idle]) audience?.messages.complete();
  }

  listenersChanged(audience: TopicAudience): void {
    this.#place(audience);
  }

  readonly listenerErrored = (error: Error): void => this.#observer.listenerErrored(error);

  #find(name: string): TopicAudience | undefined {
    return this.#active.get(name) ?? this.#idle.get(name)?.deref();
  }

  #create(name: string): TopicAudience {
    const audience = new TopicAudience(copyOf(name), this);
    if (this.#isComplete) audience.messages.complete();
    this.#idle.set(audience.name, this.#refTo(audience));
    return audience;
  }

  #remove(port: AcceptedPort, name: string): void {
    const audience = this.#active.get(name);
    if (audience?.has(port) !== true) return;
    audience.remove(port);
    if (audience.members.size === 0) this.#changed(audience, 'topic.closed');
  }

  #changed(audience: TopicAudience, type: TopicNews['type']): void {
    this.#news.push({ type, topic: audience.name });
    this.#place(audience);
  }

  /** Holds an audience that is needed, and only finds the others again. */
  #place(audience: TopicAudience): void {
    const { name } = audience;
    if (audience.isNeeded) {
      this.#active.set(name, audience);
      this.#idle.delete(name);
    } else {
      this.#active.delete(name);
      if (audience.handle !== null) this.#idle.set(name, this.#refTo(audience));
    }
  }

  /** One for its whole life: each is registered, and a registration lasts as long as the audience. */
  #refTo(audience: TopicAudience): WeakRef<TopicAudience> {
    if (audience.ref === null) {
      audience.ref = new WeakRef(audience);
      this.#collected.register(audience, audience.name);
    }
    return audience.ref;
  }

  #forget(name: string): void {
    // There may be another of this name by now.
    if (this.#idle.get(name)?.deref() === undefined) this.#idle.delete(name);
  }
}

/** Called for each `topic(name).publish()`, so most names are judged by their length alone. @throws SupervisorError `invalid-topic` */
export function checkTopicName(name: unknown): asserts name is string {
  if (typeof name !== 'string' || name.length === 0) {
    throw invalidName(`a string that is not empty, not ${kindOf(name)}`);
  }
  if (name.length <= SHORT_NAME) return;
  const bytes = Buffer.byteLength(name);
  if (bytes > NAME_BYTES_MAX) {
    throw invalidName(`at most ${NAME_BYTES_MAX} bytes long in UTF-8, not ${bytes}`);
  }
}

function invalidName(expected: string): SupervisorError {
  return new SupervisorError('invalid-topic', `a topic name must be ${expected}`);
}
