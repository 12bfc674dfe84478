import type { Server, Socket } from 'node:net';
import type { CloseFrame } from '../core/close-code.ts';
import { toError } from '../core/errors.ts';
import type { RefusalAnswer } from '../core/failure.ts';
import { pingFrame } from '../core/frame.ts';
import type { TimerWheel } from '../core/timer-wheel.ts';
import { type Classification, classifyClose, type Evidence } from '../core/verdict.ts';
import { type FrameHeader, tapFrames } from './frame-tap.ts';
import type { Reads } from './reads.ts';
import type { RawSocketObserver, SocketObserver, SocketTransport } from './transport.ts';
import { answerAndLetGo } from './upgrade.ts';
import type { WsInternals } from './ws-receiver.ts';

/** What a transport needs of its WebSocket. `SupervisedSocket` implements it over ws. */
export interface WebSocketFace {
  /** The connection that gets the reports; `null` before `supervise` and after `release`. */
  observer: SocketObserver | null;
  readonly readyState: number;
  readonly OPEN: number;
  readonly protocol: string;
  readonly isPaused: boolean;
  /** Reports to the observer and limits reads from now on. Called when the WebSocket has opened, before it has read anything. */
  supervise(observer: SocketObserver, reads: Reads | undefined): void;
  /** Stops reporting. */
  release(): void;
  pause(): void;
  resume(): void;
  /** Sends a close frame, or completes the closing handshake if the peer has already sent its own. */
  answerClose(code?: number, reason?: string | Buffer): void;
  addEventListener(type: 'close', listener: (event: { readonly wasClean: boolean }) => void): void;
}

/** The property that Node.js sets on a socket that a server has accepted. */
type AcceptedSocket = Socket & { readonly server?: Server };

/** The handle of a socket. The handle of a TLS socket is above another handle, which may also be one of TLS. */
interface Handle {
  readonly writeQueueSize: number;
  readonly bytesWritten: number;
  readonly _parent?: Handle;
}

type Libuv = Socket & { readonly _handle?: Handle | null };

/**
 * The raw socket of a connection and, once upgraded, the WebSocket above it.
 *
 * {@link release} drops both references. After it, every method still works, and the transport holds nothing.
 */
export class NodeTransport implements SocketTransport {
  protected raw: Socket | null = null;
  protected bound: WebSocketFace | null = null;
  #readBeforeOpen = 0;
  #writtenBeforeOpen = 0;
  /** Bytes that this side has written since the WebSocket was bound. */
  #written = 0;

  /** Watches the raw socket from now on. Returns `false` if it belongs to another connection. */
  watch(raw: Socket, observer: RawSocketObserver): boolean {
    if (!observeSocket(raw, observer)) return false;
    this.raw = raw;
    this.#writtenBeforeOpen = raw.bytesWritten;
    return true;
  }

  /** The raw socket. @throws Error after `release` */
  get socket(): Socket {
    if (this.raw === null) throw new Error('the socket has been released');
    return this.raw;
  }

  /** Takes over the WebSocket that was made from the raw socket. */
  bind(socket: WebSocketFace, observer: SocketObserver, reads: Reads | undefined): void {
    this.bound = socket;
    socket.supervise(observer, reads);
    this.#readBeforeOpen = this.raw?.bytesRead ?? 0;
    this.#writtenBeforeOpen = this.raw?.bytesWritten ?? 0;
    this.#written = 0;
  }

  /** Whether this server has accepted the raw socket, and still counts it. */
  isAcceptedBy(server: Server): boolean {
    const raw: AcceptedSocket | null = this.raw;
    return raw !== null && !raw.destroyed && raw.server === server;
  }

  /**
   * Calls `note` with the header of every frame from now on. Returns a function that stops this; `null` if it is not
   * open.
   */
  tap(note: (header: FrameHeader) => void): (() => void) | null {
    const receiver = (this.bound as Partial<Pick<WsInternals, '_receiver'>> | null)?._receiver;
    return this.raw === null || !receiver ? null : tapFrames(this.raw, receiver, note);
  }

  get isBound(): boolean {
    return this.bound !== null;
  }

  get subprotocol(): string {
    return this.bound?.protocol ?? '';
  }

  /** Checks both, because ws or the raw socket may have ended silently. */
  get isWritable(): boolean {
    const socket = this.bound;
    if (socket === null || this.raw === null) return false;
    return socket.readyState === socket.OPEN && this.raw.writable;
  }

  get bytesIn(): number {
    return (this.raw?.bytesRead ?? 0) - this.#readBeforeOpen;
  }

  get bytesOut(): number {
    return (this.raw?.bytesWritten ?? 0) - this.#writtenBeforeOpen;
  }

  get bufferedBytes(): number {
    return this.raw?.writableLength ?? 0;
  }

  /**
   * Node.js passes a whole backlog to libuv in one write, and counts it as a single write. Only the handle of the TCP
   * connection, below that of TLS, knows how much is left. Node.js uses the same number for the idle timeout of its
   * sockets.
   */
  get flushMark(): number {
    const handle = (this.raw as Libuv | null)?._handle;
    const tcp = below(handle);
    // TLS encrypts a whole write before the kernel takes the first byte, so its own count shows no progress.
    if (tcp !== undefined) return tcp.bytesWritten - tcp.writeQueueSize;
    return this.bytesOut - this.bufferedBytes - (handle?.writeQueueSize ?? 0);
  }

  noteWritten(bytes: number): void {
    this.#written += bytes;
  }

  /** An error of the system or of TLS has a code. The argument of a foreign `destroy(error)` usually has none. */
  isTakenAway(sign?: Error | 'closed'): boolean {
    if (this.raw === null) return false;
    if (sign === 'closed' || (sign !== undefined && !('code' in sign))) return true;
    const { destroyed, errored, writableEnded } = this.raw;
    return writableEnded || (destroyed && errored === null) || this.bytesOut > this.#written;
  }

  get canPing(): boolean {
    return true;
  }

  get isPaused(): boolean {
    return this.bound?.isPaused === true;
  }

  pause(): void {
    this.bound?.pause();
  }

  resume(): void {
    if (this.isPaused) this.bound?.resume();
  }

  ping(): void {
    const { raw } = this;
    if (raw === null) return;
    const error = this.isWritable
      ? this.write(() => this.writePing(raw))
      : new Error('the socket is no longer writable');
    if (error !== null) this.#sendErrored(error);
  }

  /**
   * Lets ws or this transport write to the raw socket. A method of the socket may throw if another part of this process
   * has replaced it. No event follows, so this reports the error.
   *
   * @returns the error, if it is known at once. If the write fails later, the socket emits the error.
   */
  protected write(write: () => void): Error | null {
    try {
      write();
      return this.raw?.errored ?? null;
    } catch (thrown) {
      const error = toError(thrown);
      const raw: ObservedSocket | null = this.raw;
      raw?.[kObserver]?.writeThrew(error);
      return error;
    }
  }

  #sendErrored(error: Error): void {
    const raw: ObservedSocket | null = this.raw;
    raw?.[kObserver]?.sendErrored(error);
  }

  /** Bypasses ws, which would write header and payload separately, at twice the cost. */
  protected writePing(raw: Socket): void {
    this.noteWritten(pingFrame.length);
    raw.write(pingFrame);
  }

  sendClose(frame: CloseFrame): CloseFrame | null {
    if (!this.isWritable) return null;
    return this.#writeClose(frame.code, frame.reason) ? frame : null;
  }

  answerClose(code: number, reason?: Uint8Array): boolean {
    const { isWritable } = this;
    return this.#writeClose(code, reason as Buffer | undefined) && isWritable;
  }

  #writeClose(code: number, reason: string | Buffer | undefined): boolean {
    return this.write(() => this.bound?.answerClose(code, reason)) === null;
  }

  watchClose(closed: (clean: boolean) => void): void {
    this.bound?.addEventListener('close', (event) => closed(event.wasClean));
  }

  classify(evidence: Evidence): Classification {
    return classifyClose(evidence);
  }

  destroy(): void {
    this.raw?.destroy();
  }

  /** Refuses the upgrade request, and releases the socket. */
  refuse(answer: RefusalAnswer, wheel: TimerWheel): void {
    const raw = this.raw;
    if (raw === null) return;
    this.release();
    answerAndLetGo(raw, answer, wheel);
  }

  /** Stops watching both sockets and drops them, without ending them. */
  release(): void {
    if (this.raw !== null) releaseSocket(this.raw);
    this.bound?.release();
    this.raw = null;
    this.bound = null;
  }
}

/** Shared by all copies of Mooring in the process, so that a socket has one observer. */
const kObserver = Symbol.for('mooring.observer');

type ObservedSocket = Socket & { [kObserver]?: RawSocketObserver | undefined };

/** Whether a connection of any copy of Mooring owns the socket. */
export function isSupervised(socket: Socket): boolean {
  return (socket as ObservedSocket)[kObserver] !== undefined;
}

/**
 * Watches a raw socket from the moment Mooring gets it.
 *
 * Only the raw socket reports network failures: ws has no event for them after open, and before open an error without a
 * listener ends the process. The listeners are shared functions and find their observer through the socket, so an idle
 * connection pays for no closures. Returns `false`, and changes nothing, if the socket already has an observer.
 */
function observeSocket(socket: Socket, observer: RawSocketObserver): boolean {
  if (isSupervised(socket)) return false;
  (socket as ObservedSocket)[kObserver] = observer;
  socket.on('error', socketOnError);
  socket.on('end', socketOnEnd);
  socket.on('close', socketOnClose);
  return true;
}

/** Stops watching a socket. The error listener stays, because a late error must not end the process. */
function releaseSocket(socket: Socket): void {
  (socket as ObservedSocket)[kObserver] = undefined;
  socket.off('end', socketOnEnd);
  socket.off('close', socketOnClose);
}

function socketOnError(this: ObservedSocket, error: Error): void {
  this[kObserver]?.socketErrored(error);
}

function socketOnEnd(this: ObservedSocket): void {
  this[kObserver]?.socketEnded();
}

function socketOnClose(this: ObservedSocket, errored: boolean): void {
  this[kObserver]?.socketClosed(errored);
}

/**
 * The lowest handle below that of TLS; `undefined` if there is none, or it belongs to a stream that is not a socket.
 */
function below(handle: Handle | null | undefined): Handle | undefined {
  const parent = handle?._parent;
  if (typeof parent?.writeQueueSize !== 'number') return undefined;
  return below(parent) ?? parent;
}
