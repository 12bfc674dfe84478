import type { Socket } from 'node:net';
import type { WebSocket } from 'ws';

/**
 * The private fields of ws that Mooring uses. `test/unit/ws-receiver.test.ts` fails when a version of ws changes them.
 *
 * @internal
 */
export interface WsReceiver {
  /** Whether it is working through a read right now. */
  readonly _loop: boolean;
  /** Bytes that it holds of what was read, besides the fragments of a message. */
  readonly _bufferedBytes: number;
  /** Takes bytes out of those that it holds. */
  consume(bytes: number): Buffer;
}

/** The private fields of a WebSocket that has opened. */
interface WsInternals {
  readonly _receiver: WsReceiver | null;
  readonly _socket: Socket | null;
}

/**
 * Gives back to the stream what is left of the read that ws is working through, behind the frame it has just emitted.
 *
 * Call this after `pause()`: `pause` stops the next read, but ws would still emit every frame of this one. The rest waits
 * in order in the stream's own buffer, with whatever follows it: messages, pings, the close frame, FIN.
 */
export function returnUnread(socket: WebSocket): void {
  const { _receiver: receiver, _socket: raw } = socket as unknown as WsInternals;
  if (receiver === null || raw === null) return;
  if (receiver._loop && receiver._bufferedBytes > 0) {
    raw.unshift(receiver.consume(receiver._bufferedBytes));
  }
}
