import type { Observable } from 'rxjs';
import type { ChartActor } from '../core/actor.ts';
import type { DialedConnection, FlushResult, SendResult } from '../core/connection.ts';
import type { ClientEvent } from '../core/events.ts';
import type { Failure } from '../core/failure.ts';
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
 * Why a client has given up: another attempt after the last ending would be pointless, there were more endings than
 * `restarts` allows, or Mooring itself failed. After the first two, `dialNow` dials again.
 */
export type GaveUp = 'refused' | 'restarts' | 'crash';

/** What a client is doing, and why. */
export type ClientStatus = ClientCondition &
  (
    | {
        readonly state: 'exhausted';
        /** Why it does not dial again by itself; in `exhausted` only. */
        readonly gaveUp: GaveUp;
      }
    | { readonly state: Exclude<ClientState, 'exhausted'>; readonly gaveUp: undefined }
  );

/** What the status of a client has in every state. */
export interface ClientCondition {
  /** Every active state of the chart as a path, for example `up.settling`. */
  readonly states: readonly string[];
  /** Attempts so far, including the current one. */
  readonly attempts: number;
  /** How the last attempt ended; `undefined` before the first end. */
  readonly ending: Ending | undefined;
  /** The delay before the next attempt, in whole milliseconds; in `waiting` only. */
  readonly delayMs: number | undefined;
}

/** How one message is sent. */
export interface ClientSendOptions {
  /** Whether it may wait for a connection, or behind messages that wait. @default true */
  readonly queue?: boolean | undefined;
  /** How long it may wait, in milliseconds: any number from 0 on. @default `Infinity` */
  readonly ttlMs?: number | undefined;
}

/**
 * One peer, dialed again and again: at most one connection at a time.
 *
 * @typeParam In - a message of the inbound contract.
 * @typeParam Out - a message that may be sent: the input of `sends`.
 */
export interface Client<In = unknown, Out = unknown> extends AsyncDisposable {
  /** The URL. If a function returns it, the URL that was dialed last; an empty string before the first attempt. */
  readonly url: string;
  /** The connection that is open now. */
  readonly connection: DialedConnection<In, Out> | undefined;
  /** The status, at this moment. */
  readonly status: ClientStatus;
  /**
   * Its XState actor, for reading; the parent of the actors of its connections.
   *
   * @throws MooringError `no-actor` in a page whose entry does not bring XState.
   */
  readonly actor: ChartActor;
  /**
   * The status, now and at every change. Completes after `stopped`, or after a crash. A later subscriber gets the last
   * status.
   */
  readonly status$: Observable<ClientStatus>;
  /** Messages that fulfil the inbound contract, of every connection. */
  readonly messages$: Observable<In>;
  /** How each attempt ended: exactly one ending for each attempt. */
  readonly endings$: Observable<Ending>;
  /** What happens besides: messages that are dropped or invalid, and code of the application that threw. */
  readonly events$: Observable<ClientEvent<Out>>;
  /** Messages that wait, for a connection or for room in its socket. */
  readonly queuedMessages: number;

  /**
   * Sends one message, or keeps it for the next connection. Never throws for the state of the client.
   *
   * @throws MooringError `invalid-message` or `unencodable-message` when the message itself is wrong.
   */
  send(message: Out, options?: ClientSendOptions): SendResult;
  /**
   * Sends one message and waits until it has left this process or is lost. Rejects with a MooringError,
   * `invalid-message`, `unencodable-message` or `invalid-options`, when the message or an option is wrong.
   */
  sendAndFlush(message: Out, options?: ClientSendOptions): Promise<FlushResult>;
  /** Dials at once if it waits for a delay, or has given up for another reason than a crash. Returns whether it does. */
  dialNow(): boolean;
  /**
   * Asks for a connection, of a client with `dial: 'on-demand'`. Returns whether it was idle or hung up, and dials. With `idleMs`, it
   * hangs up again unless it is used.
   */
  open(): boolean;
  /**
   * Stops delivering messages at once, until `resume()`, on this connection and on later ones, so that the server has to
   * wait: see `pause()` of a connection. On a later connection it begins when `onOpen` has settled. Returns whether this call
   * paused it.
   */
  pause(): boolean;
  /** Delivers messages again. Returns whether this call undid a `pause()`. */
  resume(): boolean;
  /**
   * The host was asleep, or has another network: asks the open connection for a sign of life at once. If the client waits for a
   * backoff, it dials within `backoff.minMs`. A page, and the clock, notice most of this themselves.
   */
  wake(): void;
  /**
   * Closes the connection, or gives up the attempt, and dials no more. Resolves when nothing is left.
   * Rejects with a MooringError, `invalid-close`, in every state, for a code that may not be sent.
   *
   * @defaultValue code 1000, no reason
   */
  close(code?: number, reason?: string): Promise<void>;
}
