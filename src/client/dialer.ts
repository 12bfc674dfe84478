import type { ClientFact } from '../../machines/client-contract.ts';
import type { ChartSystem } from '../chart/chart-system.ts';
import type { HostedActor } from '../chart/hosted-actor.ts';
import type { ConnectionCore } from '../connection/connection-core.ts';
import type { ConnectionReport, MessageHandlers } from '../connection/connection-host.ts';
import type { Exchange } from '../connection/exchange.ts';
import type { ManagedConnection } from '../connection/managed-connection.ts';
import type { SharedRuntime } from '../connection/shared-runtime.ts';
import type { TimerHandle } from '../core/clock.ts';
import type { CloseFrame } from '../core/close-code.ts';
import type { ConnectionState } from '../core/connection.ts';
import type { Contract, RequestContracts } from '../core/contract.ts';
import type { ClientHandlerName, InvalidMessage } from '../core/events.ts';
import { guarded } from '../core/guard.ts';
import type { RequestContext } from '../core/request.ts';
import type { OutboundTransport } from '../transport/transport.ts';
import type { ClientDependencies } from './client-runtime.ts';
import type { Ending } from './client-types.ts';
import { HeldBack, isUnreadable } from './held-back.ts';
import {
  type OutboundConnection,
  type OutboundHost,
  outboundConnection,
} from './outbound-connection.ts';
import { OutboundHandle, type OutboundHandleHost } from './outbound-handle.ts';
import type { OutboundOutbox, Outgoing } from './outbound-outbox.ts';
import { type PeerWatch, peerWatch } from './peer-watch.ts';
import { Positions, type Waypoint } from './positions.ts';
import type { Route } from './reconnect/route.ts';
import { Welcome } from './welcome.ts';

/** The facts for the chart of the client, by the reports of its connection between its opening and its end. */
const changes: Partial<Record<ConnectionReport, ClientFact['type']>> = {
  suspect: 'heartbeat.missed',
  healthy: 'heartbeat.answered',
  errored: 'connection.ending',
  closing: 'connection.ending',
};

/** Receives the results of a dialer's attempts. */
export interface DialerHost {
  /** The parent of its connections. */
  readonly actor: HostedActor;
  /** Sends a fact about the current attempt to the chart of the client. */
  send(fact: ClientFact['type']): void;
  /** The connection has become usable: it accepts messages. */
  attemptUsable(): void;
  /** `onMessage` has received a message, or the application has sent one on the connection itself. */
  connectionUsed(): void;
  /** The socket of the connection has room for messages again. */
  attemptFlows(): void;
  /** A message had not left when the connection ended. */
  messageLost(outgoing: Outgoing): void;
  /** The attempt failed, or its connection has closed. `reportEnd` reports this to user code. */
  attemptEnded(ending: Ending, reportEnd: () => void): void;
}

/** Makes the attempts of one client, one at a time, and owns the connection of the current one. */
export class Dialer<In, Out> implements OutboundHost, OutboundHandleHost<Out>, MessageHandlers {
  /** The URL that was dialed last; before the first attempt, the URL to dial, if it is known. */
  url: string;
  attempts = 0;

  readonly #parts: ClientDependencies<In, Out>;
  readonly #host: DialerHost;
  #current: OutboundConnection | null = null;
  /** The connection that accepts messages: the current one, after `onOpen` has settled and its first turn is over. */
  #usable: OutboundConnection | null = null;
  #isTurnOver = false;
  #turn: TimerHandle | null = null;
  /** Set until the async `onOpen` of the current connection has settled. */
  #welcome: Welcome | null = null;
  #isPaused = false;
  /** Made for the first message that is held back: during `onOpen`, and after it while reading is paused. */
  #heldMade: HeldBack | null = null;
  #positions: Positions | null = null;

  constructor(parts: ClientDependencies<In, Out>, host: DialerHost) {
    this.#parts = parts;
    this.#host = host;
    this.url = parts.route.url;
  }

  /** The outbox of the usable connection; `null` if there is none. */
  get outbox(): OutboundOutbox | null {
    return this.#current === this.#usable ? (this.#current?.side.outbox ?? null) : null;
  }

  /**
   * What messages with headings leave on: the exchange of the usable connection, `null` if its peer is not Mooring, and
   * `undefined` as long as that is not known.
   */
  get exchange(): Exchange | null | undefined {
    const connection = this.#usable;
    if (connection === null || connection !== this.#current) return undefined;
    return connection.side.isGreeted || !connection.side.isMooring
      ? connection.exchange
      : undefined;
  }

  /** Whether this side does not read the current connection. */
  get isReadingPaused(): boolean {
    return this.#current?.intake.isPaused === true;
  }

  /** Whether messages wait to leave or to be handled, requests wait for answers, `onOpen` is running, or the connection has subscribers. */
  get isBusy(): boolean {
    const connection = this.#current;
    if (connection === null) return false;
    const isSending = connection.side.outbox?.isSending === true;
    const isHeard = this.#handleMade(connection)?.isHeard === true;
    const isWorking = connection.intake.isBusy || connection.exchangeMade?.isBusy === true;
    return isSending || isHeard || isWorking || this.#welcome !== null;
  }

  /** Whether an attempt, or its connection, is under way. */
  get isDialing(): boolean {
    return this.#current !== null;
  }

  /** The connection that is open now. */
  get connection(): OutboundHandle<In, Out> | undefined {
    return this.#current?.isOpen ? this.#handleOf(this.#current) : undefined;
  }

  dial(): void {
    this.attempts += 1;
    const id = this.#parts.parent?.nextId() ?? `a${this.attempts}`;
    const connection = outboundConnection(this, id);
    this.#current = connection.isOver ? null : connection;
  }

  probe(): void {
    this.#current?.side.probe();
  }

  /** Delivers no message until {@link resume}. Returns whether this call paused it. */
  pause(): boolean {
    if (this.#isPaused) return false;
    this.#isPaused = true;
    // The answer to a sign-in must still arrive.
    if (this.#welcome === null) this.#current?.intake.pause('client');
    return true;
  }

  resume(): boolean {
    if (!this.#isPaused) return false;
    this.#isPaused = false;
    this.#current?.intake.resume('client');
    return true;
  }

  /** Ends the attempt or the connection. If the connection is already closing, its end will be reported. */
  end(frame: CloseFrame): void {
    if (!this.#current?.side.abort()) this.#current?.close('close', frame);
  }

  terminate(): void {
    this.#current?.terminate();
  }

  // Methods for connections.

  get actor(): HostedActor {
    return this.#host.actor;
  }

  get charts(): ChartSystem {
    return this.#parts.charts;
  }

  get context(): SharedRuntime {
    return this.#parts.runtime.context;
  }

  get route(): Route {
    return this.#parts.route;
  }

  makeTransport(connection: ConnectionCore): OutboundTransport {
    return this.#parts.platform.makeTransport(connection, this.context);
  }

  connectionMoved(
    connection: ManagedConnection,
    from: ConnectionState | null,
    to: ConnectionState,
  ): void {
    this.#parts.parent?.connectionMoved(connection, from, to);
  }

  messageLost(outgoing: Outgoing): void {
    this.#host.messageLost(outgoing);
  }

  roomFound(): void {
    this.#host.attemptFlows();
  }

  randomErrored(error: Error): void {
    this.charts.notifications.add(() => this.#parts.streams.report('random')(error));
  }

  connectionOpened(): void {}

  connectionCrashed(error: Error): void {
    this.#parts.parent?.connectionCrashed(error);
  }

  connectionQuarantined(connection: ManagedConnection): void {
    this.#parts.parent?.connectionQuarantined(connection);
  }

  connectionReported(connection: OutboundConnection, report: ConnectionReport): void {
    const { parent } = this.#parts;
    const notify = () => parent?.connectionReported(connection, report, this.#handleOf(connection));
    if (report === 'opened') {
      this.#parts.policy.opened();
      this.#beginTurn(connection);
      this.#runOnOpen(connection);
      notify();
      if (this.#welcome === null) this.#welcomed(connection);
      return;
    }
    notify();
    if (report === 'closed' || report === 'failed') this.#ended(connection);
    else if (report === 'flowing') this.#flows(connection);
    const fact = changes[report];
    if (fact !== undefined) this.#host.send(fact);
  }

  #flows(connection: OutboundConnection): void {
    connection.side.flows();
    this.#host.attemptFlows();
  }

  /** What `onOpen` sends leaves before queued messages, and before the status changes. */
  #runOnOpen(connection: OutboundConnection): void {
    const { onOpen } = this.#parts.runtime.options;
    if (onOpen === undefined || !connection.isOpen) return;
    const work = guarded(
      () => onOpen(this.#handleOf(connection)),
      (error) => this.errored('onOpen', error, connection),
    );
    if (!(work instanceof Promise) || !connection.isOpen) return;
    this.#welcome = new Welcome(connection, work, () => {
      this.#welcome = null;
      this.#welcomed(connection);
      connection.intake.resume('handlers');
      this.readingResumed(connection);
      this.#use(connection);
    });
    this.#host.send('welcome.awaited');
  }

  /** `onOpen` has settled: the client may use the connection. */
  #welcomed(connection: OutboundConnection): void {
    if (!connection.isOpen) return;
    connection.side.welcomed();
    if (this.#isPaused) connection.intake.pause('client');
    this.#parts.parent?.connectionWelcomed(connection, this.#handleOf(connection));
    this.#host.send('connection.opened');
  }

  /** Delivers the messages that were held back, until something pauses reading. */
  readingResumed(connection: OutboundConnection): void {
    if (this.#welcome === null) this.#heldMade?.deliver(connection);
  }

  /**
   * Lets the client send one turn after the connection has opened. A server that refuses with a close frame sends the
   * frame together with the 101, and messages that the client writes before it has read the frame would be lost.
   */
  #beginTurn(connection: OutboundConnection): void {
    const { clock } = this.context;
    const { turnMs } = connection.transport;
    const end = () => this.#endTurn(connection);
    // Twice, because the first may run after the poll phase that brought the 101, which may not have read all input
    // yet.
    if (turnMs === 0) clock.afterPoll(() => clock.afterPoll(end));
    else this.#turn = clock.setTimer(turnMs, end);
  }

  peerWelcomes(connection: OutboundConnection): void {
    // A message with a heading may have waited for this.
    if (connection === this.#usable) this.#host.attemptFlows();
    else if (!this.#isTurnOver) this.context.clock.afterPoll(() => this.#endTurn(connection));
  }

  #endTurn(connection: OutboundConnection): void {
    if (connection !== this.#current) return;
    this.#stopTurn();
    this.#isTurnOver = true;
    this.#use(connection);
  }

  watchPeer(connection: OutboundConnection): PeerWatch | null {
    return peerWatch(connection, this.#parts);
  }

  #use(connection: OutboundConnection): void {
    if (connection === this.#usable || !connection.isOpen) return;
    if (this.#welcome !== null || !this.#isTurnOver) return;
    this.#usable = connection;
    this.#host.attemptUsable();
  }

  #stopTurn(): void {
    if (this.#turn !== null) this.context.clock.clearTimer(this.#turn);
    this.#turn = null;
  }

  get handlers(): MessageHandlers {
    return this;
  }

  get handlesRequests(): boolean {
    return this.#parts.runtime.options.onRequest !== undefined;
  }

  request(connection: OutboundConnection, request: unknown, context: RequestContext): unknown {
    this.connectionUsed();
    return this.#parts.runtime.options.onRequest?.(this.#handleOf(connection), request, context);
  }

  messageInvalid(connection: OutboundConnection, fault: InvalidMessage): void {
    // It counts as received: the server would send it again in vain.
    this.passed(connection, connection.side.takeAhead());
    this.#parts.streams.emit({ type: 'message.invalid', fault });
    connection.intake.countInvalid();
  }

  /**
   * Delivers a message. While an async `onOpen` is running, only the connection's own stream emits it at once, so that
   * `onOpen` can await the answer to a sign-in.
   */
  message(connection: OutboundConnection, message: In): unknown {
    const waypoint = connection.side.takeAhead();
    const deliver = () => {
      if (waypoint !== null) this.pass(waypoint);
      return this.#handle(connection, message);
    };
    const work = this.isWelcoming ? this.hold(connection, deliver) : deliver();
    this.#handleMade(connection)?.deliver(message);
    return work;
  }

  get isWelcoming(): boolean {
    return this.#welcome !== null;
  }

  get #held(): HeldBack {
    this.#heldMade ??= new HeldBack(this);
    return this.#heldMade;
  }

  /** If too much is held back, reading pauses until `onOpen` settles. */
  hold(connection: OutboundConnection, deliver: () => unknown): void {
    this.#held.add(deliver);
    const { bytes, isWary } = this.#held;
    const heldBytes = (this.#welcome?.arrivedBytes ?? 0) + bytes;
    if (isWary || heldBytes >= this.context.limits.inFlightBytesMax)
      connection.intake.pause('handlers');
  }

  get positions(): Positions {
    this.#positions ??= new Positions(this.#parts.runtime.options.positions);
    return this.#positions;
  }

  /** Behind the messages that are held back, which lead to earlier places. */
  passed(connection: OutboundConnection, waypoint: Waypoint | null): void {
    if (waypoint === null || !connection.isOpen) return;
    if (this.#welcome === null) this.pass(waypoint);
    else this.#held.add(waypoint);
  }

  /** Before the message is handled, so that a handler finds the position that includes it. */
  pass(waypoint: Waypoint): void {
    this.positions.move(waypoint);
    if (waypoint.recovery !== undefined) this.#parts.streams.recoveries.next(waypoint.recovery);
  }

  sentOn(): void {
    this.#parts.policy.sentOn();
  }

  /** Runs `onMessage` and returns its result: a promise while an async handler works. */
  #handle(connection: OutboundConnection, message: In): unknown {
    const { streams, runtime } = this.#parts;
    const { onMessage } = runtime.options;
    if (onMessage !== undefined) this.connectionUsed();
    const handle = (): unknown => onMessage?.(this.#handleOf(connection), message);
    const work =
      onMessage && guarded(handle, (error) => this.errored('onMessage', error, connection));
    streams.messages.next(message);
    return work;
  }

  /** Reports that a function of the application threw or rejected, and ends the connection, unless a request has failed. */
  errored(handler: ClientHandlerName, error: Error, connection: OutboundConnection): void {
    if (handler === 'onRequest') {
      this.#parts.streams.report(handler)(error);
      return;
    }
    const { notifications } = this.charts;
    // Held back until the gate has shut: a subscriber must not find, or check out, a connection that is about to end.
    notifications.during(() => {
      notifications.add(() => this.#parts.streams.report(handler)(error));
      connection.end('handler-error', error);
    });
    // The contract has thrown.
    if (handler === 'messages') this.#held.skip(connection.side.takeAhead());
  }

  #ended(connection: OutboundConnection): void {
    this.#current = null;
    this.#usable = null;
    this.#stopTurn();
    this.#isTurnOver = false;
    this.#welcome?.stop();
    this.#welcome = null;
    const { verdict, failure } = connection;
    if (verdict && isUnreadable(verdict)) this.#held.skip(connection.side.takeAhead());
    this.#heldMade?.clear();
    const ending: Ending | undefined =
      (verdict && { outcome: 'closed', verdict }) || (failure && { outcome: 'failed', failure });
    if (ending === undefined) return;
    this.#host.attemptEnded(ending, () => {
      this.#parts.streams.endings.next(ending);
      this.#handleMade(connection)?.complete();
    });
  }

  // Methods for handles.

  get contracts(): RequestContracts {
    return this.#parts.runtime.contracts;
  }

  get contract(): Contract<In, Out, unknown> {
    return this.#parts.runtime.contract;
  }

  connectionUsed(): void {
    this.#host.connectionUsed();
  }

  reportThrown(handler: 'messages$' | 'actor', error: Error): void {
    this.#parts.streams.report(handler)(error);
  }

  #handleOf(connection: OutboundConnection): OutboundHandle<In, Out> {
    connection.handle ??= new OutboundHandle<In, Out>(connection, this);
    return connection.handle as OutboundHandle<In, Out>;
  }

  #handleMade({ handle }: OutboundConnection): OutboundHandle<In, Out> | null {
    return handle as OutboundHandle<In, Out> | null;
  }
}
