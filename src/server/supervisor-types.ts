import type { Observable, Observer } from 'rxjs';
import type { ChartCounts } from '../chart/chart-counts.ts';
import type { ChartActor } from '../core/actor.ts';
import type { Child, HasChildren } from '../core/child.ts';
import type { Connection, DialedConnection } from '../core/connection.ts';
import type { DrainReport, SupervisorEvent } from '../core/events.ts';
import type { Upgrade } from '../transport/upgrade.ts';

/** The state of a supervisor's chart. */
export type SupervisorState = 'admitting' | 'suspended' | 'draining' | 'stopped';

/** Connections by state, accepted and dialed, and what has ended so far. */
export interface Counts {
  handshaking: number;
  open: number;
  errored: number;
  closing: number;
  /** Ended after having been open, since the supervisor began. */
  closed: number;
  /** Ended without ever having been open, since the supervisor began. */
  failed: number;
}

/** How to drain. */
export interface DrainOptions {
  /** Time for everything, in milliseconds. @default 30_000 */
  withinMs?: number;
  /** The close code peers get. @default 1001 */
  code?: number;
  /** The close reason peers get. @default 'draining' */
  reason?: string;
  /**
   * Connections closed per second. When the time is too short for this pace, closing is spread over four
   * fifths of it.
   * @default 500
   */
  perSecond?: number;
}

/** Who gets a publication. */
export interface AudienceOptions<C> {
  /** Leaves out one connection, or several. */
  except?: C | Iterable<C>;
  /** Only connections for which it returns `true`. When it throws, that is reported and counts as `false`. */
  where?(connection: C): boolean;
}

/**
 * What a publication does about a member whose outbox is above its high mark.
 *
 * - `drop-newest`: the member misses it.
 * - `latest`: the member gets it when it has caught up, unless there is a newer one of the same key by then.
 * - `close`: the member is closed with 1013; it is to come back and start afresh.
 */
export type Overflow = 'drop-newest' | 'latest' | 'close';

/**
 * How a topic treats its members.
 *
 * @typeParam Output - a message as it is sent.
 */
export interface TopicOptions<Output> {
  /** What happens to a member that is congested. @default 'drop-newest' */
  overflow?: Overflow;
  /**
   * For `latest`: what a message is about, for example a symbol. It gets what is sent: the output of `sends`.
   * @default all are about the same
   */
  keyOf?: (message: Output) => string;
}

/** What became of one publication. */
export interface Delivery {
  /** Members that got it, or have it waiting in their outbox. */
  readonly delivered: number;
  /** Members that get it, or a newer one of its key, when they have caught up. */
  readonly kept: number;
  /** Members that will not get it: their outbox is above its high mark, or their socket is gone already. */
  readonly dropped: number;
}

/** A topic that has members. */
export interface TopicSize {
  readonly name: string;
  /** How many open connections are members. */
  readonly size: number;
}

/**
 * A named audience. Also an RxJS Observer: `prices$.subscribe(supervisor.topic('prices'))`, and with
 * {@link Topic.messages$} an Observable of what is published there.
 *
 * As an Observer it never throws: a message that breaks the outbound contract, and an error of the source,
 * are reported as `handler.errored`. Completion of a source leaves the topic as it is.
 *
 * @typeParam Input - what may be published: the input of `sends`.
 * @typeParam Output - what is sent: the output of `sends`.
 * @typeParam C - the members.
 */
export interface Topic<Input = unknown, Output = Input, C = Connection> extends Observer<Input> {
  readonly name: string;
  /** How many open connections are members. */
  readonly size: number;
  /** The members. The iteration survives joins, leaves and endings meanwhile, and yields none that has left before its turn. */
  readonly connections: Iterable<C>;
  /**
   * Every message that is published here, through any handle, with or without members: by `publish` and by Observables that
   * feed the topic. Emits what is sent: the output of `sends`. Subscribers get a message after the members, and before any
   * message that they publish in answer. Completes when the supervisor has stopped.
   */
  readonly messages$: Observable<Output>;
  /** Publications that members did not get, summed over all members, since it has had any. */
  readonly droppedMessages: number;
  /** Publishes one message, as an Observer: never throws. */
  next(message: Input): void;
  /**
   * Sends one message to every open member.
   *
   * @throws MooringError `invalid-message`, `unencodable-message` or `invalid-options`
   */
  publish(message: Input, options?: AudienceOptions<C>): Delivery;
}

/** What the charts of one supervisor have counted, by chart. */
export type ChartStatistics = Readonly<
  Record<'connection' | 'client' | 'pool' | 'supervisor', ChartCounts>
>;

/**
 * Watches over all connections of one service.
 *
 * @typeParam Peer - what `authenticate` returns.
 * @typeParam In - a message of the inbound contract.
 * @typeParam Out - a message that may be sent: the input of `sends`.
 * @typeParam Sent - a message as it is sent: the output of `sends`.
 */
export interface Supervisor<Peer = unknown, In = unknown, Out = unknown, Sent = Out>
  extends AsyncDisposable,
    HasChildren {
  readonly state: SupervisorState;
  /** Everything that happens, as one closed union. Completes when the supervisor has stopped. */
  readonly events$: Observable<SupervisorEvent<Connection<Peer, In, Out> | DialedConnection>>;
  /** Its XState actor, for reading; the root of the system to which the actors of its connections, clients and pools belong. */
  readonly actor: ChartActor;
  /**
   * How many connections, clients and pools are in each state of their charts, and how often each arrow was taken, since
   * the supervisor began. Counting costs nothing; reading adds up some hundred numbers. A request that is refused before
   * `authenticate` is asked has no chart: only {@link Supervisor.counts} counts it, as failed.
   */
  readonly chart: ChartStatistics;
  /** Connections by state, accepted and dialed, and what has ended so far. */
  readonly counts: Readonly<Counts>;
  /** The clients and pools that belong to it and have not come to their end. */
  readonly children: Iterable<Child>;
  /** The open connections that its clients and pools have dialed. They get no broadcasts and join no topics. */
  readonly dialed: Iterable<DialedConnection>;
  /** The open connections that were accepted. The iteration survives whatever happens to them meanwhile. */
  readonly connections: Iterable<Connection<Peer, In, Out>>;
  /** The topics that have members, and how many each has. The iteration survives what happens meanwhile. */
  readonly topics: Iterable<TopicSize>;
  /** The open connection with this id. */
  get(id: string): Connection<Peer, In, Out> | undefined;
  /** The open connections with this key. */
  byKey(key: string): readonly Connection<Peer, In, Out>[];
  /**
   * A named audience. The same name is the same audience, whichever handle is used. A name has at most 256 bytes of UTF-8.
   *
   * Without options you get the same object each time, while the topic has members or somebody holds a handle of it. With
   * options you get a view of it: options are about what is published through this handle, and nothing else.
   *
   * @throws MooringError `invalid-topic` or `invalid-options`
   */
  topic(name: string, options?: TopicOptions<Sent>): Topic<Out, Sent, Connection<Peer, In, Out>>;
  /**
   * Sends one message to every open connection.
   *
   * @throws MooringError `invalid-message`, `unencodable-message` or `invalid-options`
   */
  broadcast(message: Out, options?: AudienceOptions<Connection<Peer, In, Out>>): Delivery;
  /** Refuses new connections with 503; the open ones live on. */
  suspend(): void;
  /** Takes new connections again. */
  admit(): void;
  /**
   * Stops for good: refuses newcomers, closes every connection at a steady pace, then every client and pool, destroys
   * what is left at the deadline, and waits within it for the application's close handlers.
   *
   * Resolves whatever the peers do, a second time with the report of the first; options of a second call change nothing,
   * and that is a warning. Rejects with a MooringError, `invalid-options` or `invalid-close`, for options that are wrong.
   */
  drain(options?: DrainOptions): Promise<DrainReport>;
  /**
   * Takes over one upgrade request; for hosts that `attach` does not know.
   *
   * @param paths - paths that are served; others get 404. @default any
   * @throws MooringError `invalid-argument`
   */
  handleUpgrade(upgrade: Upgrade, paths?: readonly string[]): void;
}
