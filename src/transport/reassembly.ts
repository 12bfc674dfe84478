import type { WebSocket } from 'ws';
import type { Deadline, DeadlineOwner, TimerWheel } from '../core/timer-wheel.ts';
import type { MessageRefusal, SocketObserver } from './transport.ts';
import {
  forgetMessage,
  holdsMessage,
  ignoreRead,
  internalsOf,
  type WsReceiver,
  writeTo,
} from './ws-receiver.ts';

/** If the buffer of a mask is larger than this, the four bytes of the mask are copied, so that the buffer can be freed. */
const MASK_BUFFER_BYTES_MAX = 1_024;

/** A WebSocket that watches how much ws holds of incomplete messages. @internal */
export interface Reassembling extends WebSocket {
  /** The incomplete message; usually `null`. */
  reassembly: Reassembly | null;
  /** The observer of the connection; `null` after release. */
  readonly observer: SocketObserver | null;
  /** The limit that the peer has exceeded, if ws does not know which. */
  limitPassed: string | null;
}

/**
 * An incomplete message: how many bytes it holds, in how many chunks, and since when.
 *
 * ws keeps every chunk and every fragment as it arrived, for as long as the peer likes. A reassembly limits that, and
 * joins small pieces. It is made when a read ends within a message, and dropped when a read ends between messages. When
 * one read ends a message and begins the next, the time starts again.
 *
 * @internal
 */
export class Reassembly implements DeadlineOwner, UnfinishedMessage {
  readonly #socket: Reassembling;
  readonly #receiver: WsReceiver;
  readonly #all: UnfinishedMessages;
  #deadline: Deadline | null = null;
  #dueMs = 0;
  /** The time that is left, while reading is paused. */
  #leftMs: number | null = null;
  #bytes = 0;
  /** Chunks of the frame that is arriving. */
  #chunks = 0;
  /** How many of the chunks, and of the fragments, are blocks. */
  #chunkBlocks = 0;
  #fragmentBlocks = 0;
  /** Whether a message has ended, so that the rest belongs to the next one. */
  #isNext = true;

  constructor(socket: Reassembling, receiver: WsReceiver, unfinished: UnfinishedMessages) {
    this.#socket = socket;
    this.#receiver = receiver;
    this.#all = unfinished;
  }

  /** Gives a read to ws. Returns whether it can take more. */
  read(chunk: Buffer): boolean {
    const receiver = this.#receiver;
    const { bufferedChunksMax } = this.#all.limits;
    if (this.#chunks >= bufferedChunksMax) {
      this.#socket.limitPassed = `message in over ${bufferedChunksMax} chunks (limits.bufferedChunksMax)`;
      // With a limit of 1, ws finds the violation itself and handles it like any other.
      receiver._maxBufferedChunks = 1;
    }
    const heldBefore = receiver._bufferedBytes;
    const wantsMore = writeTo(receiver, chunk);
    // The connection may have ended during the read.
    if (this.#socket.reassembly === this) {
      this.look(receiver._bufferedBytes === heldBefore + chunk.length);
    }
    return wantsMore;
  }

  /**
   * Checks what is held after a read.
   *
   * @param isMore - whether the whole read belongs to a frame that is still incomplete.
   */
  look(isMore: boolean): void {
    const receiver = this.#receiver;
    // ws has found a violation, and reads no more.
    if (receiver._errored) forgetMessage(receiver);
    if (receiver._errored || !holdsMessage(receiver)) {
      this.end();
      return;
    }
    if (this.#isNext) this.#begin();
    if (isMore) this.#chunks += 1;
    else {
      this.#chunks = receiver._bufferedBytes > 0 ? 1 : 0;
      this.#chunkBlocks = 0;
    }
    this.#compact();
    const grownBy = receiver._bufferedBytes + receiver._messageLength - this.#bytes;
    this.#bytes += grownBy;
    this.#all.grew(grownBy);
  }

  #compact(): void {
    const receiver = this.#receiver;
    this.#chunkBlocks = compact(receiver._buffers, this.#chunkBlocks);
    this.#fragmentBlocks = compact(receiver._fragments, this.#fragmentBlocks);
    const { _mask: mask } = receiver;
    if (mask !== undefined && mask.buffer.byteLength > MASK_BUFFER_BYTES_MAX) {
      receiver._mask = joined([mask], mask.length);
    }
  }

  #begin(): void {
    this.#isNext = false;
    this.#fragmentBlocks = 0;
    this.#all.began(this);
    this.#start(this.#all.limits.messageMs);
  }

  /** A message or a control frame is complete. A control frame between the fragments of a message does not end the message. */
  frameEnded(): void {
    if (this.#receiver._fragmented === 0) this.#isNext = true;
  }

  #start(leftMs: number): void {
    const { wheel } = this.#all;
    this.#leftMs = this.#socket.isPaused ? leftMs : null;
    this.#dueMs = wheel.nowMs + leftMs;
    if (this.#socket.isPaused) wheel.cancel(this.#deadline);
    else if (this.#deadline === null) this.#deadline = wheel.schedule(leftMs, this, 'message');
    else wheel.postpone(this.#deadline, leftMs);
  }

  /** Stops the time while reading is paused, because the pause is not the fault of the peer. */
  pause(): void {
    if (this.#leftMs === null) this.#start(this.#dueMs - this.#all.wheel.nowMs);
  }

  resume(): void {
    if (this.#leftMs !== null) this.#start(this.#leftMs);
  }

  deadlinePassed(): void {
    const { messageMs } = this.#all.limits;
    const problem = `message not complete within ${messageMs} ms (timeouts.messageMs)`;
    this.#refuse({ cause: 'message-timeout', code: 1008, problem });
  }

  makeRoom(): void {
    const { bytesMax } = this.#all.limits;
    const problem = `incomplete messages over ${bytesMax} bytes (admission.unfinishedBytesMax)`;
    this.#refuse({ cause: 'overload', code: 1013, problem });
  }

  /** The message is complete or refused, or its connection has ended. */
  end(): void {
    this.#socket.reassembly = null;
    this.#all.wheel.cancel(this.#deadline);
    this.#all.ended(this, this.#bytes);
  }

  /** Drops the message, ignores what follows, and ends TCP after the close frame. */
  #refuse(refusal: MessageRefusal): void {
    this.end();
    this.#receiver.write = ignoreRead;
    forgetMessage(this.#receiver);
    this.#socket.observer?.messageRefused(refusal);
    internalsOf(this.#socket)._socket?.end();
  }
}

/** What a piece costs besides its bytes: the view, its buffer and the bookkeeping of the system (measured). */
const PIECE_BYTES = 256;

/** The overhead that pieces may have beyond twice their bytes. */
const SLACK_BYTES = 1_024;

/** Pieces of this many bytes together are joined into a block, which is not joined again. */
const BLOCK_BYTES = 16_384;

/**
 * Joins the pieces at the end of a list when they cost more than twice their bytes: a piece may be a single byte, or a
 * view that keeps a read of 64 KiB alive.
 *
 * The more bytes are held, the more pieces fit before the next join. So single bytes are copied a few hundred times at
 * most, and pieces of 1 KiB or more about once.
 *
 * @param blocks - how many pieces at the beginning are blocks, which are not touched.
 * @returns how many blocks there are now.
 */
export function compact(pieces: Buffer[], blocks: number): number {
  let bytes = 0;
  let cost = 0;
  let buffer: ArrayBufferLike | null = null;
  for (let at = blocks; at < pieces.length; at += 1) {
    const piece = pieces[at] as Buffer;
    bytes += piece.length;
    cost += PIECE_BYTES;
    if (piece.buffer !== buffer) cost += piece.buffer.byteLength;
    buffer = piece.buffer;
  }
  const isBlock = bytes >= BLOCK_BYTES;
  const isCostly = cost > 2 * bytes + SLACK_BYTES;
  if (isCostly || (isBlock && pieces.length - blocks > 1)) {
    pieces.push(joined(pieces.splice(blocks), bytes));
  }
  return isBlock ? blocks + 1 : blocks;
}

/** Copies pieces into one new buffer, outside the buffer pool of Node.js, which would keep other data alive. */
export function joined(pieces: readonly Uint8Array[], bytes: number): Buffer {
  const whole = Buffer.allocUnsafeSlow(bytes);
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}

/** An incomplete message, declared without the types of ws. */
export interface UnfinishedMessage {
  /** Refuses this message, because it is the oldest and all messages together hold too much. */
  makeRoom(): void;
}

/** What one unfinished message may use, and all of them together. */
export interface UnfinishedLimits {
  readonly bufferedChunksMax: number;
  readonly messageMs: number;
  readonly bytesMax: number;
}

/**
 * The incomplete messages of all connections of one supervisor.
 *
 * Each peer may stay within its own limits and send a message without its last byte. Without a common limit, every
 * connection could hold such a message. Over the limit, the oldest message is refused.
 */
export class UnfinishedMessages {
  readonly wheel: TimerWheel;
  readonly limits: UnfinishedLimits;
  /** The oldest first. */
  readonly #messages = new Set<UnfinishedMessage>();
  #bytes = 0;

  constructor(wheel: TimerWheel, limits: UnfinishedLimits) {
    this.wheel = wheel;
    this.limits = limits;
  }

  /** Bytes that all of them hold. */
  get bytes(): number {
    return this.#bytes;
  }

  /** A message has begun: it is the newest. */
  began(message: UnfinishedMessage): void {
    this.#messages.delete(message);
    this.#messages.add(message);
  }

  /** A message holds more bytes, or fewer. Over the limit, this may refuse the same message. */
  grew(bytes: number): void {
    this.#bytes += bytes;
    while (this.#bytes > this.limits.bytesMax) {
      const [oldest] = this.#messages;
      if (oldest === undefined) return;
      oldest.makeRoom();
    }
  }

  /** A message is complete or refused, and holds nothing any more. */
  ended(message: UnfinishedMessage, bytes: number): void {
    if (this.#messages.delete(message)) this.#bytes -= bytes;
  }
}
