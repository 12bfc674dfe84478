import type { Socket } from 'node:net';
import { Writable } from 'node:stream';
import type { WebSocket } from 'ws';

/**
 * The private fields of ws that Mooring uses. `test/unit/ws-receiver.test.ts` fails when a version of ws changes them.
 */
export interface WsReceiver extends Writable {
  /** Whether it is working through a read right now. */
  readonly _loop: boolean;
  /** What it reads next; `BETWEEN_FRAMES` where a frame begins. */
  readonly _state: number;
  /** Whether it has found a fault, and reads no more. */
  readonly _errored: boolean;
  /** The bytes of a frame that is not complete, in the chunks in which they came. */
  _buffers: Buffer[];
  /** How many bytes these are. */
  _bufferedBytes: number;
  /** How many chunks there may be; 0 for any number. */
  _maxBufferedChunks: number;
  /** The mask of the frame that it is reading. */
  _mask: Buffer | undefined;
  /** The opcode of a message in fragments that is not complete; 0 when there is none. */
  readonly _fragmented: number;
  /** The fragments of that message that are complete. */
  _fragments: Buffer[];
  /** How many bytes these are. */
  _messageLength: number;
  /** Takes bytes out of those of the frame. */
  consume(bytes: number): Buffer;
  /** The header of the frame that it is reading. A fragment has the opcode of its message. */
  readonly _fin: boolean;
  readonly _opcode: number;
  readonly _masked: boolean;
  readonly _payloadLength: number;
  /** Called when the header is known but for the mask. */
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

/** What ws reads with, and the socket that it reads from. @internal */
export function internalsOf(socket: WebSocket): WsInternals {
  return socket as unknown as WsInternals;
}

/**
 * Gives back to the stream what is left of the read that ws is working through, behind the frame it has just emitted.
 *
 * Call this after `pause()`: `pause` stops the next read, but ws would still emit every frame of this one. The rest waits
 * in order in the stream's own buffer, with whatever follows it: messages, pings, the close frame, FIN.
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

/** Stands in for `write` of a receiver that reads nothing more. */
export function ignoreRead(): boolean {
  return true;
}

/** Whether a part of a message, or of a frame, has arrived. */
export function holdsMessage(receiver: WsReceiver): boolean {
  return (
    receiver._state !== BETWEEN_FRAMES || receiver._fragmented !== 0 || receiver._bufferedBytes > 0
  );
}

/** Drops what is held of messages that are not complete. */
export function forgetMessage(receiver: WsReceiver): void {
  receiver._buffers = [];
  receiver._bufferedBytes = 0;
  receiver._fragments = [];
  receiver._mask = undefined;
}
