import { Port } from '../connection/port.ts';
import type { PortHost } from '../connection/port-host.ts';
import { describeDialFailure } from '../core/dial-failure.ts';
import { toError } from '../core/errors.ts';
import type { Failure } from '../core/failure.ts';
import { DialedOutbox } from './dialed-outbox.ts';
import type { DialedWire, DialTarget, WireMaker } from './dialed-wire.ts';

/** One attempt: what to dial, and over what. */
export interface Attempt {
  readonly id: string;
  readonly target: DialTarget;
  readonly makeWire: WireMaker;
}

/** A port that goes to its peer: one attempt, and the connection that comes of it. */
export class DialedPort extends Port {
  readonly wire: DialedWire;
  readonly #target: DialTarget;
  #outbox: DialedOutbox | null = null;
  #isLate = false;

  constructor(host: PortHost, { id, target, makeWire }: Attempt) {
    super(host, id, placeOf(target.url));
    this.#target = target;
    this.wire = makeWire(this.witness);
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
    try {
      this.wire.dial(this.#target);
    } catch (thrown) {
      this.witness.socketErrored(toError(thrown));
    }
  }

  /** Nobody tells it to: there is no upgrade request to answer. */
  upgrade(): void {}
  refuseUpgrade(): void {}

  override announceOpen(): void {
    super.announceOpen();
    this.tell('welcome.settled');
  }

  protected stopSending(): void {
    this.#outbox?.stop();
  }

  protected handshakeExpired(): void {
    this.#isLate = true;
  }

  protected describeFailure(): Failure {
    const { evidence } = this.witness;
    return describeDialFailure({
      phase: this.wire.phase,
      error: evidence.socketError,
      answer: evidence.answer,
      isAborted: evidence.intent === 'close',
      isLate: this.#isLate,
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

/** A URL that cannot be read has no place; the attempt will say so. */
function placeOf(url: string): { address: string; path: string } {
  if (!URL.canParse(url)) return { address: '', path: '' };
  const { host, pathname } = new URL(url);
  return { address: host, path: pathname };
}
