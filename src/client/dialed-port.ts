import { Port } from '../connection/port.ts';
import type { PortHost } from '../connection/port-host.ts';
import { agreesOnBeat, beatAnswer, beatKind } from '../core/beat.ts';
import { describeDialFailure } from '../core/dial-failure.ts';
import { toError } from '../core/errors.ts';
import type { Failure } from '../core/failure.ts';
import { isThenable } from '../core/guard.ts';
import { DialedOutbox } from './dialed-outbox.ts';
import type { DialedWire, DialObserver } from './dialed-wire.ts';
import { type DialTarget, placeOf } from './target.ts';

/** What a port that dials needs of whoever it dials for. */
export interface DialedPortHost extends PortHost {
  /** Where this attempt goes. May throw or reject. */
  target(): DialTarget | Promise<DialTarget>;
  /** The attempt knows where, and dials. */
  dialsTo(target: DialTarget): void;
  makeWire(observer: DialObserver): DialedWire;
  /** The peer has asked for a beat: it has let this side in. */
  peerWelcomes(port: DialedPort): void;
}

/** A port that goes to its peer: one attempt, and the connection that comes of it. */
export class DialedPort extends Port {
  readonly wire: DialedWire;
  /** The public handle for this port, once somebody has asked for it. */
  handle: object | null = null;

  declare protected readonly host: DialedPortHost;
  #outbox: DialedOutbox | null = null;
  #hasBeat = false;
  /** What kept it from opening, where no socket can tell. */
  #hindrance: 'late' | 'targetless' | null = null;

  constructor(host: DialedPortHost, id: string) {
    super(host, id, { address: '', path: '' });
    this.wire = host.makeWire(this.witness);
    this.begin();
    this.tell('dial.requested');
  }

  /** Messages for the peer, while they can still leave. */
  get messages(): DialedOutbox | null {
    if (!this.isOpen) return null;
    this.#outbox ??= new DialedOutbox(this.wire, this, this.host.context);
    return this.#outbox;
  }

  /** Gives the attempt up. Returns whether there was one under way. */
  abort(): boolean {
    if (this.state !== 'handshaking') return false;
    this.witness.evidence.intent = 'close';
    this.tell('close.requested');
    return true;
  }

  /** Asks for a sign of life at once. */
  probe(): void {
    if (this.isOpen) this.heartbeat?.probe();
  }

  dial(): void {
    const fail = (thrown: unknown) => {
      this.#hindrance = 'targetless';
      this.witness.socketErrored(toError(thrown));
    };
    try {
      const target = this.host.target();
      if (isThenable(target)) target.then((known) => this.#dialTo(known), fail);
      else this.#dialTo(target);
    } catch (thrown) {
      fail(thrown);
    }
  }

  #dialTo(target: DialTarget): void {
    // It may have taken longer than the attempt was given.
    if (this.isOver) return;
    Object.assign(this, placeOf(target));
    this.host.dialsTo(target);
    try {
      this.wire.dial(target);
    } catch (thrown) {
      this.witness.socketErrored(toError(thrown));
    }
  }

  /** Nobody tells it to: there is no upgrade request to answer. */
  upgrade(): void {}
  refuseUpgrade(): void {}
  refuseWithClose(): void {}

  override announceOpen(): void {
    this.#hasBeat = agreesOnBeat(this.wire.subprotocol);
    super.announceOpen();
    this.tell('welcome.settled');
  }

  override arrived(payload: Uint8Array, isBinary: boolean): unknown {
    const kind = this.#hasBeat ? beatKind(payload, isBinary) : null;
    if (kind === null) return super.arrived(payload, isBinary);
    if (kind === 'request') this.#answerBeat();
    return undefined;
  }

  /** Only a peer that has asked is ever asked: another may merely have echoed what it was offered. */
  #answerBeat(): void {
    this.wire.beatHeard();
    this.host.peerWelcomes(this);
    this.startHeartbeat();
    this.messages?.send(beatAnswer);
  }

  protected stopSending(): void {
    this.#outbox?.stop();
  }

  protected handshakeExpired(): void {
    this.#hindrance = 'late';
  }

  protected describeFailure(): Failure {
    const { evidence } = this.witness;
    return describeDialFailure({
      phase: this.wire.phase,
      error: evidence.socketError,
      answer: evidence.answer,
      isAborted: evidence.intent === 'close',
      isLate: this.#hindrance === 'late',
      isTargetless: this.#hindrance === 'targetless',
      crash: evidence.handlerError,
      address: this.address,
      path: this.path,
    });
  }

  protected letGo(): void {
    this.#outbox = null;
    this.wire.release();
  }
}
