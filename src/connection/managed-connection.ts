import type {
  ConnectionCondition,
  ConnectionFact,
  ConnectionOrders,
  DeadlineName,
} from '../../machines/connection-contract.ts';
import type { ChartState } from '../chart/chart.ts';
import type { HostedActor } from '../chart/hosted-actor.ts';
import type { ChartOwner, ChartRunner } from '../chart/runner.ts';
import { connectionTable } from '../chart/tables/connection.ts';
import type { CloseFrame } from '../core/close-code.ts';
import type { ConnectionState } from '../core/connection.ts';
import type { ReadResult } from '../core/contract.ts';
import { toError } from '../core/errors.ts';
import type { Failure, FailureDescription } from '../core/failure.ts';
import { guarded } from '../core/guard.ts';
import { LINGER_MS } from '../core/limits.ts';
import { checkedRequest, type Receipt, type RequestOptions } from '../core/request.ts';
import type { Deadline, DeadlineOwner } from '../core/timer-wheel.ts';
import type { CloseVerdict, LocalCause } from '../core/verdict.ts';
import { notMooring, requestLost } from './ask.ts';
import type { ConnectionCore, ConnectionSide, Target } from './connection-core.ts';
import type { ConnectionHost, ConnectionReport } from './connection-host.ts';
import { EndingRecord } from './ending-record.ts';
import { type LocalEnding, type LocalEndingCause, localEndings } from './endings.ts';
import { Exchange } from './exchange.ts';
import { Heartbeat } from './heartbeat.ts';
import { Intake } from './intake.ts';
import type { SharedRuntime } from './shared-runtime.ts';

/**
 * A connection, accepted or dialed: the owner of one socket.
 *
 * It sends facts to its chart and carries out the orders of the chart. The gate is here, and not in the chart, because it
 * must shut before anything else runs: *quarantine first, then send the fact*. Its {@link ConnectionSide} opens it and
 * sends its messages, which differs between accepted and dialed connections.
 *
 * ```
 * socket event ─▶ record ─▶ quarantine ─▶ fact ─▶ chart ─▶ orders ─▶ reports ─▶ user code
 * message ─▶ proof of life ─▶ gate ─▶ rate ─▶ contract ─▶ handler
 * ```
 */
export class ManagedConnection<Side extends ConnectionSide = ConnectionSide>
  implements ConnectionCore, ChartOwner, Omit<ConnectionOrders, 'outcome'>, DeadlineOwner
{
  readonly id: string;
  /** Empty until it is known. A dialed connection gets it with its target. */
  address: string;
  path: string;
  readonly side: Side;
  readonly chart: ChartRunner<ConnectionFact['type']>;
  /** Wall time, in milliseconds since 1970; 0 before it opened. */
  openedAt = 0;
  /** Set at the end: the verdict if it ever opened, the failure if not. */
  verdict: CloseVerdict | undefined;
  failure: Failure | undefined;
  /** The public handle; `null` until it is made. */
  handle: object | null = null;
  heartbeat: Heartbeat | null = null;

  readonly #host: ConnectionHost;
  #actor: HostedActor | null = null;
  #record: EndingRecord | null = null;
  #gateOpen = false;
  #deadline: Deadline | null = null;
  /** Made for the first message, or the first pause. */
  #intake: Intake | null = null;
  #openedAtMs = 0;
  #exchange: Exchange | null = null;

  /** {@link begin} starts it. */
  constructor(
    host: ConnectionHost,
    id: string,
    { address, path }: Target,
    makeSide: (connection: ManagedConnection<Side>) => Side,
  ) {
    this.#host = host;
    this.id = id;
    this.address = address;
    this.path = path;
    this.side = makeSide(this);
    this.chart = host.charts.run(connectionTable, this);
  }

  /** Starts the chart. */
  begin(): void {
    this.#host.connectionMoved(this, null, 'handshaking');
    if (this.#host.charts.areActorsEager) this.#actor = this.actor;
    this.chart.start();
  }

  get state(): ConnectionState {
    if (this.verdict !== undefined) return 'closed';
    return this.failure === undefined ? topOf(this.chart.state) : 'failed';
  }

  /** Every active state of the chart. */
  get states(): readonly string[] {
    return this.isOver ? [this.state] : this.chart.state.paths;
  }

  /** What is known about the end of the connection. */
  get record(): EndingRecord {
    this.#record ??= new EndingRecord();
    return this.#record;
  }

  get transport(): Side['transport'] {
    return this.side.transport;
  }

  get actor(): HostedActor {
    const { charts, actor: parent } = this.#host;
    this.#actor ??= charts.host(this.chart, { id: this.id, parent });
    return this.#actor;
  }

  /** Whether the gate is open: messages may pass in both directions. */
  get isOpen(): boolean {
    return this.#gateOpen;
  }

  get isOver(): boolean {
    return this.verdict !== undefined || this.failure !== undefined;
  }

  get context(): SharedRuntime {
    return this.#host.context;
  }

  /** Starts the closing handshake. Returns whether this call started it. */
  close(intent: LocalCause, frame: CloseFrame): boolean {
    return this.#endAs(intent, { fact: 'close.requested', frame });
  }

  /** Ends the connection for a cause of this side. Returns whether this call ended it. */
  end(cause: LocalEndingCause, error?: Error): boolean {
    if (this.#gateOpen && error !== undefined) this.record.note({ handlerError: error });
    return this.#endAs(cause, localEndings[cause]);
  }

  #endAs(intent: LocalCause, ending: LocalEnding): boolean {
    if (!this.quarantine()) return false;
    this.record.noteIntent(intent, ending.frame);
    this.chart.send(ending.fact);
    return true;
  }

  /** Destroys the socket. Returns `false` if the connection is already over. */
  terminate(): boolean {
    if (this.isOver) return false;
    if (this.quarantine() || this.record.evidence.intent === 'close')
      this.record.noteIntent('terminate');
    this.chart.send('terminate.requested');
    return true;
  }

  /** Destroys the socket at the deadline of a drain. */
  expire(): void {
    this.record.note({ forced: true });
    if (this.quarantine()) this.record.noteIntent('drain');
    this.chart.send('terminate.requested');
  }

  /** Stops waiting for a destroyed socket to report that it is closed. */
  abandon(): void {
    this.#host.context.wheel.cancel(this.#deadline);
    this.deadlinePassed();
  }

  /** Shuts the gate and leaves registry and topics. Returns whether the gate was open. */
  quarantine(): boolean {
    if (!this.#gateOpen) return false;
    // Accepted messages leave while the gate is still open.
    guarded(
      () => this.side.stopSending(),
      (error) => this.record.noteSendError(error),
    );
    this.#gateOpen = false;
    this.#host.connectionQuarantined(this);
    this.heartbeat?.stop();
    this.#intake?.stop();
    this.#exchange?.end();
    this.transport.resume();
    this.transport.watchClose((isClean) => this.#websocketClosed(isClean));
    return true;
  }

  #websocketClosed(isClean: boolean): void {
    this.record.note({ clean: isClean });
    this.chart.send('websocket.closed');
  }

  /** A close frame that still waits behind a backlog is lost with the socket, and counts as not sent. */
  backlogLost(): void {
    if (this.transport.bufferedBytes > 0) this.record.note({ sent: undefined });
  }

  /** Takes a message from the transport. */
  receive(payload: Uint8Array, isBinary: boolean): void {
    this.side.messageHeard();
    this.heard();
    // Checked after the proof of life, because a subscriber that receives `connection.healthy` may have ended it.
    if (!this.#gateOpen) return;
    this.intake.receive(payload, isBinary);
  }

  /** Delivers a message that the intake has let through. Returns the result of its handler, which may be a promise. */
  arrived(payload: Uint8Array, isBinary: boolean): unknown {
    if (this.side.takeOwn(payload, isBinary)) return undefined;
    const announced = this.#exchange?.take() ?? null;
    if (announced !== null) return this.#exchange?.arrived(announced, payload, isBinary);
    if (!this.side.holdsMessages) return this.#deliver(payload, isBinary);
    this.side.hold(() => this.#deliver(payload, isBinary), payload.length);
    return undefined;
  }

  #deliver(payload: Uint8Array, isBinary: boolean): unknown {
    const { contract, handlers } = this.#host;
    let read: ReadResult<unknown>;
    try {
      read = contract.read(payload, isBinary);
    } catch (thrown) {
      handlers.errored('messages', toError(thrown), this);
      return undefined;
    }
    // A schema or a codec may have ended it.
    if (!this.#gateOpen) return undefined;
    if ('message' in read) return handlers.message(this, read.message);
    this.#host.messageInvalid(this, read.fault);
    return undefined;
  }

  /** Requests and receipts, made for the first of them; `null` unless the peer is Mooring. */
  get exchange(): Exchange | null {
    if (this.side.isMooring) this.#exchange ??= new Exchange(this, this.#host);
    return this.#exchange;
  }

  /** The same, if there has been any. */
  get exchangeMade(): Exchange | null {
    return this.#exchange;
  }

  /** Makes a request on this connection. Rejects with what {@link SupervisedConnection.request} documents. */
  async request(message: unknown, options?: RequestOptions): Promise<unknown> {
    const checked = checkedRequest(options);
    const payload = this.#host.contracts.requests.payload(message);
    if (!this.#gateOpen) throw requestLost();
    if (this.exchange === null) throw notMooring();
    return this.exchange.request(payload, checked);
  }

  async sendForReceipt(message: unknown): Promise<Receipt> {
    const payload = this.#host.contract.payload(message);
    if (!this.#gateOpen) return 'refused';
    if (this.exchange === null) throw notMooring();
    return this.exchange.sendForReceipt(payload);
  }

  /** Controls how fast the connection is read. */
  get intake(): Intake {
    this.#intake ??= new Intake(this, this.#host.context);
    return this.#intake;
  }

  /** The wheel's time without the time in which the application or its handlers paused reading. */
  get readingMs(): number {
    return this.#host.context.wheel.nowMs - (this.#intake?.pausedMs ?? 0);
  }

  /** The part of the time left out of `readingMs` in which only handlers paused. */
  get handlersPausedMs(): number {
    return this.#intake?.handlersPausedMs ?? 0;
  }

  heard(): void {
    if (this.#gateOpen) this.heartbeat?.heard();
  }

  deadlinePassed(): void {
    this.#deadline = null;
    if (this.state === 'handshaking') this.side.handshakeExpired();
    else this.record.note({ forced: true });
    this.chart.send('deadline.passed');
  }

  #report(report: ConnectionReport): void {
    this.#host.charts.notifications.add(() => this.#host.connectionReported(this, report));
  }

  chartMoved(from: ChartState, to: ChartState): void {
    if (topOf(from) !== topOf(to)) this.#host.connectionMoved(this, topOf(from), topOf(to));
  }

  /** Ends the connection without its chart. The socket itself may have thrown, and may throw again. */
  chartCrashed(error: Error): void {
    this.#host.connectionCrashed(error);
    if (!this.isOver) this.#crash(error);
    ignoreThrown(() => this.side.letGo());
  }

  #crash(error: Error): void {
    this.quarantine();
    this.record.noteIntent('crash', { code: 1011, reason: '' });
    this.record.note({ handlerError: error });
    ignoreThrown(() => this.sendClose());
    ignoreThrown(() => this.destroy());
    if (!this.chart.state.isFinal) {
      const to = this.openedAt === 0 ? 'failed' : 'closed';
      this.#host.connectionMoved(this, this.state, to);
    }
    this.#end();
  }

  // The chart's orders.

  upgrade(): void {
    this.side.upgrade();
  }

  refuseUpgrade(): void {
    this.side.refuseUpgrade();
  }

  refuseWithClose(): void {
    this.side.refuseWithClose();
  }

  dial(): void {
    this.side.dial();
  }

  announceOpen(): void {
    const { context } = this.#host;
    this.#deadline = context.wheel.cancel(this.#deadline);
    this.startHeartbeat();
    this.openedAt = context.clock.wallNow();
    // A whole number: V8 keeps others in an object of their own, which takes 16 bytes.
    this.#openedAtMs = Math.floor(context.clock.now());
    this.#gateOpen = true;
    this.#host.connectionOpened(this);
    this.#report('opened');
    this.side.opened();
  }

  /** The option `random` threw inside a step. The error is reported when the chart has settled. */
  randomErrored(error: Error): void {
    this.#host.randomErrored(error);
  }

  /** Does nothing until the transport can ping. */
  startHeartbeat(): void {
    if (this.transport.canPing) this.heartbeat ??= new Heartbeat(this, this.#host.context);
  }

  admitMessages(): void {
    // The application may have paused it before `onOpen` settled.
    if (this.#intake?.isPaused) this.chart.send('reading.paused');
    else this.transport.resume();
  }

  announceChange({ to }: { to: ConnectionCondition }): void {
    if (to === 'flowing') this.#exchange?.flush();
    this.#report(to);
  }

  announceError(): void {
    this.record.isErrorReported = true;
    this.#report('errored');
  }

  /** After an error, the report `errored` has already announced the end. */
  announceClosing(): void {
    if (!this.record.isErrorReported) this.#report('closing');
  }

  sendClose(): void {
    const { closeFrame } = this.record;
    const sent = closeFrame === undefined ? null : this.transport.sendClose(closeFrame);
    if (sent !== null) this.record.note({ sent, sentAtBytesIn: this.transport.bytesIn });
  }

  destroy(): void {
    this.backlogLost();
    this.transport.destroy();
  }

  startDeadline({ name }: { name: DeadlineName }): void {
    const { wheel, timeouts } = this.#host.context;
    wheel.cancel(this.#deadline);
    const delayMs = name === 'refusal' ? LINGER_MS : timeouts[`${name}Ms`];
    this.#deadline = wheel.schedule(delayMs, this, name);
  }

  finish(): void {
    this.#end();
    this.side.letGo();
  }

  #end(): void {
    this.quarantine();
    this.side.endSending();
    this.#deadline = this.#host.context.wheel.cancel(this.#deadline);
    this.heartbeat = null;
    if (this.openedAt === 0) this.#fail();
    else this.#conclude();
  }

  #conclude(): void {
    const openMs = Math.round(this.#host.context.clock.now() - this.#openedAtMs);
    this.verdict = this.record.verdict(this.transport, openMs, this.chart.takeTrail());
    this.#report('closed');
  }

  /** Describes the failure. If an error of the application cannot be described, the failure is a `crash`. */
  #describeFailure(): FailureDescription {
    const { address, path } = this;
    const crashed = (error?: Error): FailureDescription => ({
      ...{ phase: 'config', cause: 'crash', retry: 'backoff', level: 'error' },
      ...{ address, path, ...(error && { error }) },
    });
    let failure = crashed();
    guarded(
      () => {
        failure = this.side.describeFailure();
      },
      (error) => {
        failure = crashed(error);
      },
    );
    return failure;
  }

  #fail(): void {
    this.failure = { ...this.#describeFailure(), trail: this.chart.takeTrail() };
    this.#report('failed');
    this.transport.destroy();
  }
}

/** The top-level state of the chart. */
function topOf({ top }: ChartState): ConnectionState {
  return top as ConnectionState;
}

function ignoreThrown(run: () => void): void {
  guarded(run, () => {});
}
