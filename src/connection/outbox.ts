import type { Socket } from 'node:net';
import type { FlushResult, SendResult } from '../core/connection.ts';
import type { Frame } from '../core/frame.ts';
import type { Deadline, DeadlineOwner } from '../core/timer-wheel.ts';
import type { Port } from './port.ts';
import type { PortContext } from './port-host.ts';
import type { Batch, Flushable } from './turn.ts';

/** A frame that may wait for the socket to drain, unless there is a newer one about the same by then. */
export interface Keepable {
  readonly frame: Frame;
  readonly topic: string;
  readonly key: string;
}

/** What became of a frame that was to be kept, and whether an older one went for it. */
export interface KeepResult {
  readonly isKept: boolean;
  readonly replaced: boolean;
}

interface Kept extends Keepable {
  /** Tells what was kept earlier. */
  readonly number: number;
}

/** Somebody who wants to know what became of a frame. */
type Waiter = (result: FlushResult) => void;

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
export class Outbox implements DeadlineOwner, Flushable {
  readonly #socket: Socket;
  readonly #port: Port;
  readonly #context: PortContext;
  #batch: Batch | null = null;
  /** Bytes that the batch may have before it is above the high mark. */
  #room = 0;
  /** The turn in which something was last written at once. */
  #turn = -1;
  #isCongested = false;
  #isStopped = false;
  #stall: Deadline | null = null;
  #markAtLook = 0;
  #readingMsAtLook = 0;
  /** By topic and key. */
  #kept: Map<string, Map<string, Kept>> | null = null;
  #keptNumber = 0;
  #keptBytes = 0;
  /** Those whose frames are in the batch. */
  #boarding: Waiter[] | null = null;
  /** The callback of writes that may have to wait; the same for all, which is cheaper for Node.js. */
  #whenWritten: Written | null = null;

  constructor(socket: Socket, port: Port, context: PortContext) {
    this.#socket = socket;
    this.#port = port;
    this.#context = context;
  }

  get isCongested(): boolean {
    return this.#isCongested;
  }

  /** Whether something waits for the end of the turn; the socket was writable when it began to. */
  get hasBatch(): boolean {
    return this.#batch !== null;
  }

  /** Bytes that wait here: for the end of the turn, or for the socket to drain. */
  get pendingBytes(): number {
    return (this.#batch?.bytes ?? 0) + this.#keptBytes;
  }

  /** Writes a frame at once, or, when it is not the first of its turn, together with the others. */
  send(frame: Frame): SendResult {
    if (this.#isCongested) return 'refused';
    const { turn } = this.#context;
    if (this.#batch !== null || this.#turn === turn.number) return this.publish(frame);
    this.#turn = turn.number;
    turn.endLater();
    return this.#write([frame], frame.length);
  }

  /** Writes a frame at the end of the turn. */
  publish(frame: Frame): SendResult {
    return this.#isCongested ? 'refused' : this.#collect(frame);
  }

  #collect(frame: Frame): SendResult {
    const batch = this.#batch?.with(frame) ?? this.#begin(frame);
    this.#batch = batch;
    return batch.bytes > this.#room ? this.flush() : 'queued';
  }

  #begin(frame: Frame): Batch {
    this.#room = this.#context.limits.outboxHighBytes - this.#socket.writableLength;
    return this.#context.turn.begin(this, frame);
  }

  /** Writes a frame at the end of the turn and says what became of it. */
  sendAndFlush(frame: Frame): Promise<FlushResult> {
    if (this.#isCongested) return Promise.resolve('refused');
    return new Promise((resolve) => {
      this.#boarding ??= [];
      this.#boarding.push(resolve);
      this.publish(frame);
    });
  }

  /**
   * Keeps the newest frame of each key until the socket has drained.
   *
   * Of what is kept, one frame may be as long as it likes; beyond it there is room up to the high mark. An older one
   * of the same key goes in any case: nobody wants it any more.
   */
  keep({ frame, topic, key }: Keepable): KeepResult {
    if (!this.#isCongested) return { isKept: false, replaced: false };
    const replaced = this.#forget(topic, key);
    const isKept =
      this.#keptBytes === 0 ||
      this.#keptBytes + frame.length <= this.#context.limits.outboxHighBytes;
    if (isKept) this.#remember({ frame, topic, key, number: this.#keptNumber });
    return { isKept, replaced };
  }

  /** Gives up what is kept of a topic: a member that has left it is not to hear of it any more. */
  forget(topic: string): void {
    for (const { frame } of this.#kept?.get(topic)?.values() ?? []) this.#keptBytes -= frame.length;
    this.#kept?.delete(topic);
  }

  #remember(kept: Kept): void {
    this.#keptNumber += 1;
    this.#keptBytes += kept.frame.length;
    this.#kept ??= new Map();
    const ofTopic = this.#kept.get(kept.topic);
    if (ofTopic === undefined) this.#kept.set(kept.topic, new Map([[kept.key, kept]]));
    else ofTopic.set(kept.key, kept);
  }

  /** Returns whether there was one. */
  #forget(topic: string, key: string): boolean {
    const ofTopic = this.#kept?.get(topic);
    const kept = ofTopic?.get(key);
    if (kept === undefined) return false;
    this.#keptBytes -= kept.frame.length;
    ofTopic?.delete(key);
    return true;
  }

  /** Writes what has collected, as long as the socket takes it. */
  flush(): SendResult {
    const batch = this.#batch;
    if (batch === null) return 'queued';
    this.#batch = null;
    const boarding = this.#boarding;
    this.#boarding = null;
    const { chunks, bytes } = batch;
    return boarding === null ? this.#write(chunks, bytes) : this.#writeFor(boarding, batch);
  }

  #writeFor(boarding: readonly Waiter[], { chunks, bytes }: Batch): SendResult {
    const result = this.#write(chunks, bytes, (error) => {
      // What the operating system took at once is on its way, whatever became of the socket since.
      if (result === 'sent') return;
      settle(boarding, error || this.#socket.destroyed ? 'lost' : 'sent');
      this.#written(error);
    });
    if (result !== 'queued') settle(boarding, result === 'sent' ? 'sent' : 'lost');
    return result;
  }

  /** Writes what was accepted, then what is kept as far as there is room for it, and accepts nothing more. */
  stop(): void {
    this.#isStopped = true;
    this.#writeKept();
    this.flush();
    this.#stall = this.#context.wheel.cancel(this.#stall);
    this.#kept = null;
    this.#keptBytes = 0;
  }

  /**
   * Stalled means that not one byte left during the whole time, not that the backlog is long. While we do not read, a
   * peer that waits for us to do so may not read either.
   */
  deadlinePassed(): void {
    this.#stall = null;
    const { stalledMs } = this.#context.timeouts;
    const leftMs = stalledMs - (this.#port.readingMs - this.#readingMsAtLook);
    if (this.#port.wire.flushMark !== this.#markAtLook) this.#watch();
    else if (leftMs > 0) this.#look(leftMs);
    else this.#port.end('slow-consumer');
    // Control frames that queued up behind the last message leave without a word.
    this.#drain();
  }

  #write(chunks: readonly Buffer[], bytes: number, written?: Written): SendResult {
    const socket = this.#socket;
    if (!socket.writable) return 'refused';
    const { outboxHighBytes } = this.#context.limits;
    this.#port.wire.noteWritten(bytes);
    writeChunks(socket, chunks, written ?? this.#callbackFor(bytes));
    if (socket.errored) {
      // Known here before the socket, or a callback, reports it.
      if (!this.#isStopped) this.#port.witness.sendErrored(socket.errored);
      return 'refused';
    }
    const bufferedBytes = socket.writableLength;
    if (bufferedBytes > outboxHighBytes) this.#fill();
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
    const { witness } = this.#port;
    if (error) witness.sendErrored(error);
    // Node.js 20 calls the write that a destroyed socket never finished a success.
    else if (this.#socket.destroyed) witness.sendErrored(new Error('the socket was destroyed'));
    else this.#drain();
  }

  #fill(): void {
    if (this.#isStopped || this.#isCongested) return;
    this.#isCongested = true;
    this.#watch();
    this.#port.tell('outbox.filled');
  }

  /** The socket's own `drain` comes only when its buffer is empty, and never below its own mark. */
  #drain(): void {
    if (!this.#isCongested || this.#isStopped) return;
    if (this.#socket.writableLength > this.#context.limits.outboxLowBytes) return;
    this.#isCongested = false;
    this.#stall = this.#context.wheel.cancel(this.#stall);
    this.#writeKept();
    if (!this.#isCongested) this.#port.tell('outbox.drained');
  }

  /** In the order of arrival, until the socket is above the high mark. */
  #writeKept(): void {
    const waiting = [...(this.#kept?.values() ?? [])].flatMap((ofTopic) => [...ofTopic.values()]);
    for (const { frame, topic, key } of waiting.sort((a, b) => a.number - b.number)) {
      if (this.#socket.writableLength > this.#context.limits.outboxHighBytes) return;
      this.#forget(topic, key);
      this.#collect(frame);
    }
  }

  #watch(): void {
    this.#markAtLook = this.#port.wire.flushMark;
    this.#readingMsAtLook = this.#port.readingMs;
    this.#look(this.#context.timeouts.stalledMs);
  }

  #look(delayMs: number): void {
    this.#stall = this.#context.wheel.schedule(delayMs, this, 'stalled');
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

function settle(waiters: readonly Waiter[], result: FlushResult): void {
  for (const waiter of waiters) waiter(result);
}
