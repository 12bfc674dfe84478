const TEXT = 0x1;
const BINARY = 0x2;
const PING = 0x9;
const FIN = 0x80;

/** A message ready for any number of server-side sockets: one unmasked, unfragmented frame (RFC 6455 §5.2). */
export type Frame = Buffer;

/** An empty ping of a server (RFC 6455 §5.5.2). */
export const pingFrame: Frame = Buffer.of(FIN | PING, 0);

/**
 * Builds the frame of one message.
 *
 * A server's frames are unmasked (RFC 6455 §5.1), so the same bytes serve every member of an audience.
 */
export function messageFrame(payload: string | Uint8Array): Frame {
  return typeof payload === 'string' ? textFrame(payload) : bytesFrame(payload, true);
}

function textFrame(text: string): Frame {
  const length = Buffer.byteLength(text);
  const frame = Buffer.allocUnsafe(headerBytes(length) + length);
  frame.write(text, writeHeader(frame, TEXT, length), 'utf8');
  return frame;
}

/** Builds the frame of a message whose payload is encoded already. */
export function bytesFrame(payload: Uint8Array, isBinary: boolean): Frame {
  const frame = Buffer.allocUnsafe(headerBytes(payload.length) + payload.length);
  frame.set(payload, writeHeader(frame, isBinary ? BINARY : TEXT, payload.length));
  return frame;
}

/** The payload in a frame of {@link messageFrame}, without a copy. */
export function payloadOf(frame: Frame): Uint8Array {
  const length = (frame[1] ?? 0) & 0x7f;
  if (length < 126) return frame.subarray(2);
  return frame.subarray(length === 126 ? 4 : 10);
}

/** Whether a frame of {@link messageFrame} has a text message. */
export function isText(frame: Frame): boolean {
  return ((frame[0] ?? 0) & 0x0f) === TEXT;
}

function headerBytes(length: number): number {
  if (length < 126) return 2;
  return length < 65_536 ? 4 : 10;
}

/** Returns the offset of the payload. */
function writeHeader(frame: Frame, opcode: number, length: number): number {
  frame[0] = FIN | opcode;
  if (length < 126) {
    frame[1] = length;
    return 2;
  }
  if (length < 65_536) {
    frame[1] = 126;
    frame.writeUInt16BE(length, 2);
    return 4;
  }
  frame[1] = 127;
  frame.writeUInt32BE(Math.floor(length / 2 ** 32), 2);
  frame.writeUInt32BE(length >>> 0, 6);
  return 10;
}
