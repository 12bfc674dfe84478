import type { Observable, Observer } from 'rxjs';
import type { ChartCounts } from '../chart/chart-counts.ts';
import type { ChartActor } from '../core/actor.ts';
import type { Child, HasChildren } from '../core/child.ts';
import type { Connection, DialedConnection } from '../core/connection.ts';
import type { DrainReport, SupervisorEvent } from '../core/events.ts';
import type { Upgrade } from '../transport/upgrade.ts';

/** The state of a supervisor's chart. */
export type SupervisorState = 'admitting' | 'suspended' | 'draining' | 'stopped';

/** The number of connections in each state, accepted and dialed, and of those that have ended. */
export interface Counts {
  /** Connections that are being admitted or dialed. */
  handshaking: number;
  /** Connections that are open. */
  open: number;
  /** Connections that have failed and are about to close. */
  errored: number;
  /** Connections in their closing handshake. */
  closing: number;
  /** Connections that were open and have ended, since the supervisor began. */
  closed: number;
  /** Connections that never opened, since the supervisor began. */
  failed: number;
}

/** How to drain. */
export interface DrainOptions {
  /** The time for the whole drain, in milliseconds. @default 30_000 */
  withinMs?: number | undefined;
  /** The close code that peers receive. @default 1001 */
  code?: number | undefined;
  /** The close reason that peers receive. @default 'draining' */
  reason?: string | undefined;
  /**
   * Connections that are closed per second. If `withinMs` is too short for this pace, closing is spread over four fifths of
   * `withinMs`.
   * @default 500
   */
  perSecond?: number | undefined;
  /**
   * Whether other processes of the service take the clients. If so, each Mooring client is told so right before it is closed. It
   * then dials again within its `backoff.minMs`, however long it would wait otherwise, for example after 1012.
   * @default whether there is a bus
   */
  handOver?: boolean | undefined;
}

/** Which connections receive a publication. */
export interface AudienceOptions<C> {
  /**
   * Leaves out one connection, or several. An id may be that of a connection in another process, for example one that a client
   * has sent with a request.
   */
  except?: C | string | Iterable<C | string> | undefined;
  /**
   * Selects the connections for which it returns `true`. If it throws, the error is reported and counts as `false`. A function
   * cannot select in other processes: with a bus, it needs `local: true`.
   */
  where?(connection: C): boolean;
  /** Whether only connections of this process receive it. @default false */
  local?: boolean | undefined;
}

/**
 * What happens to a publication for a member whose outbox is above its high mark.
 *
 * - `drop-newest`: the member misses it.
 * - `latest`: the member gets it when it has caught up, unless a newer publication with the same key replaces it.
 * - `close`: the member is closed with 1013, so that it reconnects and starts afresh.
 */
export type Overflow = 'drop-newest' | 'latest' | 'close';

/**
 * How a topic treats congested members.
 *
 * @typeParam Output - what is sent: the output of `sends`.
 */
export interface TopicOptions<Output> {
  /** What happens to a publication for a congested member. @default 'drop-newest' */
  overflow?: Overflow | undefined;
  /**
   * For `latest`: returns the key of a message, for example a ticker symbol. It receives the message as sent: the output of
   * `sends`.
   * @default one key for all messages
   */
  keyOf?: ((message: Output) => string) | undefined;
}

/**
 * Whether a supervisor can reach the other processes of its service.
 *
 * - `alone`: it has no bus, so there are none.
 * - `connecting`: its bus has not been up yet, and no attempt has failed.
 * - `up`: it reaches them.
 * - `down`: it does not. It tries to.
 */
export type BusState = 'alone' | 'connecting' | 'up' | 'down';

/** The result of one publication. The numbers are of this process. */
export interface Delivery {
  /** Members to which it was sent, or in whose outbox it waits. */
  readonly delivered: number;
  /** Members that get it, or a newer publication with the same key, when they have caught up. */
  readonly kept: number;
  /** Members that do not get it, because their outbox is above its high mark or their socket is already gone. */
  readonly dropped: number;
  /**
   * Whether it was given to the bus, for the other processes of the service. It is no receipt. `false` without a bus, with
   * `local: true`, while the bus is not up, and while too much is under way to it.
   */
  readonly forwarded: boolean;
}

/** How one message is appended. */
export interface AppendOptions {
  /**
   * Names the message. Within two minutes, a topic keeps only one message with an id, even if several processes append it. 1 to
   * 128 visible ASCII characters.
   * @default a name that nobody else uses
   */
  id?: string | undefined;
}

/**
 * What became of an appended message.
 *
 * - `kept`: the bus has it.
 * - `duplicate`: the bus had a message with this id already; `position` is that of the first.
 * - `unconfirmed`: the bus did not answer in time. It may have kept the message: to find out, append it again with the same id.
 */
export type Appended =
  | { readonly outcome: 'kept' | 'duplicate'; readonly id: string; readonly position: string }
  | { readonly outcome: 'unconfirmed'; readonly id: string };

/** What happens when a connection opens whose key other open connections have. `newest` closes those with 4409. */
export type SameKeyPolicy = 'many' | 'newest';

/** What {@link Supervisor.closeKey} did. */
export interface KeyClosing {
  /** How many connections of this process it has closed. */
  readonly closed: number;
  /**
   * Whether the request was given to the bus, for the other processes of the service. It is no receipt. `false` without a bus,
   * while the bus is not up, and while too much is under way to it.
   */
  readonly forwarded: boolean;
}

/** A topic that has members. */
export interface TopicSize {
  /** The name of the topic. */
  readonly name: string;
  /** How many open connections are members. */
  readonly size: number;
}

/**
 * A named audience. It is also an RxJS Observer: `prices$.subscribe(supervisor.topic('prices'))`. {@link Topic.messages$} is an
 * Observable of what is published there.
 *
 * As an Observer, it never throws. A message that breaks the outbound contract, and an error of the source, are reported as
 * `handler.errored`. When a source completes, the topic stays open.
 *
 * @typeParam Input - what may be published: the input of `sends`.
 * @typeParam Output - what is sent: the output of `sends`.
 * @typeParam C - the members.
 */
export interface Topic<Input = unknown, Output = Input, C = Connection> extends Observer<Input> {
  /** The name that you passed to `supervisor.topic`. */
  readonly name: string;
  /** How many open connections are members. */
  readonly size: number;
  /** The members. You may join, leave and close while you iterate. A member that has left before its turn is skipped. */
  readonly connections: Iterable<C>;
  /**
   * Emits every message that is published here, through any handle, with or without members: by `publish` and by Observables
   * that feed the topic. The values are what is sent: the output of `sends`. Subscribers get a message after the members, and
   * before any message that they publish in answer. Completes when the supervisor has stopped.
   */
  readonly messages$: Observable<Output>;
  /** Publications that members missed, summed over all members, since the topic last got its first member. */
  readonly droppedMessages: number;
  /** Whether what is appended to it is kept: the answer of the option `durable`. */
  readonly isDurable: boolean;
  /** Publishes one message as an Observer. Never throws. */
  next(message: Input): void;
  /**
   * Sends one message to every open member.
   *
   * @throws MooringError `invalid-message`, `unencodable-message` or `invalid-options`
   */
  publish(message: Input, options?: AudienceOptions<C>): Delivery;
  /**
   * Keeps one message and sends it to every member, in every process of the service, and to members that are away when they
   * are back. All get what is kept in the same order, once.
   *
   * Resolves when the bus has it, or when that is not known after `timeouts.appendMs`. Never rejects.
   *
   * @throws MooringError `not-durable`, `invalid-message`, `unencodable-message`, `message-too-large` or `invalid-options`, at
   *   once.
   */
  append(message: Input, options?: AppendOptions): Promise<Appended>;
}

/** The counts of one supervisor's charts, by chart. */
export type ChartStatistics = Readonly<
  Record<'connection' | 'client' | 'pool' | 'supervisor', ChartCounts>
>;

/**
 * Supervises all connections of one service.
 *
 * @typeParam Peer - what `authenticate` returns.
 * @typeParam In - a message of the inbound contract.
 * @typeParam Out - a message that may be sent: the input of `sends`.
 * @typeParam Sent - the output of `sends`: what is encoded.
 * @typeParam Ask - a request that this side may make: the input of `asks`.
 * @typeParam Answer - the answer to it: the output of `answers`.
 */
export interface Supervisor<
  Peer = unknown,
  In = unknown,
  Out = unknown,
  Sent = Out,
  Ask = unknown,
  Answer = unknown,
> extends AsyncDisposable,
    HasChildren {
  /** The top-level state of its chart. */
  readonly state: SupervisorState;
  /** Emits everything that happens, as one closed union. Completes when the supervisor has stopped. */
  readonly events$: Observable<
    SupervisorEvent<Connection<Peer, In, Out, Ask, Answer> | DialedConnection>
  >;
  /**
   * Its read-only XState actor. It is the root of the system to which the actors of its connections, clients and pools belong.
   */
  readonly actor: ChartActor;
  /**
   * How many connections, clients and pools are in each state of their charts, and how often each arrow was taken since the
   * supervisor began. Counting costs nothing; reading adds up a few hundred numbers. A request that is refused before
   * `authenticate` runs has no chart: only {@link Supervisor.counts} counts it, as failed.
   */
  readonly chart: ChartStatistics;
  /** The number of connections in each state, accepted and dialed, and of those that have ended. */
  readonly counts: Readonly<Counts>;
  /** The clients and pools that belong to it and have not ended. */
  readonly children: Iterable<Child>;
  /** The open connections that its clients and pools have dialed. They receive no broadcasts and join no topics. */
  readonly dialed: Iterable<DialedConnection>;
  /** The open connections that were accepted. They may open and close while you iterate. */
  readonly connections: Iterable<Connection<Peer, In, Out, Ask, Answer>>;
  /** The topics that have members, and how many each has. Members may join and leave while you iterate. */
  readonly topics: Iterable<TopicSize>;
  /** Whether it can reach the other processes of its service, for example for a readiness probe. */
  readonly bus: BusState;
  /** The open connection with this id. */
  get(id: string): Connection<Peer, In, Out, Ask, Answer> | undefined;
  /** The open connections with this key. */
  byKey(key: string): readonly Connection<Peer, In, Out, Ask, Answer>[];
  /**
   * Closes every connection with this key, in every process of the service: to sign a user out, for example. Connections that
   * are not open yet are not closed, so make their sign-in invalid first. With a bus, call it again later if
   * `forwarded` is `false`.
   *
   * @param code - the close code that peers receive. @default 1000
   * @param reason - the close reason that peers receive. @default ''
   * @throws MooringError `invalid-argument` or `invalid-close`
   */
  closeKey(key: string, code?: number, reason?: string): KeyClosing;
  /**
   * Returns the topic with this name, of at most 256 bytes of UTF-8. All handles with the same name share one audience.
   *
   * Without options, you get the same object each time, as long as the topic has members or a handle of it is in use. With
   * options, you get another view of the topic: the options apply only to messages that you publish through this handle.
   *
   * @throws MooringError `invalid-topic` or `invalid-options`
   */
  topic(
    name: string,
    options?: TopicOptions<Sent>,
  ): Topic<Out, Sent, Connection<Peer, In, Out, Ask, Answer>>;
  /**
   * Sends one message to every open connection.
   *
   * @throws MooringError `invalid-message`, `unencodable-message` or `invalid-options`
   */
  broadcast(
    message: Out,
    options?: AudienceOptions<Connection<Peer, In, Out, Ask, Answer>>,
  ): Delivery;
  /** Refuses new connections with 503. Open connections stay open. */
  suspend(): void;
  /** Admits new connections again. */
  admit(): void;
  /**
   * Stops for good: refuses new connections, closes every connection at a steady pace, then every client and pool, and destroys
   * the rest at the deadline. Until then, it also waits for the close handlers of the application.
   *
   * Resolves whatever the peers do. A second call resolves with the report of the first; its options have no effect and cause a
   * warning if they differ. Rejects with a MooringError, `invalid-options` or `invalid-close`, for wrong options.
   */
  drain(options?: DrainOptions): Promise<DrainReport>;
  /**
   * Takes over one upgrade request. Use it if you cannot use `attach`.
   *
   * @param paths - the paths that are served; others get 404. @default any
   * @throws MooringError `invalid-argument`
   */
  handleUpgrade(upgrade: Upgrade, paths?: readonly string[]): void;
}
