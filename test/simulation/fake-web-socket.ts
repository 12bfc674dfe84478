import { NO_STATUS } from '../../src/core/close-code.ts';
import type { WebSocketFace } from '../../src/transport/node-transport.ts';
import type { SocketObserver } from '../../src/transport/transport.ts';
import type { FakeSocket } from './fake-socket.ts';
import type { FakeReader } from './fake-socket-faces.ts';
import type { SimulatedClock } from './simulated-clock.ts';

const OPEN = 1;
const CLOSING = 2;
const CLOSED = 3;

/** Pings that are answered before the answers have left. One more ends the connection, as in ws. */
const PENDING_PONGS_MAX = 60;

const PONG_BYTES = 2;
const CLOSE_BYTES = 4;

type CloseListener = (event: { readonly wasClean: boolean }) => void;

/**
 * A WebSocket over a {@link FakeSocket}, with the events of ws in the order of ws, and without its bytes.
 *
 * Its listeners on the raw socket come after those of the code under test, as those of ws do: at `error` and
 * `end` it is still open.
 */
export class FakeWebSocket implements WebSocketFace, FakeReader {
  observer: SocketObserver | null = null;
  readyState: number = OPEN;
  readonly OPEN = OPEN;
  readonly protocol: string;
  isPaused = false;
  /** When it was last paused, and last read again, and how long the loop had been stuck by then. */
  pausedAtMs = 0;
  lostAtPauseMs = 0;
  resumedAtMs = 0;
  lostAtResumeMs = 0;
  closeFrameSent = false;
  /** The code of the peer's close frame. 1006 if there was none. */
  closeCode = 1006;
  /** The peer sent more pings than are answered. */
  wasFlooded = false;
  violation: Error | undefined;
  /** The time from `close` of the raw socket to its own, in milliseconds. Infinite for never. */
  closesAfterMs = 0;
  /** The next `answerClose` throws: a fault of the WebSocket itself. */
  throwsAtClose = false;

  readonly raw: FakeSocket;
  readonly #clock: SimulatedClock;
  readonly #closeListeners: CloseListener[] = [];
  #closeFrameReceived = false;
  #receiverEnded = false;
  #pendingPongs = 0;

  constructor(raw: FakeSocket, clock: SimulatedClock, protocol = '') {
    this.raw = raw;
    this.protocol = protocol;
    this.#clock = clock;
    raw.reader = this;
    raw.on('close', this.#rawClosed);
    raw.on('end', this.#rawEnded);
    raw.on('error', this.#rawErrored);
    raw.resume();
  }

  /** How many listeners the code under test has on the raw socket. */
  foreignListeners(): { close: number; end: number; error: number } {
    const own: unknown[] = [this.#rawEnded, this.#rawErrored, this.#rawClosed, noop];
    const on = (event: string) =>
      this.raw.listeners(event).filter((listener) => !own.includes(listener)).length;
    return { close: on('close'), end: on('end'), error: on('error') };
  }

  get wasClean(): boolean {
    return this.#closeFrameReceived && this.closeFrameSent;
  }

  addEventListener(_type: 'close', listener: CloseListener): void {
    this.#closeListeners.push(listener);
  }

  supervise(observer: SocketObserver): void {
    this.observer = observer;
  }

  release(): void {
    this.observer = null;
  }

  pause(): void {
    if (this.readyState === CLOSED) return;
    if (!this.isPaused) {
      this.pausedAtMs = this.#clock.now();
      this.lostAtPauseMs = this.#clock.lostMs;
    }
    this.isPaused = true;
    this.raw.pause();
  }

  resume(): void {
    if (this.readyState === CLOSED) return;
    if (this.isPaused) {
      this.resumedAtMs = this.#clock.now();
      this.lostAtResumeMs = this.#clock.lostMs;
    }
    this.isPaused = false;
    this.raw.resume();
  }

  answerClose(code: number = NO_STATUS, reason: string | Buffer = ''): void {
    if (this.throwsAtClose && !this.#isDeaf()) {
      this.throwsAtClose = false;
      throw new Error('the WebSocket could not close');
    }
    if (this.readyState === CLOSING) this.#endIfExchanged();
    if (this.readyState !== OPEN) return;
    this.raw.closeCodeWritten = code;
    this.raw.writeFrame('close', CLOSE_BYTES + reason.length, (error) => {
      if (error) return;
      this.closeFrameSent = true;
      this.#endIfExchanged();
    });
    this.readyState = CLOSING;
  }

  // What arrives.

  readMessage(payload: Buffer, isBinary: boolean): void {
    if (this.#isDeaf()) return;
    this.raw.tell('message', () => this.observer?.connection.receive(payload, isBinary));
  }

  readBeat(payload: string): void {
    if (this.#isDeaf()) return;
    this.raw.tell('beat', () => this.observer?.connection.receive(Buffer.from(payload), false));
  }

  readPong(): void {
    if (!this.#isDeaf()) this.observer?.connection.heard();
  }

  readClose(code: number, reason: string): void {
    if (this.#isDeaf()) return;
    this.#closeFrameReceived = true;
    this.closeCode = code;
    const bytes = code === NO_STATUS ? undefined : Buffer.from(reason);
    this.raw.tell('close-frame', () => {
      if (this.observer === null) this.answerClose(code, bytes);
      else this.observer.closeReceived(code, bytes);
    });
  }

  readViolation(status: number): void {
    if (this.#isDeaf()) return;
    const error = new RangeError('Invalid WebSocket frame');
    this.violation = error;
    this.raw.tell('violation', () => {
      this.observer?.violationFound({ code: status, reason: '' });
      this.observer?.protocolErrored(error);
    });
  }

  readPing(): void {
    if (this.#isDeaf()) return;
    if (this.readyState === OPEN) this.#answerPing();
    this.observer?.connection.heard();
  }

  #answerPing(): void {
    if (this.#pendingPongs < PENDING_PONGS_MAX) {
      this.#pendingPongs += 1;
      this.observer?.pongDue(PONG_BYTES);
      this.raw.writeFrame('pong', PONG_BYTES, () => {
        this.#pendingPongs -= 1;
      });
      return;
    }
    this.wasFlooded = true;
    this.raw.tell('ping-flood', () => this.observer?.pingFlooded());
    this.readyState = CLOSING;
    this.raw.tearDown();
  }

  /** ws stops listening after a close frame and after a violation. */
  #isDeaf(): boolean {
    return this.#closeFrameReceived || this.violation !== undefined || this.#receiverEnded;
  }

  #endIfExchanged(): void {
    if (this.closeFrameSent && (this.#closeFrameReceived || this.violation !== undefined)) {
      this.raw.end();
    }
  }

  // What the raw socket reports.

  readonly #rawEnded = (): void => {
    this.readyState = CLOSING;
    this.#receiverEnded = true;
    this.raw.end();
  };

  readonly #rawErrored = (): void => {
    this.raw.off('error', this.#rawErrored);
    this.raw.on('error', noop);
    this.readyState = CLOSING;
    this.raw.tearDown();
  };

  /** What a paused socket still held is read at the very end. */
  readonly #rawClosed = (): void => {
    this.raw.off('close', this.#rawClosed);
    this.raw.off('end', this.#rawEnded);
    this.readyState = CLOSING;
    for (const { frames } of this.raw.takeUnread()) for (const read of frames) read(this);
    const hasEnded = this.#receiverEnded || this.violation !== undefined;
    this.#receiverEnded = true;
    if (this.closesAfterMs > 0) this.#clock.lateBy(this.closesAfterMs, () => this.#close());
    else if (hasEnded) this.#close();
    else this.#clock.soon(() => this.#close());
  };

  #close(): void {
    this.readyState = CLOSED;
    const { wasClean } = this;
    for (const listener of this.#closeListeners.splice(0)) listener({ wasClean });
  }
}

function noop(): void {}
