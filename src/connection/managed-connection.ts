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
import type { Intake as ReadResult } from '../core/contract.ts';
import { toError } from '../core/errors.ts';
import type { Failure, FailureDescription } from '../core/failure.ts';
import { guarded } from '../core/guard.ts';
import { LINGER_MS } from '../core/limits.ts';
import type { Deadline, DeadlineOwner } from '../core/timer-wheel.ts';
import type { CloseVerdict, LocalCause } from '../core/verdict.ts';
import type { Transport } from '../transport/transport.ts';
import type { ConnectionHost, ConnectionReport, SharedRuntime } from './connection-host.ts';
import { EndingRecord } from './ending-record.ts';
import { type LocalEnding, type LocalEndingCause, localEndings } from './endings.ts';
import { Heartbeat } from './heartbeat.ts';
import { Intake } from './intake.ts';

/** Who is on the other end, as far as it is known from the start. */
export interface Target {
  readonly address: string;
  /** The path asked for, without its query. */
  readonly path: string;
}

/** What accepting and dialing do each in their own way. Each connection has one of the two as a part. */
export interface ConnectionSide
  extends Pick<ConnectionOrders, 'upgrade' | 'refuseUpgrade' | 'refuseWithClose' | 'dial'> {
  readonly transport: Transport;
  /** It opened; its messages may be sent from now on. */
  opened(): void;
  /** A message arrived, whatever is in it. */
  messageHeard(): void;
  /** Answers a beat of the peer. Returns whether the message is one, and so nothing for the application. */
  takesBeat(payload: Uint8Array, isBinary: boolean): boolean;
  /** Messages that were accepted leave before the WebSocket writes something by itself. */
  flush(): void;
  /** Messages for the peer that were accepted leave, if they still can; no more are accepted. */
  stopSending(): void;
  /** The time for opening is up. */
  handshakeExpired(): void;
  /** Why it never opened. */
  describeFailure(): FailureDescription;
  /** It is over: nothing is held any more. */
  letGo(): void;
}

/**
 * The one object that owns one socket.
 *
 * It gives its chart the facts and carries out the chart's orders. The gate is here, not in the chart,
 * because it must shut before anything else runs: *quarantine first, then send the fact*. How a connection comes to be,
 * and how messages leave, differs between accepted and dialed ones: that is its {@link ConnectionSide}.
 *
 * ```
 * socket event ─▶ record ─▶ quarantine ─▶ fact ─▶ chart ─▶ orders ─▶ reports ─▶ user code
 * message ─▶ gate, proof of life, rate ─▶ contract ─▶ handler
 * ```
 */
export class ManagedConnection<Side extends ConnectionSide = ConnectionSide>
  implements ChartOwner, Omit<ConnectionOrders, 'outcome'>, DeadlineOwner
{
  readonly id: string;
  /** Empty until it is known: a dialed one learns of it with its target. */
  address: string;
  path: string;
  readonly side: Side;
  /** Wall time, in milliseconds since 1970; 0 before it opened. */
  openedAt = 0;
  /** How it ended, once it has: a verdict if it ever opened, a failure if not. */
  verdict: CloseVerdict | undefined;
  failure: Failure | undefined;
  /** The public handle, once there is one. */
  handle: object | null = null;
  heartbeat: Heartbeat | null = null;

  readonly #host: ConnectionHost;
  readonly #chart: ChartRunner<ConnectionFact['type']>;
  #actor: HostedActor | null = null;
  #record: EndingRecord | null = null;
  #gateOpen = false;
  #deadline: Deadline | null = null;
  /** Made for the first message, or the first pause. */
  #intake: Intake | null = null;
  #openedAtMs = 0;

  /** It begins with {@link begin}. */
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
    this.#chart = host.charts.run(connectionTable, this);
  }

  /** Starts the chart. */
  begin(): void {
    this.#host.connectionMoved(this, null, 'handshaking');
    if (this.#host.charts.areActorsEager) this.#actor = this.actor;
    this.#chart.start();
  }

  get state(): ConnectionState {
    if (this.verdict !== undefined) return 'closed';
    return this.failure === undefined ? topOf(this.#chart.state) : 'failed';
  }

  /** Every active state of the chart. */
  get states(): readonly string[] {
    return this.isOver ? [this.state] : this.#chart.state.paths;
  }

  /** What is known of its ending. */
  get record(): EndingRecord {
    this.#record ??= new EndingRecord();
    return this.#record;
  }

  get transport(): Side['transport'] {
    return this.side.transport;
  }

  get actor(): HostedActor {
    const { charts, actor: parent } = this.#host;
    this.#actor ??= charts.host(this.#chart, { id: this.id, parent });
    return this.#actor;
  }

  /** Whether it may be written to and heard right now. */
  get isOpen(): boolean {
    return this.#gateOpen;
  }

  get isOver(): boolean {
    return this.verdict !== undefined || this.failure !== undefined;
  }

  get context(): SharedRuntime {
    return this.#host.context;
  }

  /** Starts the closing handshake. Returns whether this call did. */
  close(intent: LocalCause, frame: CloseFrame): boolean {
    return this.#endAs(intent, { fact: 'close.requested', frame });
  }

  /** Ends it for a cause of our own. Returns whether this call did. */
  end(cause: LocalEndingCause, error?: Error): boolean {
    if (this.#gateOpen && error !== undefined) this.record.noteHandlerError(error);
    return this.#endAs(cause, localEndings[cause]);
  }

  #endAs(intent: LocalCause, ending: LocalEnding): boolean {
    if (!this.quarantine()) return false;
    this.record.noteIntent(intent, ending.frame);
    this.send(ending.fact);
    return true;
  }

  /** Destroys the socket. Returns whether there was anything left to destroy. */
  terminate(): boolean {
    if (this.isOver) return false;
    if (this.quarantine() || this.record.evidence.intent === 'close')
      this.record.noteIntent('terminate');
    this.send('terminate.requested');
    return true;
  }

  /** Destroys the socket because the time for closing it nicely is up. */
  expire(): void {
    this.record.noteForced();
    if (this.quarantine()) this.record.noteIntent('drain');
    this.send('terminate.requested');
  }

  /** Waits no longer for a destroyed socket to say that it is gone. */
  abandon(): void {
    this.#host.context.wheel.cancel(this.#deadline);
    this.deadlinePassed();
  }

  /** Shuts the gate and leaves registry and topics. Returns whether the gate was open. */
  quarantine(): boolean {
    if (!this.#gateOpen) return false;
    // What was accepted while the gate was open leaves while it still is.
    this.side.stopSending();
    this.#gateOpen = false;
    this.#host.connectionQuarantined(this);
    this.heartbeat?.stop();
    this.#intake?.stop();
    this.transport.resume();
    this.transport.watchClose((isClean) => this.#websocketClosed(isClean));
    return true;
  }

  #websocketClosed(isClean: boolean): void {
    this.record.noteWebSocketEnd(isClean);
    this.send('websocket.closed');
  }

  /** What waits in this process is lost, and with it a close frame of ours that waits behind it. */
  backlogLost(): void {
    if (this.transport.bufferedBytes > 0) this.record.noteBacklogLost();
  }

  /** Takes a message from the transport. */
  receive(payload: Uint8Array, isBinary: boolean): void {
    this.side.messageHeard();
    this.heard();
    // Only now: whoever was told that a suspect is healthy again may have ended it.
    if (!this.#gateOpen) return;
    this.intake.receive(payload, isBinary);
  }

  /** A message may be delivered. Returns what its handler returned: a promise while it is at work. */
  arrived(payload: Uint8Array, isBinary: boolean): unknown {
    if (this.side.takesBeat(payload, isBinary)) return undefined;
    const { contract, handlers } = this.#host;
    let read: ReadResult<unknown>;
    try {
      read = contract.read(payload, isBinary);
    } catch (thrown) {
      handlers.errored('messages', toError(thrown), this);
      return undefined;
    }
    if ('message' in read) return handlers.message(this, read.message);
    this.#host.messageInvalid(this, read.fault);
    return undefined;
  }

  /** How fast it may be read. */
  get intake(): Intake {
    this.#intake ??= new Intake(this, this.#host.context);
    return this.#intake;
  }

  /** Time in the wheel's milliseconds, without that in which the application or its handlers paused reading. */
  get readingMs(): number {
    return this.#host.context.wheel.nowMs - (this.#intake?.pausedMs ?? 0);
  }

  /** How much of the time that `readingMs` leaves out handlers alone have paused. */
  get handlersPausedMs(): number {
    return this.#intake?.handlersPausedMs ?? 0;
  }

  heard(): void {
    if (this.#gateOpen) this.heartbeat?.heard();
  }

  deadlinePassed(): void {
    this.#deadline = null;
    if (this.state === 'handshaking') this.side.handshakeExpired();
    else this.record.noteForced();
    this.send('deadline.passed');
  }

  send(fact: ConnectionFact['type']): void {
    if (!this.isOver) this.#chart.send(fact);
  }

  #report(report: ConnectionReport): void {
    this.#host.charts.notifications.add(() => this.#host.connectionReported(this, report));
  }

  chartMoved(from: ChartState, to: ChartState): void {
    if (topOf(from) !== topOf(to)) this.#host.connectionMoved(this, topOf(from), topOf(to));
  }

  /** The last word of a connection whose chart is gone. */
  chartCrashed(error: Error): void {
    this.#host.connectionCrashed(error);
    this.quarantine();
    this.record.noteIntent('crash', { code: 1011, reason: '' });
    this.record.noteHandlerError(error);
    // The socket may be what threw, and a frame that cannot leave must not keep it from being destroyed.
    guarded(
      () => this.sendClose(),
      () => {},
    );
    this.destroy();
    if (!this.#chart.state.isFinal) {
      const to = this.openedAt === 0 ? 'failed' : 'closed';
      this.#host.connectionMoved(this, this.state, to);
    }
    this.finish();
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
    this.#openedAtMs = context.clock.now();
    this.#gateOpen = true;
    this.#host.connectionOpened(this);
    this.#report('opened');
    this.side.opened();
  }

  /** The user's `random` threw, within a transition: it is reported when the chart has settled. */
  randomErrored(error: Error): void {
    this.#host.randomErrored(error);
  }

  /** As soon as there is a way to ask. */
  startHeartbeat(): void {
    if (this.transport.canPing) this.heartbeat ??= new Heartbeat(this, this.#host.context);
  }

  admitMessages(): void {
    // It may have been paused while it was being welcomed.
    if (this.#intake?.isPaused) this.send('reading.paused');
    else this.transport.resume();
  }

  announceChange({ to }: { to: ConnectionCondition }): void {
    this.#report(to);
  }

  announceError(): void {
    this.record.noteErrorReport();
    this.#report('errored');
  }

  /** After an error the closing is no news: `errored` has said it. */
  announceClosing(): void {
    if (!this.record.isErrorReported) this.#report('closing');
  }

  sendClose(): void {
    const { closeFrame } = this.record;
    const sent = closeFrame === undefined ? null : this.transport.sendClose(closeFrame);
    if (sent !== null) this.record.noteSentFirst(sent, this.transport.bytesIn);
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
    this.quarantine();
    this.#deadline = this.#host.context.wheel.cancel(this.#deadline);
    if (this.openedAt === 0) this.#fail();
    else this.#conclude();
    this.heartbeat = null;
    this.side.letGo();
  }

  #conclude(): void {
    const openMs = Math.round(this.#host.context.clock.now() - this.#openedAtMs);
    this.verdict = this.record.verdict(this.transport, openMs, this.#chart.takeTrail());
    this.#report('closed');
  }

  #fail(): void {
    this.failure = { ...this.side.describeFailure(), trail: this.#chart.takeTrail() };
    this.transport.destroy();
    this.#report('failed');
  }
}

/** The state of the connection, of which all others of the chart are parts. */
function topOf({ paths }: ChartState): ConnectionState {
  return paths[0] as ConnectionState;
}
