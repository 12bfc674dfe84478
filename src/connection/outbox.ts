import type { Socket } from 'node:net';
import type { FlushResult, SendResult } from '../core/connection.ts';
import type { Frame } from '../core/frame.ts';
import { Backpressure } from './back-pressure.ts';
import type { SharedRuntime } from './connection-host.ts';
import type { ManagedConnection } from './managed-connection.ts';
import type { SocketEvents, SocketSide } from './socket-events.ts';
import type { Flushable, FrameBatch, WriteBatcher } from './write-batcher.ts';

/** The side of a connection whose raw socket is written to. */
export interface WrittenSide extends SocketSide {
  readonly socketEvents: Pick<SocketEvents, 'sendErrored'>;
}

/** What the outboxes of one supervisor share. */
export interface OutboxRuntime extends SharedRuntime {
  readonly writeBatcher: WriteBatcher;
}

/** A frame that may wait for the socket to drain, unless there is a newer one about the same by then. */
export interface Conflatable {
  readonly frame: Frame;
  readonly topic: string;
  readonly key: string;
}

/** What became of a frame that was to be kept, and whether an older one went for it. */
export interface ConflateResult {
  readonly isConflated: boolean;
  readonly replaced: boolean;
}

interface Conflated extends Conflatable {
  /** Tells what was kept earlier. */
  readonly number: number;
}

/** Somebody who wants to know what became of a frame. */
type FlushWaiter = (result: FlushResult) => void;

type Written = (error?: Error | null) => void;

/**
 * The one place that writes messages to a socket.
 *
 * Frames go straight to the raw socket; ws writes only control frames, each whole and at once, so the two
 * never interleave within a frame. What one turn of the event loop has to write leaves in one write. Above the
 * high mark nothing more is accepted until the socket has drained.
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
  /** Bytes that the batch may have before it is above the high mark. */
  #room = 0;
  /** The turn in which something was last written at once. */
  #turn = -1;
  /** By topic and key. */
  #conflated: Map<string, Map<string, Conflated>> | null = null;
  #conflatedNumber = 0;
  #conflatedBytes = 0;
  /** Those whose frames are in the batch. */
  #pendingFlushes: FlushWaiter[] | null = null;
  /** The callback of writes that may have to wait; the same for all, which is cheaper for Node.js. */
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

  /** Whether something waits for the end of the turn; the socket was writable when it began to. */
  get hasBatch(): boolean {
    return this.#batch !== null;
  }

  /** Bytes that wait here: for the end of the turn, or for the socket to drain. */
  get pendingBytes(): number {
    return (this.#batch?.bytes ?? 0) + this.#conflatedBytes;
  }

  /** Writes a frame at once, or, when it is not the first of its turn, together with the others. */
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
    this.#room = this.#context.limits.outboxHighBytes - this.#socket.writableLength;
    return this.#context.writeBatcher.begin(this, frame);
  }

  /** Writes a frame at the end of the turn and says what became of it. */
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
   * Of what is kept, one frame may be as long as it likes; beyond it there is room up to the high mark. An older one
   * of the same key goes in any case: nobody wants it any more.
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

  /** Gives up what is kept of a topic: a member that has left it is not to hear of it any more. */
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

  /** Returns whether there was one. */
  #forget(topic: string, key: string): boolean {
    const ofTopic = this.#conflated?.get(topic);
    const conflated = ofTopic?.get(key);
    if (conflated === undefined) return false;
    this.#conflatedBytes -= conflated.frame.length;
    ofTopic?.delete(key);
    return true;
  }

  /** Writes what has collected, as long as the socket takes it. */
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
    const result = this.#write(chunks, bytes, (error) => {
      // What the operating system took at once is on its way, whatever became of the socket since.
      if (result === 'sent') return;
      settle(pendingFlushes, error || this.#socket.destroyed ? 'lost' : 'sent');
      this.#written(error);
    });
    if (result !== 'queued') settle(pendingFlushes, result === 'sent' ? 'sent' : 'lost');
    return result;
  }

  /** Writes what was accepted, then what is kept as far as there is room for it, and accepts nothing more. */
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
    writeChunks(socket, chunks, written ?? this.#callbackFor(bytes));
    if (socket.errored) {
      // Known here before the socket, or a callback, reports it.
      if (!this.#backpressure.isStopped)
        this.#connection.side.socketEvents.sendErrored(socket.errored);
      return 'refused';
    }
    const bufferedBytes = socket.writableLength;
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
    // Node.js 20 calls the write that a destroyed socket never finished a success.
    else if (this.#socket.destroyed)
      socketEvents.sendErrored(new Error('the socket was destroyed'));
    else this.#backpressure.backlogShrank();
  }

  /** Writes what is kept in the order of arrival, until the socket is above the high mark. */
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

/** In one system call, and large frames without a copy. */
function writeChunks(
  socket: Socket,
  chunks: readonly Buffer[],
  written: Written | undefined,
): void {
  const [first, ...others] = chunks;
  if (others.length === 0 && first !== undefined) {
    socket.write(first, written);
    return;
  }
  const last = chunks.length - 1;
  socket.cork();
  for (const [index, chunk] of chunks.entries())
    socket.write(chunk, index === last ? written : undefined);
  socket.uncork();
}

function settle(waiters: readonly FlushWaiter[], result: FlushResult): void {
  for (const waiter of waiters) waiter(result);
}
