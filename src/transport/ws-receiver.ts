import type { Socket } from 'node:net';
import { Writable } from 'node:stream';
import type { WebSocket } from 'ws';

/**
 * The private fields of ws that Mooring uses. `test/unit/ws-receiver.test.ts` fails when a version of ws changes them.
 */
export interface WsReceiver extends Writable {
  /** Whether the receiver is processing a read now. */
  readonly _loop: boolean;
  /** What the receiver reads next; `BETWEEN_FRAMES` at the start of a frame. */
  readonly _state: number;
  /** Whether the receiver has found a violation, after which it reads no more. */
  readonly _errored: boolean;
  /** The bytes of an incomplete frame, in the chunks in which they came. */
  _buffers: Buffer[];
  /** The size of `_buffers`. */
  _bufferedBytes: number;
  /** How many chunks there may be; 0 for any number. */
  _maxBufferedChunks: number;
  /** The mask of the frame that it is reading. */
  _mask: Buffer | undefined;
  /** The opcode of an incomplete message in fragments; 0 when there is none. */
  readonly _fragmented: number;
  /** The complete fragments of that message. */
  _fragments: Buffer[];
  /** The size of `_fragments`. */
  _messageLength: number;
  /** Takes bytes out of `_buffers`. */
  consume(bytes: number): Buffer;
  /** The header of the frame that it is reading. A fragment has the opcode of its message. */
  readonly _fin: boolean;
  readonly _opcode: number;
  readonly _masked: boolean;
  readonly _payloadLength: number;
  /** Called when the header is known, except the mask. */
  haveLength(...given: never[]): void;
  /** Called with the payload of a control frame. */
  controlMessage(...given: never[]): void;
}

/** The state of a receiver that waits for the next frame. */
const BETWEEN_FRAMES = 0;

/** The private fields of a WebSocket that has opened. */
export interface WsInternals {
  readonly _receiver: WsReceiver | null;
  readonly _socket: Socket | null;
}

/** The receiver of ws, and the socket from which it reads. @internal */
export function internalsOf(socket: WebSocket): WsInternals {
  return socket as unknown as WsInternals;
}

/**
 * Returns the unread rest of the current read to the stream: all bytes after the frame that ws has just emitted.
 *
 * Call this after `pause()`, which stops only the next read: ws would still emit every frame of this read. The rest
 * then waits in the buffer of the stream, in order, before everything that follows: messages, pings, the close frame,
 * FIN.
 *
 * @internal
 */
export function returnUnread(socket: WebSocket): void {
  const { _receiver: receiver, _socket: raw } = internalsOf(socket);
  if (receiver === null || raw === null) return;
  if (receiver._loop && receiver._bufferedBytes > 0) {
    raw.unshift(receiver.consume(receiver._bufferedBytes));
  }
}

const writeOfStream: (this: Writable, chunk: Buffer) => boolean = Writable.prototype.write;

/** Gives a read to ws. Returns whether ws can take more. */
export function writeTo(receiver: WsReceiver, chunk: Buffer): boolean {
  return writeOfStream.call(receiver, chunk);
}

/** Replaces the `write` of a receiver that must read nothing more. */
export function ignoreRead(): boolean {
  return true;
}

/** Whether a part of a message, or of a frame, has arrived. */
export function holdsMessage(receiver: WsReceiver): boolean {
  return (
    receiver._state !== BETWEEN_FRAMES || receiver._fragmented !== 0 || receiver._bufferedBytes > 0
  );
}

/** Drops the bytes of incomplete messages. */
export function forgetMessage(receiver: WsReceiver): void {
  receiver._buffers = [];
  receiver._bufferedBytes = 0;
  receiver._fragments = [];
  receiver._mask = undefined;
}
