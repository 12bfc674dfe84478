import type { ConnectionHost } from '../connection/connection-host.ts';
import { ManagedConnection } from '../connection/managed-connection.ts';
import { agreesOnBeat, beatAnswer, beatKind } from '../core/beat.ts';
import { toError } from '../core/errors.ts';
import { describeDialFailure, type FailureDescription } from '../core/failure.ts';
import { isThenable } from '../core/guard.ts';
import type { DialObserver, OutboundTransport } from '../transport/transport.ts';
import { OutboundOutbox } from './outbound-outbox.ts';
import type { Destination, Route } from './reconnect/route.ts';

/** What a connection that dials needs of whoever it dials for. */
export interface OutboundHost extends ConnectionHost {
  /** Where this attempt goes. */
  readonly route: Route;
  /** Where it dialed last. */
  url: string;
  makeTransport(observer: DialObserver): OutboundTransport;
  /** The peer has asked for a beat: it has let this side in. */
  peerWelcomes(connection: OutboundConnection): void;
}

/** A connection that goes to its peer: one attempt, and the connection that comes of it. */
export class OutboundConnection extends ManagedConnection {
  readonly transport: OutboundTransport;
  /** The public handle for this connection, once somebody has asked for it. */
  handle: object | null = null;

  declare protected readonly host: OutboundHost;
  #outbox: OutboundOutbox | null = null;
  #hasBeat = false;
  /** What kept it from opening, where no socket can tell. */
  #failureReason: 'late' | 'targetless' | null = null;

  constructor(host: OutboundHost, id: string) {
    super(host, id, { address: '', path: '' });
    this.transport = host.makeTransport(this.socketEvents);
    this.begin();
    this.send('dial.requested');
  }

  /** Messages for the peer, while they can still leave. */
  get messages(): OutboundOutbox | null {
    if (!this.isOpen) return null;
    this.#outbox ??= new OutboundOutbox(this.transport, this, this.host.context);
    return this.#outbox;
  }

  /** Gives the attempt up. Returns whether there was one under way. */
  abort(): boolean {
    if (this.state !== 'handshaking') return false;
    this.socketEvents.evidence.intent = 'close';
    this.send('close.requested');
    return true;
  }

  /** Asks for a sign of life at once. */
  probe(): void {
    if (this.isOpen) this.heartbeat?.probe();
  }

  dial(): void {
    const fail = (thrown: unknown) => {
      this.#failureReason = 'targetless';
      this.socketEvents.socketErrored(toError(thrown));
    };
    try {
      const target = this.host.route.target();
      if (isThenable(target)) target.then((known) => this.#dialTo(known), fail);
      else this.#dialTo(target);
    } catch (thrown) {
      fail(thrown);
    }
  }

  #dialTo(target: Destination): void {
    // It may have taken longer than the attempt was given.
    if (this.isOver) return;
    const { url, address, path } = target;
    Object.assign(this, { address, path });
    this.host.url = url;
    try {
      this.transport.dial(target);
    } catch (thrown) {
      this.socketEvents.socketErrored(toError(thrown));
    }
  }

  /** Nobody tells it to: there is no upgrade request to answer. */
  upgrade(): void {}
  refuseUpgrade(): void {}
  refuseWithClose(): void {}

  override announceOpen(): void {
    this.#hasBeat = agreesOnBeat(this.transport.subprotocol);
    super.announceOpen();
    this.send('welcome.settled');
  }

  override arrived(payload: Uint8Array, isBinary: boolean): unknown {
    const kind = this.#hasBeat ? beatKind(payload, isBinary) : null;
    if (kind === null) return super.arrived(payload, isBinary);
    if (kind === 'request') this.#answerBeat();
    return undefined;
  }

  /** Only a peer that has asked is ever asked: another may merely have echoed what it was offered. */
  #answerBeat(): void {
    this.transport.beatHeard();
    this.host.peerWelcomes(this);
    this.startHeartbeat();
    this.messages?.send(beatAnswer);
  }

  protected stopSending(): void {
    this.#outbox?.stop();
  }

  protected handshakeExpired(): void {
    this.#failureReason = 'late';
  }

  protected describeFailure(): FailureDescription {
    const { evidence } = this.socketEvents;
    return describeDialFailure({
      phase: this.transport.phase,
      error: evidence.socketError,
      answer: evidence.answer,
      isAborted: evidence.intent === 'close',
      isLate: this.#failureReason === 'late',
      isTargetless: this.#failureReason === 'targetless',
      crash: evidence.handlerError,
      address: this.address,
      path: this.path,
    });
  }

  protected letGo(): void {
    this.#outbox = null;
    this.transport.release();
  }
}
