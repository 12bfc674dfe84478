import type { Observable } from 'rxjs';
import type { ChartActor } from './actor.ts';
import type { Receipt, RequestOptions, SendOptions } from './request.ts';
import type { CloseVerdict } from './verdict.ts';

/** The top-level state of a connection's chart. */
export type ConnectionState = 'handshaking' | 'open' | 'errored' | 'closing' | 'closed' | 'failed';

/**
 * The result of `send`.
 *
 * - `sent`: the operating system has taken the message. This does not prove that the peer got it.
 * - `queued`: the message waits in this process, either until the peer has taken earlier messages, or for the end of this
 *   turn of the event loop, when all waiting messages leave together.
 * - `refused`: the message was not accepted: the connection is not open, or its outbox is above the high mark.
 */
export type SendResult = 'sent' | 'queued' | 'refused';

/**
 * The final result of an outbound message.
 *
 * - `sent`: the operating system has taken the message. This does not prove that the peer got it.
 * - `refused`: the message was not accepted, as with `send`.
 * - `lost`: the message was accepted, but the connection ended before the message left this process.
 */
export type FlushResult = 'sent' | 'refused' | 'lost';

/** Whether the peer keeps up with what it is sent; `congested` above the high mark of the outbox. */
export type Flow = 'flowing' | 'congested';

/** What identifies a connection; enough for a log line. */
export interface ConnectionIdentity {
  /**
   * Unique among the connections of its supervisor. Without a supervisor, unique among the connections of its client or pool.
   */
  readonly id: string;
  /** The result of your `key` function for its peer. */
  readonly key: string | undefined;
  /**
   * The address of the peer. For an accepted connection, it comes from `admission.addressOf` or the TCP connection, without a
   * port and in its usual spelling. For a dialed one, it is the host of the URL, unresolved, with its port unless that is the
   * default.
   */
  readonly address: string;
  /** The path of the upgrade request, without its query. Foreign text: escape it before showing it. */
  readonly path: string;
}

/**
 * One supervised socket, accepted or dialed, from open to its verdict.
 *
 * The handle stays safe to use: after the end, every operation returns `false` or `'refused'`.
 *
 * @typeParam In - a message of the inbound contract.
 * @typeParam Out - a message that may be sent: the input of `sends`.
 * @typeParam Ask - a request that this side may make: the input of `asks`.
 * @typeParam Answer - the answer to it: the output of `answers`.
 */
export interface SupervisedConnection<In = unknown, Out = unknown, Ask = unknown, Answer = unknown>
  extends ConnectionIdentity {
  /** The agreed subprotocol (RFC 6455 §1.9), or an empty string. */
  readonly subprotocol: string;
  /** The current top-level state of the chart. */
  readonly state: ConnectionState;
  /** Every active state of the chart as a path, for example `open.flow.congested`. */
  readonly states: readonly string[];
  /** Wall time at which it opened, in milliseconds since 1970. */
  readonly openedAt: number;
  /** Whether the peer keeps up with what it is sent. */
  readonly flow: Flow;
  /** Bytes that wait in this process until the peer takes them. */
  readonly bufferedBytes: number;
  /** The verdict, once closed. */
  readonly verdict: CloseVerdict | undefined;
  /**
   * Its read-only XState actor, for `waitFor`, `useSelector` and inspectors. Its output is the verdict.
   *
   * @throws MooringError `no-actor` in a browser, if the entry point does not bring XState.
   */
  readonly actor: ChartActor<CloseVerdict>;
  /** Emits messages that fulfil the inbound contract. Completes when the connection ends; never errors. */
  readonly messages$: Observable<In>;

  /**
   * Sends one message. The state of the connection never makes it throw.
   *
   * @throws MooringError `invalid-message` or `unencodable-message` if the message itself is wrong.
   */
  send(message: Out, options?: SendOptions & { readonly receipt?: false | undefined }): SendResult;
  /**
   * Sends one message, and resolves when the peer's Mooring has it, or when that can no longer be known. Rejects with a
   * MooringError `not-mooring` if the peer is another one, and for a wrong message as `send` throws.
   */
  send(message: Out, options: SendOptions & { readonly receipt: true }): Promise<Receipt>;
  /**
   * Makes a request, which the peer answers with `onRequest`. Only between two Mooring peers.
   *
   * Resolves with the answer. Rejects with a MooringError `request-refused`, `request-timeout`, `invalid-answer`,
   * `request-lost` when this connection ends first, `too-many-requests`, `not-mooring`, or as `send` throws; or with the reason of
   * the signal.
   */
  request(message: Ask, options?: RequestOptions): Promise<Answer>;
  /**
   * Sends one message and waits until the operating system has taken it or the message is lost. Settles when the connection
   * ends at the latest. The state of the connection never makes it reject. Rejects with a MooringError, `invalid-message` or
   * `unencodable-message`, if the message itself is wrong.
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
   * Ends the connection because of an error. The verdict contains the error, the peer receives 1011, and the socket is
   * destroyed after `timeouts.erroredMs` at the latest. Returns whether this call ended the connection.
   */
  fail(error: unknown): boolean;
  /** Destroys the socket now. Returns `false` if the connection has already ended. */
  terminate(): boolean;
  /**
   * Stops delivering messages at once, until `resume()`. Nothing is lost: messages wait in order, at most two socket reads of
   * them in this process, the rest in the network and with the peer. There is no time limit.
   *
   * Pings are still sent, but no answer is expected. Pings of the peer are not answered, so a peer with a heartbeat may end the
   * connection. `close`, `terminate` and a drain work as usual and do not deliver the messages that wait.
   *
   * @returns whether this call paused it: `false` if it is not open or already paused by an earlier call.
   */
  pause(): boolean;
  /**
   * Delivers messages again, unless something else still pauses them: `onOpen`, handlers that are behind, or the message rate.
   *
   * @returns whether this call undid a `pause()`.
   */
  resume(): boolean;
}

/** Options of `renew`. */
export interface RenewOptions {
  /**
   * The time from now, in milliseconds, after which the connection is closed with 3000; `null` for never. @default as before
   */
  readonly expiresInMs?: number | null | undefined;
}

/**
 * A connection that a supervisor accepted.
 *
 * @typeParam Peer - what `authenticate` returned.
 */
export interface Connection<
  Peer = unknown,
  In = unknown,
  Out = unknown,
  Ask = unknown,
  Answer = unknown,
> extends SupervisedConnection<In, Out, Ask, Answer> {
  /** Distinguishes it from a dialed connection. */
  readonly direction: 'accepted';
  /** The result of `authenticate`, or the peer that the last `renew` set. */
  readonly peer: Peer;
  /** Publications that this connection missed because its outbox was above the high mark or its socket was gone. */
  readonly droppedMessages: number;
  /** The topics that it is a member of; after the end, those that it was a member of. */
  readonly topics: readonly string[];
  /**
   * Joins a topic. Returns `false` if the connection is not open or is already in `limits.topicsMax` topics.
   *
   * @throws MooringError `invalid-topic`, in every state, for a name that is empty or longer than 256 bytes of UTF-8.
   */
  join(topic: string): boolean;
  /** Leaves a topic. Returns `false` if it is not a member. @throws MooringError `invalid-topic`, as `join` does. */
  leave(topic: string): boolean;
  /**
   * Replaces the peer, for example after the client has sent a fresh token, and calls `key` again. `expiresInMs` sets a new
   * time at which the connection expires; without it, that time stays the same. If the connection is not open, it returns
   * `false` and changes nothing.
   *
   * @throws MooringError `invalid-options` if `expiresInMs` is neither a number nor `null`, or for any other option.
   */
  renew(peer: Peer, options?: RenewOptions): boolean;
}

/** A connection that a client or a pool dialed. */
export interface DialedConnection<In = unknown, Out = unknown, Ask = unknown, Answer = unknown>
  extends SupervisedConnection<In, Out, Ask, Answer> {
  /** Distinguishes it from an accepted connection. */
  readonly direction: 'dialed';
}
