import type { Socket } from 'node:net';
import type { CloseFrame } from '../core/close-code.ts';
import type { RefusalAnswer } from '../core/failure.ts';
import { pingFrame } from '../core/frame.ts';
import type { TimerWheel } from '../core/timer-wheel.ts';
import { answerAndLetGo } from './http-answer.ts';
import { observeSocket, type RawSocketObserver, releaseSocket } from './raw-socket.ts';
import type { SocketObserver, WireSocket } from './socket.ts';

type Libuv = Socket & { readonly _handle?: { readonly writeQueueSize?: number } | null };

/**
 * The raw socket of a connection and, once upgraded, the WebSocket above it.
 *
 * Both are let go of together; after {@link release} every question has an answer and nothing is held.
 */
export class Wire {
  #raw: Socket | null;
  #socket: WireSocket | null = null;
  #readBeforeOpen = 0;
  #writtenBeforeOpen = 0;

  constructor(raw: Socket, observer: RawSocketObserver) {
    this.#raw = observeSocket(raw, observer) ? raw : null;
  }

  /** Whether there is a raw socket to speak of; not when it belongs to another connection. */
  get isOurs(): boolean {
    return this.#raw !== null;
  }

  /** The raw socket. @throws Error when it has been let go of */
  get socket(): Socket {
    if (this.#raw === null) throw new Error('the socket has been let go of');
    return this.#raw;
  }

  /** Takes over the WebSocket that was made of the raw socket. */
  bind(socket: WireSocket, observer: SocketObserver): void {
    this.#socket = socket;
    socket.observer = observer;
    this.#readBeforeOpen = this.#raw?.bytesRead ?? 0;
    this.#writtenBeforeOpen = this.#raw?.bytesWritten ?? 0;
  }

  get isBound(): boolean {
    return this.#socket !== null;
  }

  /** The subprotocol agreed on, or an empty string. */
  get subprotocol(): string {
    return this.#socket?.protocol ?? '';
  }

  /** Whether what is written now can still leave; ws and the raw socket each may have ended silently. */
  get isWritable(): boolean {
    const socket = this.#socket;
    if (socket === null || this.#raw === null) return false;
    return socket.readyState === socket.OPEN && this.#raw.writable;
  }

  /** Bytes received since it was bound. */
  get bytesIn(): number {
    return (this.#raw?.bytesRead ?? 0) - this.#readBeforeOpen;
  }

  /** Bytes given to the socket since it was bound. */
  get bytesOut(): number {
    return (this.#raw?.bytesWritten ?? 0) - this.#writtenBeforeOpen;
  }

  /** Bytes that wait in this process. */
  get bufferedBytes(): number {
    return this.#raw?.writableLength ?? 0;
  }

  /**
   * A number that changes whenever the operating system takes bytes of a backlog.
   *
   * Node.js hands a whole backlog over in one write and counts it only when it is done. What libuv has
   * left of it is known to the handle alone; Node.js judges the idle time of its sockets by the same number.
   */
  get flushMark(): number {
    return (
      this.bytesOut -
      this.bufferedBytes -
      ((this.#raw as Libuv | null)?._handle?.writeQueueSize ?? 0)
    );
  }

  get isPaused(): boolean {
    return this.#socket?.isPaused === true;
  }

  pause(): void {
    this.#socket?.pause();
  }

  resume(): void {
    if (this.isPaused) this.#socket?.resume();
  }

  /**
   * Sends a ping; returns what kept it from being written at once. Past ws, which would hand over header and
   * payload apart, at twice the cost.
   */
  ping(): Error | null {
    const raw = this.#raw;
    if (raw === null || !this.isWritable) return new Error('the socket is not writable any more');
    raw.write(pingFrame);
    return raw.errored;
  }

  /** Sends our close frame; `false` when it is too late for one. */
  sendClose({ code, reason }: CloseFrame): boolean {
    if (!this.isWritable) return false;
    this.#socket?.answerClose(code, reason);
    // A write that fails at once is known here before the socket, or ws, reports it.
    return !this.#raw?.errored;
  }

  /** Lets ws send, or complete, the close frame that it asked for. */
  answerClose(code: number, reason?: Buffer): void {
    this.#socket?.answerClose(code, reason);
  }

  /** Calls `closed` when ws reports the end, with whether both close frames were exchanged. */
  watchClose(closed: (clean: boolean) => void): void {
    this.#socket?.addEventListener('close', (event) => closed(event.wasClean));
  }

  destroy(): void {
    this.#raw?.destroy();
  }

  /** Refuses the upgrade request and lets the socket go. */
  refuse(answer: RefusalAnswer, wheel: TimerWheel): void {
    const raw = this.#raw;
    if (raw === null) return;
    this.release();
    answerAndLetGo(raw, answer, wheel);
  }

  /** Lets go of a socket that somebody else has taken over, or that is gone. */
  release(): void {
    if (this.#raw !== null) releaseSocket(this.#raw);
    if (this.#socket !== null) this.#socket.observer = null;
    this.#raw = null;
    this.#socket = null;
  }
}
