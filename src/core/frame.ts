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
  return typeof payload === 'string' ? textFrame(payload) : binaryFrame(payload);
}

function textFrame(text: string): Frame {
  const length = Buffer.byteLength(text);
  const frame = Buffer.allocUnsafe(headerBytes(length) + length);
  frame.write(text, writeHeader(frame, TEXT, length), 'utf8');
  return frame;
}

function binaryFrame(bytes: Uint8Array): Frame {
  const frame = Buffer.allocUnsafe(headerBytes(bytes.length) + bytes.length);
  frame.set(bytes, writeHeader(frame, BINARY, bytes.length));
  return frame;
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
