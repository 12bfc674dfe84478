import type { WebSocket } from 'ws';
import type { Deadline, DeadlineOwner } from '../core/timer-wheel.ts';
import { compact, joined } from './pieces.ts';
import type { MessageRefusal, SocketObserver } from './transport.ts';
import type { UnfinishedMessage, UnfinishedMessages } from './unfinished-messages.ts';
import {
  forgetMessage,
  holdsMessage,
  ignoreRead,
  internalsOf,
  type WsReceiver,
  writeTo,
} from './ws-receiver.ts';

/** A buffer this large is not kept alive for the four bytes of a mask. */
const MASK_BUFFER_BYTES_MAX = 1_024;

/** A WebSocket that watches how much ws holds of incomplete messages. @internal */
export interface Reassembling extends WebSocket {
  /** The message of which a part has arrived; mostly there is none. */
  reassembly: Reassembly | null;
}

/**
 * One message of which a part has arrived: what it holds, in how many chunks, and since when.
 *
 * ws keeps every chunk and every fragment as it came, and for as long as the peer likes. A reassembly bounds that, and joins
 * small pieces. It is made when a read leaves a part of a message, and dropped when a read leaves none. When one read ends a message and begins
 * the next, the time starts again.
 *
 * @internal
 */
export class Reassembly implements DeadlineOwner, UnfinishedMessage {
  readonly #socket: Reassembling;
  readonly #receiver: WsReceiver;
  readonly #observer: SocketObserver;
  readonly #all: UnfinishedMessages;
  #deadline: Deadline | null = null;
  #dueMs = 0;
  /** How much time is left, while reading is paused. */
  #leftMs: number | null = null;
  #bytes = 0;
  /** Chunks of the frame that is arriving. */
  #chunks = 0;
  /** How many of the chunks, and of the fragments, are blocks. */
  #chunkBlocks = 0;
  #fragmentBlocks = 0;
  /** A message has ended: what is left belongs to the next one. */
  #isNext = true;

  constructor(socket: Reassembling, receiver: WsReceiver, observer: SocketObserver) {
    this.#socket = socket;
    this.#receiver = receiver;
    this.#observer = observer;
    this.#all = observer.unfinished;
  }

  /** Gives a read to ws. Returns whether it can take more. */
  read(chunk: Buffer): boolean {
    const receiver = this.#receiver;
    if (this.#chunks >= this.#all.limits.bufferedChunksMax) {
      this.#observer.chunksExceeded();
      // With one as its limit, ws finds the fault itself and treats it like any other.
      receiver._maxBufferedChunks = 1;
    }
    const heldBefore = receiver._bufferedBytes;
    const wantsMore = writeTo(receiver, chunk);
    // The connection may have ended meanwhile.
    if (this.#socket.reassembly === this) {
      this.look(receiver._bufferedBytes === heldBefore + chunk.length);
    }
    return wantsMore;
  }

  /**
   * Looks at what a read has left.
   *
   * @param isMore - whether all of the read belongs to a frame that is not complete.
   */
  look(isMore: boolean): void {
    const receiver = this.#receiver;
    // Where ws has found a fault, it reads no more.
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

  /** A message, or a control frame, is complete. A control frame between the fragments of a message ends nothing. */
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

  /** Stops the time while reading is paused: a peer is not judged by time in which nobody reads. */
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

  /** Drops what is held, ignores what follows, and ends TCP behind the close frame. */
  #refuse(refusal: MessageRefusal): void {
    this.end();
    this.#receiver.write = ignoreRead;
    forgetMessage(this.#receiver);
    this.#observer.messageRefused(refusal);
    internalsOf(this.#socket)._socket?.end();
  }
}
