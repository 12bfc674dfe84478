import type { Observable } from 'rxjs';
import type { ChartActor } from './actor.ts';
import type { CloseVerdict } from './verdict.ts';

/** The top-level state of a connection's chart. */
export type ConnectionState = 'handshaking' | 'open' | 'errored' | 'closing' | 'closed' | 'failed';

/**
 * What became of one outbound message.
 *
 * - `sent`: the operating system has taken it. It is not proof that the peer got it.
 * - `queued`: it waits in this process: for the end of this turn of the event loop, when it leaves together
 *   with what else the turn has for this connection, or behind what the peer has not taken yet.
 * - `refused`: it was not accepted: the connection is not open, or its outbox is above the high mark.
 */
export type SendResult = 'sent' | 'queued' | 'refused';

/**
 * What became of one outbound message in the end.
 *
 * - `sent`: the operating system has taken it. It is not proof that the peer got it.
 * - `refused`: it was not accepted, as `send` would have said.
 * - `lost`: it was accepted, and the connection ended before it had left this process.
 */
export type FlushResult = 'sent' | 'refused' | 'lost';

/** Whether the peer takes what it is sent: `congested` above the outbox's high mark. */
export type Flow = 'flowing' | 'congested';

/** Who a connection is; enough for a log line. */
export interface ConnectionIdentity {
  /** Unique within the supervisor. */
  readonly id: string;
  /** What the `key` option made of it. */
  readonly key: string | undefined;
  /** The peer's address, from `admission.addressOf` or the TCP connection: without a port, in its usual spelling. */
  readonly address: string;
  /** The path of the upgrade request, without its query. Foreign text: escape it before showing it. */
  readonly path: string;
}

/**
 * One supervised socket, accepted or dialed, from open to its verdict.
 *
 * The handle stays safe for ever: after the end every operation answers `false` or `'refused'`.
 *
 * @typeParam In - a message of the inbound contract.
 * @typeParam Out - a message that may be sent: the input of `sends`.
 */
export interface SupervisedConnection<In = unknown, Out = unknown> extends ConnectionIdentity {
  /** The subprotocol agreed on (RFC 6455 §1.9), or an empty string. */
  readonly subprotocol: string;
  /** The chart's top-level state, at this moment. */
  readonly state: ConnectionState;
  /** Every active state of the chart as a path, for example `open.flow.congested`. */
  readonly states: readonly string[];
  /** Wall time at which it opened, in milliseconds since 1970. */
  readonly openedAt: number;
  /** Whether the peer takes what it is sent. */
  readonly flow: Flow;
  /** Bytes that wait in this process for the peer to take them. */
  readonly bufferedBytes: number;
  /** The verdict, once closed. */
  readonly verdict: CloseVerdict | undefined;
  /**
   * Its XState actor, for reading: it fits `waitFor`, `useSelector` and inspectors. Its output is the verdict.
   *
   * @throws MooringError `no-actor` in a page whose entry does not bring XState.
   */
  readonly actor: ChartActor<CloseVerdict>;
  /** Messages that fulfil the inbound contract. Completes when the connection ends; never errors. */
  readonly messages$: Observable<In>;

  /**
   * Sends one message. Never throws for the state of the connection.
   *
   * @throws MooringError `invalid-message` or `unencodable-message` when the message itself is wrong.
   */
  send(message: Out): SendResult;
  /**
   * Sends one message and waits until the operating system has taken it, or never will. Never rejects for the
   * state of the connection, and settles with its end at the latest. Rejects with a MooringError, `invalid-message` or
   * `unencodable-message`, when the message itself is wrong.
   */
  sendAndFlush(message: Out): Promise<FlushResult>;
  /**
   * Starts the closing handshake (RFC 6455 §7.1.2) and destroys the socket after `timeouts.closeMs`.
   *
   * Returns whether this call started it. A reason longer than 123 bytes of UTF-8 is cut.
   *
   * @throws MooringError `invalid-close`, in every state, for a code that may not be sent.
   * @defaultValue code 1000, no reason
   */
  close(code?: number, reason?: string): boolean;
  /**
   * Ends the connection because of an error: it is recorded, 1011 is sent as a last word, and the socket is
   * destroyed after `timeouts.erroredMs` at the latest. Returns whether this call ended it.
   */
  fail(error: unknown): boolean;
  /** Destroys the socket now. Returns whether there was anything left to destroy. */
  terminate(): boolean;
  /**
   * Stops delivering messages at once, until `resume()`. Nothing is lost: messages wait in order, at most two reads of them in
   * this process, the rest in the network and with the peer. There is no time limit.
   *
   * Pings are still written, but no answer is expected. Pings of the peer are not answered, so a peer with a heartbeat may
   * end the connection. `close`, `terminate` and a drain work as usual, and end it without delivering what waits.
   *
   * @returns whether this call paused it: `false` when it is not open, or paused by an earlier call.
   */
  pause(): boolean;
  /**
   * Delivers messages again, as soon as nothing else holds them up: `onOpen`, handlers that have fallen behind, or the rate.
   *
   * @returns whether this call undid a `pause()`.
   */
  resume(): boolean;
}

/** How a connection is renewed. */
export interface RenewOptions {
  /** After how many milliseconds from now it is closed with 3000; `null` for never. @default as before */
  readonly expiresInMs?: number | null;
}

/**
 * A connection whose peer came to us.
 *
 * @typeParam Peer - what `authenticate` returned.
 */
export interface Connection<Peer = unknown, In = unknown, Out = unknown>
  extends SupervisedConnection<In, Out> {
  readonly direction: 'accepted';
  /** What `authenticate` returned, or `renew` was given since. */
  readonly peer: Peer;
  /** Publications that it did not get: its outbox was above the high mark, or its socket gone already. */
  readonly droppedMessages: number;
  /** The topics it is a member of; after the end, those that it was a member of. */
  readonly topics: readonly string[];
  /**
   * Joins a topic; `false` when not open or already in `limits.topicsMax` topics.
   *
   * @throws MooringError `invalid-topic`, in every state, for a name that is empty or longer than 256 bytes of UTF-8.
   */
  join(topic: string): boolean;
  /** Leaves a topic; `false` when it was no member. @throws MooringError `invalid-topic`, as `join` does. */
  leave(topic: string): boolean;
  /**
   * Replaces its peer, for example after it has sent a fresh token, and with `expiresInMs` lets it expire later. Without
   * `expiresInMs` it expires as before. Calls `key` again. Returns `false`, and changes nothing, when it is not open.
   *
   * @throws MooringError `invalid-options` when `expiresInMs` is neither a number nor `null`, or for any other option.
   */
  renew(peer: Peer, options?: RenewOptions): boolean;
}

/** A connection that a client or a pool of ours dialed; its address is the host asked for. */
export interface DialedConnection<In = unknown, Out = unknown>
  extends SupervisedConnection<In, Out> {
  readonly direction: 'dialed';
}
