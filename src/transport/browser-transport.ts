import { beatRequest } from '../core/beat.ts';
import type { Clock, TimerHandle } from '../core/clock.ts';
import { type CloseFrame, NO_STATUS } from '../core/close-code.ts';
import {
  type AttemptEvidence,
  describePageFailure,
  type FailureDescription,
  type FailurePhase,
} from '../core/failure.ts';
import { HELD_MESSAGE_BYTES, type Limits } from '../core/limits.ts';
import { byteLength, encoder } from '../core/text.ts';
import { type Classification, classifyPageClose, type Evidence } from '../core/verdict.ts';
import type {
  DialTarget,
  MessageRefusal,
  OutboundTransport,
  PageSocketObserver,
} from './transport.ts';

/** The part of a browser's WebSocket that Mooring uses (WHATWG WebSockets Standard). */
export interface NativeWebSocket {
  readonly readyState: number;
  readonly protocol: string;
  readonly bufferedAmount: number;
  binaryType: string;
  onopen: (() => void) | null;
  onmessage: ((event: { readonly data: unknown }) => void) | null;
  onclose: ((event: NativeCloseEvent) => void) | null;
  onerror: (() => void) | null;
  send(data: string | Uint8Array): void;
  close(code?: number, reason?: string): void;
}

/** The close event of a native WebSocket. */
export interface NativeCloseEvent {
  readonly code: number;
  readonly reason: string;
  readonly wasClean: boolean;
}

/** What all connections of a client share. */
export interface BrowserTransportContext {
  readonly limits: Pick<Limits, 'payloadBytesMax'>;
  readonly clock: Clock;
}

/** Makes a native WebSocket; throws for a URL or a subprotocol that is wrong. */
export type NativeWebSocketConstructor = new (url: string, protocols: string[]) => NativeWebSocket;

const OPEN = 1;
const NO_FRAME = 1006;

/**
 * The shortest and the longest time between two checks of a backlog, in milliseconds. Browsers delay shorter timers to
 * 4 ms.
 */
const LOOK_MS = 4;
const LOOK_MS_MAX = 64;

/** The code of a close frame. A page sees no other bytes of the frame. */
const CODE_BYTES = 2;

/**
 * A connection over the WebSocket of a browser.
 *
 * A browser does not report to a page why a connection did not open, when the peer began to close, or that a ping
 * arrived. This transport reports everything else in the same way as one over a raw socket.
 */
export class BrowserTransport implements OutboundTransport {
  /** A page cannot ping. If the peer answers beats, beats take the place of pings. */
  canPing = false;
  isPaused = false;
  /** A browser reads in another process, so a close frame may reach the page 5 ms after open (measured in Chromium). */
  readonly turnMs = 50;
  bytesIn = 0;
  bytesOut = 0;

  /** How far the attempt has come, as far as a page can know. */
  #phase: FailurePhase = 'config';
  readonly #observer: PageSocketObserver;
  readonly #payloadBytesMax: number;
  readonly #Native: NativeWebSocketConstructor;
  #socket: NativeWebSocket | null = null;
  #isOpen = false;
  #whenClosed: ((clean: boolean) => void) | null = null;
  readonly #clock: Clock;
  #progressed: () => void = () => {};
  #look: TimerHandle | null = null;
  #leftAtRelease = 0;
  #lookMs = LOOK_MS;
  /** Whether a message was too long. */
  #hasRefused = false;
  /** What arrived during a pause, in order: messages, and one that is too long or a close frame last. */
  #held: (() => void)[] = [];
  #heldBytes = 0;

  constructor(
    observer: PageSocketObserver,
    { limits, clock }: BrowserTransportContext,
    Native: NativeWebSocketConstructor,
  ) {
    this.#observer = observer;
    this.#clock = clock;
    this.#payloadBytesMax = limits.payloadBytesMax;
    this.#Native = Native;
  }

  dial({ url, subprotocols }: DialTarget): void {
    const socket = new this.#Native(url, [...subprotocols]);
    this.#phase = 'undisclosed';
    this.#socket = socket;
    socket.binaryType = 'arraybuffer';
    socket.onopen = () => {
      this.#isOpen = true;
      this.#observer.opened();
    };
    socket.onmessage = ({ data }) => this.#received(data);
    socket.onclose = (event) => this.#closed(event);
    // Not removed by `release`: a WebSocket that is an EventEmitter would throw for an error without a listener.
    socket.onerror = () => {};
  }

  #received(data: unknown): void {
    const bytes =
      typeof data === 'string' ? encoder.encode(data) : new Uint8Array(data as ArrayBuffer);
    this.bytesIn += bytes.length;
    if (this.#hasRefused) return;
    const isBinary = typeof data !== 'string';
    if (bytes.length > this.#payloadBytesMax) this.#refuse();
    else if (this.#isHolding) this.#hold(bytes, isBinary);
    else this.#observer.connection.receive(bytes, isBinary);
  }

  /** Whether what arrives must wait. */
  get #isHolding(): boolean {
    return this.isPaused || this.#held.length > 0;
  }

  /** Ends the connection behind the messages that came before. What comes after is ignored. */
  #refuse(): void {
    this.#hasRefused = true;
    const refuse = () => this.#observer.messageRefused(this.#tooLong);
    if (this.#isHolding) this.#held.push(refuse);
    else refuse();
  }

  /** The browser already has the whole message. The limit protects what the page does with it. */
  get #tooLong(): MessageRefusal {
    const problem = `message over ${this.#payloadBytesMax} bytes (limits.payloadBytesMax)`;
    return { cause: 'message-limit', code: 1009, problem };
  }

  /** A page cannot stop its browser from reading, so this holds messages, up to a limit. One message always fits. */
  #hold(payload: Uint8Array, isBinary: boolean): void {
    const bytes = payload.length + HELD_MESSAGE_BYTES;
    if (this.#heldBytes > 0 && this.#heldBytes + bytes > this.#payloadBytesMax) {
      this.#observer.overflowed();
      return;
    }
    this.#heldBytes += bytes;
    this.#held.push(() => {
      this.#heldBytes -= bytes;
      this.#observer.connection.receive(payload, isBinary);
    });
  }

  #release(): void {
    while (!this.isPaused) {
      const deliver = this.#held.shift();
      if (deliver === undefined) return;
      deliver();
    }
  }

  /** A browser emits the same event for a close frame of the peer, the answer to ours, and a network failure. */
  #closed(event: NativeCloseEvent): void {
    // A close frame waits behind the messages before it. A network failure does not wait.
    const waits = this.#held.length > 0 && event.code !== NO_FRAME;
    if (waits) this.#held.push(() => this.#conclude(event));
    else this.#conclude(event);
  }

  #conclude({ code, reason, wasClean }: NativeCloseEvent): void {
    const whenClosed = this.#whenClosed;
    if (!this.#isOpen || code === NO_FRAME) this.#observer.socketClosed();
    else {
      this.bytesIn += CODE_BYTES;
      this.#observer.closeReceived(code, reason);
    }
    (whenClosed ?? this.#whenClosed)?.(wasClean);
  }

  get subprotocol(): string {
    return this.#socket?.protocol ?? '';
  }

  get isWritable(): boolean {
    return this.#socket?.readyState === OPEN;
  }

  get bufferedBytes(): number {
    return this.#socket?.bufferedAmount ?? 0;
  }

  get flushMark(): number {
    return this.bytesOut - this.bufferedBytes;
  }

  send(payload: string | Uint8Array, bytes = byteLength(payload)): Error | null {
    this.bytesOut += bytes;
    this.#socket?.send(payload);
    this.#lookMs = LOOK_MS;
    this.#lookLater();
    return null;
  }

  together(write: () => void): void {
    write();
  }

  /** After the end, `bufferedAmount` still counts the bytes that did not leave (WHATWG WebSockets). */
  get leftBytes(): number {
    return this.#socket === null ? this.#leftAtRelease : this.flushMark;
  }

  watchWrites(progressed: () => void): void {
    this.#progressed = progressed;
  }

  /** A browser has no event for the end of a backlog, so a timer checks, less often while nothing leaves. */
  #lookLater(): void {
    if (this.#look !== null || this.bufferedBytes === 0) return;
    const before = this.flushMark;
    this.#look = this.#clock.setTimer(this.#lookMs, () => {
      this.#look = null;
      const isStalled = this.flushMark === before;
      this.#lookMs = isStalled ? Math.min(2 * this.#lookMs, LOOK_MS_MAX) : LOOK_MS;
      if (!isStalled) this.#progressed();
      this.#lookLater();
    });
  }

  beatHeard(): void {
    this.canPing = true;
  }

  ping(): Error | null {
    return this.send(beatRequest);
  }

  /** A page may send 1000 and 3000 to 4999. For any other code it sends an empty close frame. */
  sendClose(frame: CloseFrame): CloseFrame | null {
    if (!this.isWritable) return null;
    if (frame.code === 1000 || frame.code >= 3000) {
      this.#socket?.close(frame.code, frame.reason);
      return frame;
    }
    this.#socket?.close();
    return { code: NO_STATUS, reason: '' };
  }

  watchClose(closed: (clean: boolean) => void): void {
    this.#whenClosed = closed;
  }

  /** A page cannot end a connection at once. This lets the browser close the socket, and stops listening. */
  destroy(): void {
    const whenClosed = this.#whenClosed;
    this.release();
    whenClosed?.(false);
  }

  release(): void {
    const socket = this.#socket;
    if (socket === null) return;
    if (this.#look !== null) this.#clock.clearTimer(this.#look);
    this.#look = null;
    this.#leftAtRelease = this.flushMark;
    socket.onopen = null;
    socket.onmessage = null;
    socket.onclose = null;
    socket.close();
    this.#socket = null;
    this.#whenClosed = null;
    this.#held = [];
  }

  pause(): void {
    this.isPaused = true;
  }

  /**
   * Delivers held messages in a microtask, because the chart orders the resume and user code must not run inside a
   * step.
   */
  resume(): void {
    if (!this.isPaused) return;
    this.isPaused = false;
    if (this.#held.length > 0) void Promise.resolve().then(() => this.#release());
  }

  describeFailure(evidence: AttemptEvidence): FailureDescription {
    return describePageFailure({ ...evidence, phase: this.#phase });
  }

  classify(evidence: Evidence): Classification {
    return classifyPageClose(evidence);
  }
}
