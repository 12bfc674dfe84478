import { Subject } from 'rxjs';
import type { Notifications } from '../chart/notifications.ts';
import type { ReportThrown } from '../core/guard.ts';
import { Stream } from '../core/stream.ts';
import { fanOut, type Publication, type Reachable } from './fan-out.ts';
import type { InboundConnection } from './inbound-connection.ts';

/** What an audience needs of the topics that it belongs to. */
export interface TopicAudienceHost {
  readonly notifications: Notifications;
  /** Somebody has begun, or ceased, to listen to what is published there. */
  listenersChanged(audience: TopicAudience): void;
  /** Reports what a listener threw. */
  readonly listenerErrored: ReportThrown;
}

/**
 * The members of one topic, and its two streams: one RxJS pipeline into {@link fanOut} while it has members, and one
 * out to those who listen to what is published there.
 */
export class TopicAudience implements Reachable {
  readonly name: string;
  readonly members = new Set<InboundConnection>();
  removals = 0;
  /** The public handle without options of its own; made when somebody asks for it. */
  handle: object | null = null;
  /** How its topics find it while it is idle. */
  ref: WeakRef<TopicAudience> | null = null;

  readonly #host: TopicAudienceHost;
  #publications: Subject<Publication> | null = null;
  #messages: Stream<unknown> | null = null;
  #dropped = 0;

  constructor(name: string, host: TopicAudienceHost) {
    this.name = name;
    this.#host = host;
  }

  [Symbol.iterator](): Iterator<InboundConnection> {
    return this.members.values();
  }

  has(connection: InboundConnection): boolean {
    return this.members.has(connection);
  }

  /** Whether it must be there although nobody may hold its handle. */
  get isNeeded(): boolean {
    return this.members.size > 0 || this.#messages?.observed === true;
  }

  /** Publications that members did not get since it has had members. */
  get dropped(): number {
    return this.members.size === 0 ? 0 : this.#dropped;
  }

  /** What is published there; made when it is first asked for. */
  get messages(): Stream<unknown> {
    const host = this.#host;
    this.#messages ??= new Stream<unknown>(host.listenerErrored, undefined, () =>
      host.listenersChanged(this),
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

  /** Writes a publication to its members; then those who listen get its message. */
  publish(publication: Publication): void {
    if (this.members.size > 0) this.#pipeline().next(publication);
    if (this.#messages?.observed) this.#announce(this.#messages, publication.message);
  }

  /** Not from inside a fan-out, and in the order of publication: a listener may publish in answer. */
  #announce(messages: Stream<unknown>, message: unknown): void {
    this.#host.notifications.add(() => messages.next(message));
  }

  /** Made for the first publication: it takes as much memory as all else of a topic. */
  #pipeline(): Subject<Publication> {
    if (this.#publications !== null) return this.#publications;
    const publications$ = new Subject<Publication>();
    publications$.subscribe((publication) => {
      fanOut(publication, this, this.#host.notifications);
      this.#dropped += publication.dropped + publication.replaced;
    });
    this.#publications = publications$;
    return publications$;
  }
}
