import type { Child } from './child.ts';
import type { Connection, ConnectionIdentity, DialedConnection } from './connection.ts';
import type { Failure } from './failure.ts';
import type { HandlerName } from './guard.ts';
import type { CloseCause, CloseVerdict, Origin } from './verdict.ts';

/** What a drain did. */
export interface DrainReport {
  /** Connections that ended before the deadline, by a closing handshake or otherwise. */
  readonly closed: number;
  /** Connections that had to be destroyed at the deadline. */
  readonly forced: number;
  /** Close handlers and disposers of the application that had not settled at the deadline. */
  readonly unsettled: number;
  /** How long it took, in milliseconds. */
  readonly tookMs: number;
}

/** Where in a message the inbound contract was broken. */
export interface InvalidMessage {
  /** The path of the fault, for example `items[2].price`; empty for the message as a whole. */
  readonly path: string;
  /** What is wrong there, in one sentence. */
  readonly problem: string;
  /** 1003, 1007 or 1008: the close code that fits (RFC 6455 §7.4.1). */
  readonly closeCode: 1003 | 1007 | 1008;
}

/** The connection of an event. */
export interface OfConnection<C> {
  readonly connection: C;
}

/**
 * Every event of a supervisor, as one closed union.
 *
 * @typeParam C - the type of the connections in the events.
 */
export type UntimedEvent<C extends ConnectionIdentity = Connection | DialedConnection> =
  | ({ readonly type: 'connection.opened' } & OfConnection<C>)
  | ({ readonly type: 'connection.suspect' } & OfConnection<C>)
  | ({ readonly type: 'connection.asleep' } & OfConnection<C>)
  | ({ readonly type: 'connection.healthy' } & OfConnection<C>)
  | ({ readonly type: 'connection.congested' } & OfConnection<C>)
  | ({ readonly type: 'connection.flowing' } & OfConnection<C>)
  | ({
      readonly type: 'connection.errored';
      readonly cause: CloseCause;
      readonly error?: Error;
    } & OfConnection<C>)
  | ({
      readonly type: 'connection.closing';
      readonly origin: Origin;
      /** The code of the close frame that started it; 1006 when none did. */
      readonly code: number;
      readonly reason: string;
    } & OfConnection<C>)
  | ({ readonly type: 'connection.closed'; readonly verdict: CloseVerdict } & OfConnection<C>)
  | { readonly type: 'connection.failed'; readonly id: string; readonly failure: Failure }
  | { readonly type: 'connection.crashed'; readonly error: Error }
  | ({ readonly type: 'message.invalid'; readonly fault: InvalidMessage } & OfConnection<C>)
  | {
      readonly type: 'handler.errored';
      readonly handler: HandlerName;
      readonly error: Error;
      readonly connection?: C;
    }
  | { readonly type: 'topic.opened'; readonly topic: string }
  | { readonly type: 'topic.closed'; readonly topic: string }
  | {
      readonly type: 'topic.reset';
      readonly topic: string;
      /** How many members it has in this process. */
      readonly members: number;
    }
  | {
      readonly type: 'append.unconfirmed';
      readonly topic: string;
      readonly id: string;
      readonly error: Error;
    }
  | { readonly type: 'child.changed'; readonly child: Child }
  | { readonly type: 'bus.up' }
  | { readonly type: 'bus.down'; readonly error?: Error }
  | { readonly type: 'supervisor.suspended' }
  | { readonly type: 'supervisor.admitting' }
  | {
      readonly type: 'supervisor.draining';
      readonly connections: number;
      readonly withinMs: number;
    }
  | { readonly type: 'supervisor.stopped'; readonly report: DrainReport };

/** An event with the wall time at which it was emitted, in milliseconds since 1970. */
export type SupervisorEvent<C extends ConnectionIdentity = Connection | DialedConnection> =
  UntimedEvent<C> & {
    readonly at: number;
  };

/**
 * Why a message was dropped.
 *
 * - `queue-full`: newer messages needed its place in the queue.
 * - `expired`: it waited longer than its `ttlMs`.
 * - `stopped`: it waited when the client was closed.
 * - `gave-up`: it waited when the client gave up.
 * - `connection-lost`: the socket had it, and the connection ended before the message had certainly left this process.
 */
export type DropReason = 'queue-full' | 'expired' | 'stopped' | 'gave-up' | 'connection-lost';

/** The application code that threw: an option, or a subscriber of a stream. `client` and `pool` are Mooring itself. */
export type ClientHandlerName =
  | 'onOpen'
  | 'onMessage'
  | 'onRequest'
  | 'messages'
  | 'retry'
  | 'privateCodes'
  | 'heartbeat.message'
  | 'heartbeat.expects'
  | 'signs'
  | 'random'
  | 'inspect'
  | 'actor'
  | 'messages$'
  | 'status$'
  | 'endings$'
  | 'recoveries$'
  | 'client'
  | 'pool';

/**
 * An event of a client or a pool. Its status and its endings have streams of their own.
 *
 * @typeParam Out - a message that may be sent: the input of `sends`.
 */
export type ClientEvent<Out = unknown> =
  | { readonly type: 'message.dropped'; readonly message: Out; readonly reason: DropReason }
  | { readonly type: 'message.invalid'; readonly fault: InvalidMessage }
  | {
      readonly type: 'handler.errored';
      readonly handler: ClientHandlerName;
      readonly error: Error;
    };
