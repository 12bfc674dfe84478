import type { Socket } from 'node:net';
import type { FlushResult, SendResult } from '../core/connection.ts';
import { toError } from '../core/errors.ts';
import type { Frame } from '../core/frame.ts';
import type { SocketTransport } from '../transport/transport.ts';
import { Backpressure } from './back-pressure.ts';
import type { ConnectionSide } from './connection-core.ts';
import type { ManagedConnection } from './managed-connection.ts';
import type { SharedRuntime } from './shared-runtime.ts';
import type { SocketEvents } from './socket-events.ts';
import type { Flushable, FrameBatch, WriteBatcher } from './write-batcher.ts';

/** The side of a connection whose raw socket is written to. */
export interface WrittenSide extends ConnectionSide {
  readonly transport: SocketTransport;
  readonly socketEvents: Pick<SocketEvents, 'sendErrored'>;
  /** Frames of its own wait in the outbox or in the socket. */
  ownFramesWait(): void;
  /** There is space again for frames that can wait: see {@link Outbox.hasSpace}. */
  spaceFound(): void;
}

/** What the outboxes of one supervisor share. */
export interface OutboxRuntime extends SharedRuntime {
  readonly writeBatcher: WriteBatcher;
}

/** A frame that may wait until the socket has drained. A newer frame with the same topic and key replaces it. */
export interface Conflatable {
  readonly frame: Frame;
  readonly topic: string;
  readonly key: string;
}

/** Whether a frame is kept, and whether an older one was dropped for it. */
export interface ConflateResult {
  readonly isConflated: boolean;
  readonly replaced: boolean;
}

interface Conflated extends Conflatable {
  /** The order in which frames were kept. */
  readonly number: number;
}

/** Receives the result of a frame. */
type FlushWaiter = (result: FlushResult) => void;

/** A write of no bytes. */
const nothing = Buffer.alloc(0);

type Written = (error?: Error | null) => void;

/**
 * Writes all messages of an accepted connection to its socket.
 *
 * Frames go directly to the raw socket. ws writes only control frames, each in one piece, so the two never interleave
 * within a frame. The first `send` of a turn of the event loop is written at once, and all further frames of the turn
 * leave in one write. Above the high mark, the outbox accepts nothing until the socket has drained.
 *
 * ```
 * send ──(first of its turn)──────────────▶ socket
 * send, publish ──▶ batch ──(end of turn)──▶ socket ──(above the high mark)──▶ congested
 * publish while congested ──▶ dropped, or kept by key until the socket has drained
 * ```
 */
export class Outbox implements Flushable {
  readonly #socket: Socket;
  readonly #connection: ManagedConnection<WrittenSide>;
  readonly #context: OutboxRuntime;
  readonly #backpressure: Backpressure;
  #batch: FrameBatch | null = null;
  /** How many bytes the batch may have before it passes the high mark. */
  #room = 0;
  /** The turn in which something was last written at once. */
  #turn = -1;
  /** By topic and key. */
  #conflated: Map<string, Map<string, Conflated>> | null = null;
  #conflatedNumber = 0;
  #conflatedBytes = 0;
  /** Callers that wait for frames of the batch. */
  #pendingFlushes: FlushWaiter[] | null = null;
  /** Whether it is called back when everything that waits has left. */
  #isSpaceAsked = false;
  /** The callback of writes that may have to wait. All share it, which is cheaper for Node.js. */
  #whenWritten: Written | null = null;

  constructor(socket: Socket, connection: ManagedConnection<WrittenSide>, context: OutboxRuntime) {
    this.#socket = socket;
    this.#connection = connection;
    this.#context = context;
    this.#backpressure = new Backpressure(connection, this);
  }

  get isCongested(): boolean {
    return this.#backpressure.isCongested;
  }

  /** Whether frames wait for the end of the turn. The socket was writable when the batch began. */
  get hasBatch(): boolean {
    return this.#batch !== null;
  }

  /** Whether nothing waits here. Frames may still wait in the socket. */
  get isIdle(): boolean {
    return this.#batch === null && !this.isCongested;
  }

  /** Bytes that wait here for the end of the turn, or until the socket has drained. */
  get pendingBytes(): number {
    return (this.#batch?.bytes ?? 0) + this.#conflatedBytes;
  }

  /**
   * Whether frames that can wait may leave now. If not, the side is told when they may. They leave room up to the high mark for
   * all others, and a peer that takes nothing meanwhile is stalled.
   */
  hasSpace(): boolean {
    const isFull = this.#isFull;
    this.#backpressure.awaitRoom(isFull);
    if (isFull && !this.#isSpaceAsked) this.#askForSpace();
    return !isFull;
  }

  get #isFull(): boolean {
    const waitingBytes = (this.#batch?.bytes ?? 0) + this.#socket.writableLength;
    return this.isCongested || waitingBytes > this.#context.limits.outboxLowBytes;
  }

  /** Writes nothing behind what waits, to be called back. Control frames, and frames that were shared, have no callback. */
  #askForSpace(): void {
    this.flush();
    if (!this.#socket.writable) return;
    this.#isSpaceAsked = true;
    writeChunks(this.#socket, [nothing], () => {
      this.#isSpaceAsked = false;
      if (!this.#socket.destroyed) this.#lookForSpace();
    });
  }

  #lookForSpace(): void {
    this.#backpressure.backlogShrank();
    if (!this.#backpressure.isAwaited) return;
    if (this.#isFull) this.#askForSpace();
    else {
      this.#backpressure.awaitRoom(false);
      this.#connection.side.spaceFound();
    }
  }

  /** Writes the first frame of a turn at once, and later ones together at the end of the turn. */
  send(frame: Frame): SendResult {
    if (this.isCongested) return 'refused';
    const { writeBatcher } = this.#context;
    if (this.#batch !== null || this.#turn === writeBatcher.number) return this.publish(frame);
    this.#turn = writeBatcher.number;
    writeBatcher.endLater();
    return this.#write([frame], frame.length);
  }

  /** Writes a frame at the end of the turn. */
  publish(frame: Frame): SendResult {
    return this.isCongested ? 'refused' : this.#collect(frame);
  }

  #collect(frame: Frame): SendResult {
    const batch = this.#batch?.with(frame) ?? this.#begin(frame);
    this.#batch = batch;
    return batch.bytes > this.#room ? this.flush() : 'queued';
  }

  #begin(frame: Frame): FrameBatch {
    this.#prepare();
    return this.#context.writeBatcher.begin(this, frame);
  }

  #prepare(): void {
    this.#room = this.#context.limits.outboxHighBytes - this.#socket.writableLength;
    this.#connection.side.ownFramesWait();
  }

  /** Begins its batch with frames that it has shared with others. They have at most as many bytes as the high mark. */
  adopt(batch: FrameBatch): void {
    this.#prepare();
    this.#context.writeBatcher.flushLater(this);
    this.#batch = batch;
  }

  /** Writes a frame at the end of the turn and returns its result. */
  sendAndFlush(frame: Frame): Promise<FlushResult> {
    if (this.isCongested) return Promise.resolve('refused');
    return new Promise((resolve) => {
      this.#pendingFlushes ??= [];
      this.#pendingFlushes.push(resolve);
      this.publish(frame);
    });
  }

  /**
   * Keeps the newest frame of each key until the socket has drained.
   *
   * A single kept frame may have any length; several have room up to the high mark. An older frame with the same key is
   * dropped in any case, because it is outdated.
   */
  keep({ frame, topic, key }: Conflatable): ConflateResult {
    if (!this.isCongested) return { isConflated: false, replaced: false };
    const replaced = this.#forget(topic, key);
    const isConflated =
      this.#conflatedBytes === 0 ||
      this.#conflatedBytes + frame.length <= this.#context.limits.outboxHighBytes;
    if (isConflated) this.#remember({ frame, topic, key, number: this.#conflatedNumber });
    return { isConflated, replaced };
  }

  /** Drops the kept frames of a topic that the member has left. */
  forget(topic: string): void {
    for (const { frame } of this.#conflated?.get(topic)?.values() ?? [])
      this.#conflatedBytes -= frame.length;
    this.#conflated?.delete(topic);
  }

  #remember(conflated: Conflated): void {
    this.#conflatedNumber += 1;
    this.#conflatedBytes += conflated.frame.length;
    this.#conflated ??= new Map();
    const ofTopic = this.#conflated.get(conflated.topic);
    if (ofTopic === undefined)
      this.#conflated.set(conflated.topic, new Map([[conflated.key, conflated]]));
    else ofTopic.set(conflated.key, conflated);
  }

  /** Drops the kept frame with this key. Returns whether there was one. */
  #forget(topic: string, key: string): boolean {
    const ofTopic = this.#conflated?.get(topic);
    const conflated = ofTopic?.get(key);
    if (conflated === undefined) return false;
    this.#conflatedBytes -= conflated.frame.length;
    ofTopic?.delete(key);
    return true;
  }

  /** Writes the batch. */
  flush(): SendResult {
    const batch = this.#batch;
    if (batch === null) return 'queued';
    this.#batch = null;
    const pendingFlushes = this.#pendingFlushes;
    this.#pendingFlushes = null;
    const { chunks, bytes } = batch;
    return pendingFlushes === null
      ? this.#write(chunks, bytes)
      : this.#writeFor(pendingFlushes, batch);
  }

  #writeFor(pendingFlushes: readonly FlushWaiter[], { chunks, bytes }: FrameBatch): SendResult {
    let waiters = pendingFlushes;
    const settle = (flushed: FlushResult) => {
      const settled = waiters;
      waiters = [];
      for (const waiter of settled) waiter(flushed);
    };
    // A stream that is not a socket of Node.js may call back before `write` returns.
    let result: SendResult | null = null;
    result = this.#write(chunks, bytes, (error) => {
      // The operating system took it at once, so it counts as sent, whatever happened to the socket since.
      if (result === 'sent') return;
      settle(error || this.#socket.destroyed ? 'lost' : 'sent');
      this.#written(error);
    });
    if (result !== 'queued') settle(result === 'sent' ? 'sent' : 'lost');
    return result;
  }

  /** Writes the accepted frames, then kept frames up to the high mark, and accepts nothing more. */
  stop(): void {
    this.#backpressure.stop();
    this.refill();
    this.flush();
    this.#conflated = null;
    this.#conflatedBytes = 0;
  }

  #write(chunks: readonly Buffer[], bytes: number, written?: Written): SendResult {
    const socket = this.#socket;
    if (!socket.writable) return 'refused';
    this.#connection.transport.noteWritten(bytes);
    const error = writeChunks(socket, chunks, written ?? this.#callbackFor(bytes));
    if (error !== null) {
      // The error is known here before the socket, or a callback, reports it.
      if (this.#backpressure.isStopped) this.#connection.record.noteSendError(error);
      else this.#connection.side.socketEvents.sendErrored(error);
      return 'refused';
    }
    const bufferedBytes = socket.writableLength;
    if (bufferedBytes > 0) this.#connection.side.ownFramesWait();
    this.#backpressure.backlogGrew(bufferedBytes);
    return bufferedBytes === 0 ? 'sent' : 'queued';
  }

  /** A callback costs as much as the rest of a delivery, so only a write that may have to wait gets one. */
  #callbackFor(bytes: number): Written | undefined {
    if (this.#socket.writableLength === 0 && bytes <= this.#context.limits.outboxHighBytes) {
      return undefined;
    }
    this.#whenWritten ??= (error) => this.#written(error);
    return this.#whenWritten;
  }

  #written(error?: Error | null): void {
    const { socketEvents } = this.#connection.side;
    if (error) socketEvents.sendErrored(error);
    // Node.js 20 reports success for the unfinished write of a destroyed socket.
    else if (this.#socket.destroyed)
      socketEvents.sendErrored(new Error('the socket was destroyed'));
    else this.#backpressure.backlogShrank();
  }

  /** Writes kept frames, oldest first, until the socket is above the high mark. */
  refill(): void {
    const waiting = [...(this.#conflated?.values() ?? [])].flatMap((ofTopic) => [
      ...ofTopic.values(),
    ]);
    for (const { frame, topic, key } of waiting.sort((a, b) => a.number - b.number)) {
      if (this.#socket.writableLength > this.#context.limits.outboxHighBytes) return;
      this.#forget(topic, key);
      this.#collect(frame);
    }
  }
}

/** Writes all chunks in one system call, without copying large frames. Returns the error that is known at once. */
export function writeChunks(
  socket: Socket,
  chunks: readonly Buffer[],
  written?: Written,
): Error | null {
  try {
    const last = chunks.length - 1;
    if (last > 0) socket.cork();
    for (let index = 0; index < last; index += 1) socket.write(chunks[index] as Buffer);
    socket.write(chunks[last] as Buffer, written);
    if (last > 0) socket.uncork();
    return socket.errored;
  } catch (thrown) {
    // Other code has wrapped the methods of this socket.
    return toError(thrown);
  }
}
