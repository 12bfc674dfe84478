import type { CloseFrame } from '../../../src/core/close-code.ts';
import {
  type AttemptEvidence,
  describeDialFailure,
  type FailureDescription,
} from '../../../src/core/failure.ts';
import { byteLength } from '../../../src/core/text.ts';
import { classifyClose, type Evidence } from '../../../src/core/verdict.ts';
import type {
  DialObserver,
  DialTarget,
  OutboundTransport,
  SocketTransport,
} from '../../../src/transport/transport.ts';
import { type Fate, heartbeat, isAlive } from './fate.ts';
import { Line, type LineParts } from './line.ts';

const FRAMING_BYTES = 8;
const CONTROL_BYTES = 6;

/**
 * A socket of Node.js with ws above it, as a dialed connection sees both. It has a backlog, and may break
 * anywhere.
 */
export class DialedSocket implements OutboundTransport, SocketTransport {
  readonly turnMs = 0;
  readonly canPing = true;
  readonly subprotocol = '';
  isBound = false;
  isPaused = false;
  bytesIn = 0;
  bytesOut = 0;

  readonly #parts: LineParts;
  readonly #observer: DialObserver;
  readonly #fate: Fate;
  readonly #line: Line;
  #error: Error | null = null;
  #hasDialed = false;
  #isDestroyed = false;
  #isReleased = false;
  #hasClosed = false;
  #isRejected = false;
  #progressed: () => void = () => {};
  #whenClosed: ((clean: boolean) => void) | null = null;
  /** What arrived while it was paused. */
  readonly #unread: (() => void)[] = [];

  constructor(parts: LineParts, observer: DialObserver, fate: Fate) {
    this.#parts = parts;
    this.#observer = observer;
    this.#fate = fate;
    this.#line = new Line(parts, fate.isStill);
    this.#line.onProgress = () => this.#progressed();
    this.#line.onRead = (payload) => this.#answer(payload);
  }

  /** Whether it holds a socket, or is about to get one. */
  get isLive(): boolean {
    return this.#hasDialed && !this.#isDestroyed;
  }

  get isReleased(): boolean {
    return this.#isReleased;
  }

  /** @param _target - the target, for subclasses that distinguish their peers. */
  dial(_target: DialTarget): void {
    this.#hasDialed = true;
    const { attempt, afterMs } = this.#fate;
    this.#later(afterMs, () => {
      if (attempt === 'opens') this.#open();
      else if (attempt === 'rejected') {
        this.#isRejected = true;
        this.#observer.rejected();
      } else if (attempt === 'refused') this.#fail(coded('connect ECONNREFUSED', 'ECONNREFUSED'));
    });
  }

  #open(): void {
    const { endsAfterMs } = this.#fate;
    this.isBound = true;
    this.#observer.opened();
    this.#speak();
    this.#later(endsAfterMs, () => this.#end());
  }

  #speak(): void {
    const { speaksEveryMs } = this.#fate;
    if (speaksEveryMs === 0) return;
    this.#later(this.#parts.random.integer(1, 2 * speaksEveryMs), () => {
      this.#arrive(() => this.#observer.connection.receive(Buffer.from('"news"'), false));
      this.#speak();
    });
  }

  /** What the server does about a ping, or a heartbeat. */
  #answer(payload: string): void {
    const { connection } = this.#observer;
    if (!isAlive(this.#fate)) return;
    if (payload === 'ping') this.#later(15, () => this.#arrive(() => connection.heard()));
    if (payload === heartbeat.message) {
      const answer = Buffer.from(heartbeat.answer);
      this.#later(15, () => this.#arrive(() => connection.receive(answer, false)));
    }
  }

  #arrive(read: () => void): void {
    if (this.isPaused) {
      this.#unread.push(read);
      return;
    }
    this.bytesIn += 10;
    read();
  }

  /** What the server, or the network, does at the end. */
  #end(): void {
    const { end } = this.#fate;
    if (end === 'reset') this.#fail(coded('read ECONNRESET', 'ECONNRESET'));
    else if (end === 'silence') this.#line.cut();
    else if (end !== 'never') this.#arrive(() => this.#readEnd());
  }

  /** It is read after the messages before it. */
  #readEnd(): void {
    const { end, closeCode } = this.#fate;
    // A destroyed stream does not emit its end. ws still reads what has arrived.
    if (end === 'fin' && this.#isDestroyed) return;
    if (end === 'fin') this.#observer.socketEnded();
    else if (end === 'close') this.#observer.closeReceived(closeCode, Buffer.from('bye'));
    else {
      this.#observer.violationFound({ code: 1002, reason: '' });
      this.#observer.protocolErrored(coded('broken', 'WS_ERR_INVALID_OPCODE'));
      return;
    }
    this.#close(end === 'close');
  }

  #fail(error: Error): void {
    if (this.#isDestroyed) return;
    this.#error = error;
    this.#isDestroyed = true;
    this.#line.cut();
    this.#observer.socketErrored(error);
    this.#close(false);
  }

  /** The raw socket closes, then ws reports it. As in Node.js, a failed write calls back as if it were complete. */
  #close(isClean: boolean): void {
    this.#isDestroyed = true;
    this.#later(this.#fate.closesAfterMs, () => {
      if (this.#hasClosed) return;
      this.#hasClosed = true;
      this.#line.cut();
      this.#line.bufferedBytes = 0;
      this.#progressed();
      this.#observer.socketClosed(this.#error !== null);
      if (this.#fate.lingersMs === 0) this.#whenClosed?.(isClean);
      else this.#later(this.#fate.lingersMs, () => this.#whenClosed?.(isClean));
    });
  }

  get isWritable(): boolean {
    return this.isBound && !this.#isDestroyed && this.#error === null && !this.#isReleased;
  }

  get bufferedBytes(): number {
    return this.#line.bufferedBytes;
  }

  get flushMark(): number {
    return this.bytesOut - this.bufferedBytes;
  }

  get leftBytes(): number {
    return this.#isDestroyed || this.#isReleased ? 0 : this.flushMark;
  }

  watchWrites(progressed: () => void): void {
    this.#progressed = progressed;
  }

  together(write: () => void): void {
    write();
  }

  /** Now and then the write finds out that the connection is gone. */
  send(payload: string | Uint8Array): Error | null {
    if (this.#parts.random.chance(0.01)) {
      const error = coded('write EPIPE', 'EPIPE');
      this.#error = error;
      this.#parts.clock.soon(() => this.#fail(error));
      return error;
    }
    const bytes = byteLength(payload) + FRAMING_BYTES;
    this.bytesOut += bytes;
    this.#line.write(payload, bytes);
    return null;
  }

  ping(): void {
    if (!this.isWritable) return;
    this.bytesOut += CONTROL_BYTES;
    this.#line.write('ping', CONTROL_BYTES);
  }

  sendClose(frame: CloseFrame): CloseFrame | null {
    if (!this.isWritable) return null;
    this.answerClose();
    return frame;
  }

  answerClose(): boolean {
    this.bytesOut += CONTROL_BYTES;
    this.#line.write('close', CONTROL_BYTES);
    if (this.#fate.answers) this.#later(30, () => this.#close(true));
    return true;
  }

  watchClose(closed: (clean: boolean) => void): void {
    this.#whenClosed = closed;
  }

  pause(): void {
    this.isPaused = true;
  }

  resume(): void {
    if (!this.isPaused) return;
    this.isPaused = false;
    this.#parts.clock.soon(() => {
      while (!this.isPaused) {
        const read = this.#unread.shift();
        if (read === undefined) return;
        this.#arrive(read);
      }
    });
  }

  destroy(): void {
    if (this.#isReleased) return;
    this.#line.cut();
    this.#close(false);
  }

  release(): void {
    this.#isReleased = true;
    this.#line.cut();
    this.#whenClosed = null;
  }

  #later(delayMs: number, act: () => void): void {
    const { clock } = this.#parts;
    if (!Number.isFinite(delayMs)) return;
    clock.arriveAt(clock.now() + delayMs, () => {
      if (!this.#isReleased) act();
    });
  }

  describeFailure(evidence: AttemptEvidence): FailureDescription {
    const { status, retryAfterMs } = this.#fate;
    const answer = { status, ...(retryAfterMs !== undefined && { retryAfterMs }) };
    return describeDialFailure({
      ...evidence,
      phase: this.#hasDialed ? 'tcp' : 'config',
      answer: this.#isRejected ? answer : undefined,
    });
  }

  classify(evidence: Evidence) {
    return classifyClose(evidence);
  }

  noteWritten(): void {}
  beatHeard(): void {}

  isTakenAway(): boolean {
    return false;
  }
}

function coded(message: string, code: string): Error {
  return Object.assign(new Error(message), { code });
}
