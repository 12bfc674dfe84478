import type { Observable } from 'rxjs';
import type { ChartCounts } from '../chart/chart.ts';
import type { ChartActor } from '../core/actor.ts';
import type { Child, HasChildren } from '../core/child.ts';
import type { Connection, DialedConnection } from '../core/connection.ts';
import type { DrainReport, SupervisorEvent } from '../core/events.ts';
import type { Upgrade } from '../transport/upgrade.ts';
import type { Delivery, Topic, TopicOptions, TopicSize } from './topic.ts';

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
   * the supervisor began. Counting costs nothing; reading adds up some hundred numbers.
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
