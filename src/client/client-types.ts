import type { Observable } from 'rxjs';
import type { ChartActor } from '../core/actor.ts';
import type { DialedConnection, FlushResult, SendResult } from '../core/connection.ts';
import type { ClientEvent } from '../core/events.ts';
import type { Failure } from '../core/failure.ts';
import type { Recovery } from '../core/recovery.ts';
import type { Receipt, RequestOptions } from '../core/request.ts';
import type { CloseVerdict } from '../core/verdict.ts';

/** The top-level state of a client's chart. */
export type ClientState =
  | 'idle'
  | 'dialing'
  | 'up'
  | 'closing'
  | 'idling'
  | 'waiting'
  | 'stopping'
  | 'stopped'
  | 'exhausted';

/** How one attempt ended: it never opened, or its connection has closed. */
export type Ending =
  | { readonly outcome: 'failed'; readonly failure: Failure }
  | { readonly outcome: 'closed'; readonly verdict: CloseVerdict };

/**
 * Why a client has given up: `refused` if another attempt after the last ending would be pointless, `restarts` if there
 * were more endings than `restarts` allows, `crash` if Mooring itself failed. After `refused` and `restarts`, `dialNow`
 * dials again.
 */
export type GaveUp = 'refused' | 'restarts' | 'crash';

/** What a client is doing, and why. */
export type ClientStatus = ClientCondition &
  (
    | {
        readonly state: 'exhausted';
        /** Why the client does not dial again by itself; in `exhausted` only. */
        readonly gaveUp: GaveUp;
      }
    | { readonly state: Exclude<ClientState, 'exhausted'>; readonly gaveUp: undefined }
  );

/** The part of the status that a client has in every state. */
export interface ClientCondition {
  /** Every active state of the chart as a path, for example `up.settling`. */
  readonly states: readonly string[];
  /** Attempts so far, including the current one. */
  readonly attempts: number;
  /** How the last attempt ended; `undefined` before the first ending. */
  readonly ending: Ending | undefined;
  /** The delay before the next attempt, in whole milliseconds; in `waiting` only. */
  readonly delayMs: number | undefined;
}

/** How one message is sent. */
export interface ClientSendOptions {
  /** Whether the message may wait for a connection, or behind other queued messages. @default true */
  readonly queue?: boolean | undefined;
  /** How long the message may wait, in milliseconds; 0 or more. @default `Infinity` */
  readonly ttlMs?: number | undefined;
  /** Whether the peer is to confirm the message. `send` then returns a promise of a {@link Receipt}. @default false */
  readonly receipt?: boolean | undefined;
}

/**
 * A client of one peer. It has at most one connection at a time, and dials again when the connection ends.
 *
 * @typeParam In - a message of the inbound contract.
 * @typeParam Out - a message that may be sent: the input of `sends`.
 * @typeParam Ask - a request that this side may make: the input of `asks`.
 * @typeParam Answer - the answer to it: the output of `answers`.
 */
export interface Client<In = unknown, Out = unknown, Ask = unknown, Answer = unknown>
  extends AsyncDisposable {
  /**
   * The URL of the peer. If a function returns it, the URL that was dialed last, or an empty string before the first
   * attempt.
   */
  readonly url: string;
  /** The open connection; `undefined` if there is none. */
  readonly connection: DialedConnection<In, Out, Ask, Answer> | undefined;
  /** The current status. */
  readonly status: ClientStatus;
  /**
   * The XState actor of the client, read-only. It is the parent of the actors of its connections.
   *
   * @throws MooringError `no-actor` in a page that does not import `mooring/client/inspect`.
   */
  readonly actor: ChartActor;
  /**
   * Emits the current status, and every change. Completes after `stopped` or after a crash. A later subscriber receives
   * the last status.
   */
  readonly status$: Observable<ClientStatus>;
  /** Emits every message that fulfils the inbound contract, from all connections. */
  readonly messages$: Observable<In>;
  /** Emits how each attempt ended: exactly one ending for each attempt. */
  readonly endings$: Observable<Ending>;
  /** Emits other events: dropped messages, invalid messages and errors of your functions. */
  readonly events$: Observable<ClientEvent<Out>>;
  /**
   * Emits, for each durable topic that the server joins this client to, whether something was missed: before the messages that
   * come next. It emits again if that turns out later.
   */
  readonly recoveries$: Observable<Recovery>;
  /**
   * Where this client is in each durable topic. Pass it as the option `positions` of a later client, for example after a reload
   * of the page, to go on there. A copy.
   */
  readonly positions: Readonly<Record<string, string>>;
  /** How many messages wait for a connection, or for room in its socket. */
  readonly queuedMessages: number;

  /**
   * Sends one message, or queues it for the next connection. Never throws because of the state of the client.
   *
   * @throws MooringError `invalid-message`, `unencodable-message` or `invalid-options` if the message or an option is
   *   wrong.
   */
  send(
    message: Out,
    options?: ClientSendOptions & { readonly receipt?: false | undefined },
  ): SendResult;
  /**
   * Sends one message, or queues it for the next connection, and resolves when the peer's Mooring has it, or when that can no
   * longer be known. The client does not send it again by itself. Rejects with a MooringError `not-mooring` if the message would
   * leave on a connection to another peer, and for a wrong message or option as `send` throws.
   */
  send(message: Out, options: ClientSendOptions & { readonly receipt: true }): Promise<Receipt>;
  /**
   * Makes a request, which the peer answers with `onRequest`. Only between two Mooring peers. The request waits for a connection
   * in the queue. If the connection ends before the answer, the client makes the request again on the next one, under the same id,
   * until `timeoutMs` have passed.
   *
   * Resolves with the answer. Rejects with a MooringError `request-refused`, `request-timeout`, `invalid-answer`,
   * `request-lost` when the client stops or its queue is full, `too-many-requests`, `not-mooring`, or as `send` throws; or with the
   * reason of the signal.
   */
  request(message: Ask, options?: RequestOptions): Promise<Answer>;
  /**
   * Sends one message, and resolves when it has left this process or is lost. Rejects with a MooringError
   * (`invalid-message`, `unencodable-message` or `invalid-options`) if the message or an option is wrong.
   */
  sendAndFlush(message: Out, options?: ClientSendOptions): Promise<FlushResult>;
  /**
   * Dials at once if the client waits for its next attempt, or has given up for a reason other than a crash. Returns
   * whether it dials.
   */
  dialNow(): boolean;
  /**
   * Opens the connection of a client with `dial: 'on-demand'`. Returns whether the client was idle or hanging up, and
   * therefore dials. With `idleMs`, the client hangs up again if nothing uses the connection.
   */
  open(): boolean;
  /**
   * Stops the delivery of messages at once, until `resume()`, on this connection and on later ones. The server then has
   * to wait: see `pause()` of a connection. On a later connection, the pause begins when `onOpen` has settled. Returns
   * whether this call paused the client.
   */
  pause(): boolean;
  /** Delivers messages again. Returns whether this call ended a pause. */
  resume(): boolean;
  /**
   * Notes that the host was asleep or has another network. An open connection is asked for a sign of life at once; a
   * client that waits for a backoff dials within `backoff.minMs`. A page and the clock notice most of these changes by
   * themselves.
   */
  wake(): void;
  /**
   * Closes the connection, or gives up the attempt, and dials no more. Resolves when nothing is left. Rejects, in every
   * state, with a MooringError `invalid-close` for a code that may not be sent.
   *
   * @defaultValue code 1000, no reason
   */
  close(code?: number, reason?: string): Promise<void>;
}
