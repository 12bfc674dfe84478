import type {
  ConnectionCondition,
  ConnectionFact,
  DeadlineName,
} from '../../machines/connection-contract.ts';
import type { CloseFrame } from '../core/close-code.ts';
import type { ConnectionState } from '../core/connection.ts';
import type { Failure, RefusalAnswer } from '../core/failure.ts';
import type { Deadline, DeadlineOwner } from '../core/timer-wheel.ts';
import { TokenBucket } from '../core/token-bucket.ts';
import type { CloseVerdict, LocalCause } from '../core/verdict.ts';
import { Conductor, type ConductorObserver } from './conductor.ts';
import { type Ending, type EndingCause, endings } from './endings.ts';
import { Heartbeat } from './heartbeat.ts';
import { handshakeTimeoutAnswer } from './http-answer.ts';
import { Outbox } from './outbox.ts';
import type { PortHost, PortReport, UpgradeRequest } from './port-host.ts';
import { snapshotPaths } from './snapshot-paths.ts';
import { Wire } from './wire.ts';
import { Witness } from './witness.ts';

/**
 * The one object that owns one socket.
 *
 * It gives its chart the facts and carries out the chart's orders. The gate is here, not in the chart,
 * because it must shut before anything else runs: *quarantine first, then tell*.
 *
 * ```
 * socket event ─▶ evidence ─▶ quarantine ─▶ fact ─▶ chart ─▶ orders ─▶ reports ─▶ user code
 * ```
 */
export class Port implements ConductorObserver, DeadlineOwner {
  readonly id: string;
  readonly address: string;
  readonly path: string;
  readonly wire: Wire;
  readonly witness: Witness;
  /** What `authenticate` returned. */
  peer: unknown;
  key: string | undefined;
  /** The topics it is, or was, a member of; kept by the topics themselves. */
  topics: Set<string> | null = null;
  /** The supervisor's public handle for this port. */
  handle: object | null = null;
  /** Publications that it did not get because its outbox was full. */
  dropped = 0;
  /** Wall time, in milliseconds since 1970; 0 before it opened. */
  openedAt = 0;
  /** The close frame that began the closing: the peer's, or the one this side means to send. */
  closeFrame: CloseFrame | undefined;
  /** How it ended, once it has: a verdict if it ever opened, a failure if not. */
  verdict: CloseVerdict | undefined;
  failure: Failure | undefined;

  readonly #host: PortHost;
  readonly #conductor: Conductor;
  #upgrade: UpgradeRequest | null;
  #state: ConnectionState = 'handshaking';
  #gateOpen = false;
  #refusal: RefusalAnswer | undefined;
  #deadline: Deadline | null = null;
  #welcome: Deadline | null = null;
  #heartbeat: Heartbeat | null = null;
  #outbox: Outbox | null = null;
  #intake: TokenBucket | null = null;
  #openedAtMs = 0;

  constructor(host: PortHost, id: string, upgrade: UpgradeRequest) {
    this.#host = host;
    this.id = id;
    this.address = upgrade.address;
    this.path = upgrade.path;
    this.#upgrade = upgrade;
    this.witness = new Witness(this);
    this.wire = new Wire(upgrade.socket, this.witness);
    this.#conductor = new Conductor(this, host);
    host.portMoved(this, null, 'handshaking');
    this.#conductor.start();
    if (!this.wire.isOurs) this.disown(new Error('the socket is supervised already'));
  }

  get state(): ConnectionState {
    return this.#state;
  }

  /** Every active state of the chart. */
  get states(): readonly string[] {
    return this.isOver ? [this.#state] : snapshotPaths(this.#conductor.value);
  }

  /** Whether it may be written to and heard right now. */
  get isOpen(): boolean {
    return this.#gateOpen;
  }

  get isOver(): boolean {
    return this.verdict !== undefined || this.failure !== undefined;
  }

  grant(peer: unknown, key: string | undefined): void {
    this.peer = peer;
    this.key = key;
    this.tell('admission.granted');
  }

  refuse(answer: RefusalAnswer): void {
    this.#refusal ??= answer;
    this.tell('admission.refused');
  }

  /** The socket is somebody else's: it is left to them, unanswered and unharmed. */
  disown(error: Error): void {
    this.witness.evidence.taken = error;
    this.wire.release();
    this.tell('admission.refused');
  }

  /** Where messages for the peer go, while they can still leave; made for the first of them. */
  get outbox(): Outbox | null {
    if (!this.#gateOpen || !(this.#outbox?.hasBatch || this.wire.isWritable)) return null;
    this.#outbox ??= new Outbox(this.wire.socket, this, this.#host.context);
    return this.#outbox;
  }

  /** Whether the peer takes less than it is sent. */
  get isCongested(): boolean {
    return this.#outbox?.isCongested === true;
  }

  /** Starts the closing handshake. Returns whether this call did. */
  close(intent: LocalCause, frame: CloseFrame): boolean {
    return this.#endAs(intent, { fact: 'close.requested', frame });
  }

  /** Ends it for a cause of our own. Returns whether this call did. */
  end(cause: EndingCause, error?: Error): boolean {
    if (this.#gateOpen && error !== undefined) this.witness.evidence.handlerError = error;
    return this.#endAs(cause, endings[cause]);
  }

  #endAs(intent: LocalCause, ending: Ending): boolean {
    if (!this.quarantine()) return false;
    this.witness.evidence.intent = intent;
    this.closeFrame = ending.frame;
    this.tell(ending.fact);
    return true;
  }

  /** Destroys the socket. Returns whether there was anything left to destroy. */
  terminate(): boolean {
    if (this.isOver) return false;
    const { evidence } = this.witness;
    if (this.quarantine() || evidence.intent === 'close') evidence.intent = 'terminate';
    this.tell('terminate.requested');
    return true;
  }

  /** Destroys the socket because the time for closing it nicely is up. */
  expire(): void {
    const { evidence } = this.witness;
    evidence.forced = true;
    if (this.quarantine()) evidence.intent = 'drain';
    this.tell('terminate.requested');
  }

  /** Waits no longer for a destroyed socket to say that it is gone. */
  abandon(): void {
    this.#host.context.wheel.cancel(this.#deadline);
    this.deadlinePassed('forced');
  }

  /** Holds messages back until `welcome.settled`, for `welcomeMs` at most. */
  awaitWelcome(): void {
    if (!this.#gateOpen) return;
    this.wire.pause();
    const { wheel, timeouts } = this.#host.context;
    this.#welcome = wheel.schedule(timeouts.welcomeMs, this, 'welcome');
  }

  /** Shuts the gate and leaves registry and topics. Returns whether the gate was open. */
  quarantine(): boolean {
    if (!this.#gateOpen) return false;
    // What was accepted while the gate was open leaves while it still is.
    this.#outbox?.stop();
    this.#gateOpen = false;
    this.#host.portQuarantined(this);
    this.#heartbeat?.stop();
    this.#welcome = this.#host.context.wheel.cancel(this.#welcome);
    this.wire.resume();
    this.wire.watchClose((clean) => this.witness.websocketClosed(clean));
    return true;
  }

  receive(payload: Buffer, isBinary: boolean): void {
    if (!this.#gateOpen) return;
    this.heard();
    // Whoever was told that a suspect is healthy again may have ended it.
    if (!this.#gateOpen) return;
    const { clock, messageRate } = this.#host.context;
    const nowMs = clock.now();
    this.#intake ??= new TokenBucket(messageRate, nowMs);
    if (this.#intake.take(nowMs)) this.#host.messageArrived(this, payload, isBinary);
    else this.end('message-rate');
  }

  heard(): void {
    if (this.#gateOpen) this.#heartbeat?.heard();
  }

  deadlinePassed(name: string): void {
    if (name === 'welcome') {
      this.end('welcome-timeout');
      return;
    }
    this.#deadline = null;
    if (this.#state === 'handshaking') this.#refusal ??= handshakeTimeoutAnswer;
    else this.witness.evidence.forced = true;
    this.tell('deadline.passed');
  }

  tell(fact: ConnectionFact['type']): void {
    if (!this.isOver) this.#conductor.tell(fact);
  }

  deliver(report: PortReport): void {
    this.#host.portReported(this, report);
  }

  /** The last word of a connection whose chart is gone. */
  crashed(error: Error): void {
    this.quarantine();
    this.witness.evidence.intent = 'crash';
    this.witness.evidence.handlerError = error;
    this.closeFrame = { code: 1011, reason: '' };
    this.sendClose();
    this.destroy();
    this.finish();
  }

  // The chart's orders.

  upgrade(): void {
    const upgrade = this.#upgrade;
    if (upgrade === null) return;
    const result = this.#host.completeUpgrade(upgrade);
    if (result === null) this.tell('peer.abandoned');
    else if (result instanceof Error) this.disown(result);
    else if ('cause' in result) this.refuse(result);
    else {
      this.wire.bind(result, this.witness);
      this.tell('socket.opened');
    }
  }

  refuseUpgrade(): void {
    if (this.#refusal !== undefined) this.wire.refuse(this.#refusal, this.#host.context.wheel);
  }

  announceOpen(): void {
    const { context } = this.#host;
    this.#deadline = context.wheel.cancel(this.#deadline);
    this.#upgrade = null;
    // First, because it asks the user's `random`: what crashes before the gate is open has never opened.
    this.#heartbeat = new Heartbeat(this, context);
    this.openedAt = context.clock.wallNow();
    this.#openedAtMs = context.clock.now();
    this.#gateOpen = true;
    this.#move('open');
    this.#host.portOpened(this);
    this.#conductor.report('opened');
  }

  admitMessages(): void {
    this.#welcome = this.#host.context.wheel.cancel(this.#welcome);
    this.wire.resume();
  }

  announceChange({ to }: { to: ConnectionCondition }): void {
    this.#conductor.report(to);
  }

  announceError(): void {
    this.#move('errored');
    this.#conductor.report('errored');
  }

  /** After an error the closing is no news: `errored` has said it. */
  announceClosing(): void {
    if (this.#state === 'open') this.#conductor.report('closing');
    this.#move('closing');
  }

  sendClose(): void {
    const frame = this.closeFrame;
    if (frame !== undefined && this.wire.sendClose(frame)) this.witness.evidence.sent = frame;
  }

  destroy(): void {
    this.witness.backlogLost();
    this.wire.destroy();
  }

  startDeadline({ name }: { name: DeadlineName }): void {
    const { wheel, timeouts } = this.#host.context;
    wheel.cancel(this.#deadline);
    this.#deadline = wheel.schedule(timeouts[`${name}Ms`], this, name);
  }

  finish(): void {
    this.quarantine();
    this.#deadline = this.#host.context.wheel.cancel(this.#deadline);
    if (this.openedAt === 0) this.#fail();
    else this.#conclude();
    this.#upgrade = null;
    this.#outbox = null;
    this.#heartbeat = null;
    this.wire.release();
  }

  outcome(): CloseVerdict | Failure | undefined {
    return this.verdict ?? this.failure;
  }

  #conclude(): void {
    const openMs = Math.round(this.#host.context.clock.now() - this.#openedAtMs);
    this.verdict = this.witness.verdict(this.wire, openMs);
    this.#move('closed');
    this.#conductor.report('closed');
  }

  #fail(): void {
    this.failure = this.witness.failure(this, this.#refusal);
    this.wire.destroy();
    this.#move('failed');
    this.#conductor.report('failed');
  }

  #move(to: ConnectionState): void {
    this.#host.portMoved(this, this.#state, to);
    this.#state = to;
  }
}
