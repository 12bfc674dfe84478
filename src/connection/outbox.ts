import type { Socket } from 'node:net';
import type { FlushResult, SendResult } from '../core/connection.ts';
import type { Frame } from '../core/frame.ts';
import type { Deadline, DeadlineOwner } from '../core/timer-wheel.ts';
import type { Port } from './port.ts';
import type { PortContext } from './port-host.ts';
import type { Batch, Flushable } from './turn.ts';

/** What became of a frame that was to be kept: it waits, in the place of an older one or not; or there is no room. */
export type KeepResult = 'kept' | 'replaced' | 'refused';

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
  #kept: Map<string, Frame> | null = null;
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
    return this.#write(frame);
  }

  /** Writes a frame at the end of the turn. */
  publish(frame: Frame): SendResult {
    if (this.#isCongested) return 'refused';
    const batch = this.#batch?.with(frame) ?? this.#begin(frame);
    this.#batch = batch;
    if (batch.bytes > this.#room) this.flush();
    return 'queued';
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

  /** Keeps the newest frame of each key until the socket has drained; there is nothing to wait for before. */
  keep(key: string, frame: Frame): KeepResult {
    if (!this.#isCongested) return 'refused';
    this.#kept ??= new Map();
    const replaced = this.#kept.get(key)?.length ?? 0;
    const keptBytes = this.#keptBytes - replaced + frame.length;
    if (keptBytes > this.#context.limits.outboxHighBytes) return 'refused';
    this.#keptBytes = keptBytes;
    // Behind those that are newer than the one it replaces.
    const result = this.#kept.delete(key) ? 'replaced' : 'kept';
    this.#kept.set(key, frame);
    return result;
  }

  /** Writes what has collected, as long as the socket takes it. */
  flush(): void {
    const batch = this.#batch;
    if (batch === null) return;
    this.#batch = null;
    const boarding = this.#boarding;
    if (boarding === null) {
      this.#write(batch.joined);
      return;
    }
    this.#boarding = null;
    const result = this.#write(batch.joined, (error) => {
      settle(boarding, error || this.#socket.destroyed ? 'lost' : 'sent');
      this.#written(error);
    });
    if (result === 'refused') settle(boarding, 'lost');
  }

  /** Lets what was accepted leave, if it still can, and accepts nothing more. */
  stop(): void {
    this.#isStopped = true;
    this.flush();
    this.#stall = this.#context.wheel.cancel(this.#stall);
    this.#kept = null;
    this.#keptBytes = 0;
  }

  /** Stalled means that not one byte left during the whole time, not that the backlog is long. */
  deadlinePassed(): void {
    this.#stall = null;
    if (this.#port.wire.flushMark === this.#markAtLook) this.#port.end('slow-consumer');
    else this.#watch();
    // Control frames that queued up behind the last message leave without a word.
    this.#drain();
  }

  #write(bytes: Buffer, written?: Written): SendResult {
    const socket = this.#socket;
    if (!socket.writable) return 'refused';
    const { outboxHighBytes } = this.#context.limits;
    socket.write(bytes, written ?? this.#callbackFor(bytes.length));
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

  #writeKept(): void {
    for (const [key, frame] of this.#kept ?? []) {
      if (this.#isCongested) return;
      this.#kept?.delete(key);
      this.#keptBytes -= frame.length;
      this.publish(frame);
    }
  }

  #watch(): void {
    this.#markAtLook = this.#port.wire.flushMark;
    this.#stall = this.#context.wheel.schedule(this.#context.timeouts.stalledMs, this, 'stalled');
  }
}

function settle(waiters: readonly Waiter[], result: FlushResult): void {
  for (const waiter of waiters) waiter(result);
}
