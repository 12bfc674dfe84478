import { randomBytes } from 'node:crypto';

export const TEXT = 0x1;
export const CLOSE = 0x8;
export const PING = 0x9;
export const PONG = 0xa;

const FIN = 0x80;
const MASKED = 0x80;
const LENGTH_16 = 126;
const LENGTH_64 = 127;

/** An unmasked frame from the server. `rest` holds the bytes that follow it. */
export interface ServerFrame {
  readonly opcode: number;
  readonly payload: Buffer;
  readonly rest: Buffer;
}

/** Encodes a masked, unfragmented client frame (RFC 6455 §5.3). */
export function clientFrame(opcode: number, payload: Buffer): Buffer {
  const mask = randomBytes(4);
  const head = Buffer.of(FIN | opcode, MASKED | payload.length);
  if (payload.length >= LENGTH_16)
    throw new RangeError(`the payload of a guest must be shorter than ${LENGTH_16} bytes`);
  return Buffer.concat([head, mask, payload.map((byte, at) => byte ^ (mask[at % 4] ?? 0))]);
}

/** Encodes the payload of a close frame (RFC 6455 §5.5.1). */
export function closePayload(code: number, reason: string): Buffer {
  const head = Buffer.alloc(2);
  head.writeUInt16BE(code);
  return Buffer.concat([head, Buffer.from(reason)]);
}

/** Decodes the first frame; `null` while it is incomplete. */
export function takeFrame(bytes: Buffer): ServerFrame | null {
  const start = payloadStart(bytes);
  if (start === null) return null;
  const end = start + payloadLength(bytes);
  if (bytes.length < end) return null;
  return {
    opcode: bytes.readUInt8(0) & 0x0f,
    payload: bytes.subarray(start, end),
    rest: bytes.subarray(end),
  };
}

function payloadStart(bytes: Buffer): number | null {
  if (bytes.length < 2) return null;
  const start = { [LENGTH_16]: 4, [LENGTH_64]: 10 }[bytes.readUInt8(1)] ?? 2;
  return bytes.length < start ? null : start;
}

function payloadLength(bytes: Buffer): number {
  const short = bytes.readUInt8(1);
  if (short === LENGTH_16) return bytes.readUInt16BE(2);
  if (short === LENGTH_64) return Number(bytes.readBigUInt64BE(2));
  return short;
}
