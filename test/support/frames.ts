import { randomBytes } from 'node:crypto';

/** Opcodes (RFC 6455 §5.2). */
export const opcode = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;

/** A frame to be built. It can break every rule of the protocol on purpose. */
export interface FrameSpec {
  opcode: number;
  payload?: Buffer | string;
  fin?: boolean;
  rsv?: number;
  masked?: boolean;
  /** Declares a payload length that differs from the real one. */
  declaredLength?: number | bigint;
}

/** Builds a frame as a client would, unless the fields specify otherwise. */
export function buildFrame(spec: FrameSpec): Buffer {
  const { fin = true, rsv = 0, masked = true } = spec;
  const payload = Buffer.from(spec.payload ?? '');
  const length = BigInt(spec.declaredLength ?? payload.length);
  const maskBit = masked ? 0x80 : 0;
  const first = (fin ? 0x80 : 0) | (rsv << 4) | spec.opcode;
  const head = lengthBytes(first, maskBit, length);
  if (!masked) return Buffer.concat([head, payload]);
  const mask = randomBytes(4);
  const body = Buffer.from(payload);
  applyMask(body, mask);
  return Buffer.concat([head, mask, body]);
}

function applyMask(body: Buffer, mask: Buffer): void {
  for (let index = 0; index < body.length; index += 1) {
    body[index] = (body[index] ?? 0) ^ (mask[index % 4] ?? 0);
  }
}

function lengthBytes(first: number, maskBit: number, length: bigint): Buffer {
  if (length < 126n) return Buffer.from([first, maskBit | Number(length)]);
  if (length < 65_536n) {
    const head = Buffer.from([first, maskBit | 126, 0, 0]);
    head.writeUInt16BE(Number(length), 2);
    return head;
  }
  const head = Buffer.concat([Buffer.from([first, maskBit | 127]), Buffer.alloc(8)]);
  head.writeBigUInt64BE(length, 2);
  return head;
}

/** The payload of a close frame. */
export function closePayload(code: number, reason: string | Buffer = ''): Buffer {
  const head = Buffer.alloc(2);
  head.writeUInt16BE(code);
  return Buffer.concat([head, Buffer.from(reason)]);
}

/** A frame that was read. */
export interface Frame {
  fin: boolean;
  opcode: number;
  payload: Buffer;
}

/**
 * Reads the frames of one side, and throws at anything that it must not send: masks from a server, missing
 * masks from a client, reserved bits, unknown opcodes, long or fragmented control frames, data within a
 * fragmented message, anything after a close frame (RFC 6455 §5).
 */
export class StrictFrameReader {
  readonly frames: Frame[] = [];
  readonly #side: 'client' | 'server';
  #buffered = Buffer.alloc(0);
  #inFragments = false;
  #closed = false;

  constructor(side: 'client' | 'server' = 'server') {
    this.#side = side;
  }

  push(chunk: Buffer): void {
    this.#buffered = Buffer.concat([this.#buffered, chunk]);
    for (let frame = this.#read(); frame !== null; frame = this.#read()) this.frames.push(frame);
  }

  #read(): Frame | null {
    const bytes = this.#buffered;
    if (bytes.length < 2) return null;
    const [first = 0, second = 0] = bytes;
    if (this.#closed) throw new Error('bytes behind a close frame');
    const isMasked = (second & 0x80) !== 0;
    if (isMasked !== (this.#side === 'client')) throw new Error(`the mask of a ${this.#side}`);
    if (first & 0x70) throw new Error('a reserved bit is set');
    const header = readLength(bytes, second & 0x7f);
    const maskBytes = isMasked ? 4 : 0;
    if (header === null || bytes.length < header.offset + maskBytes + header.length) return null;
    const start = header.offset + maskBytes;
    const payload = Buffer.from(bytes.subarray(start, start + header.length));
    if (isMasked) applyMask(payload, bytes.subarray(header.offset, start));
    this.#buffered = bytes.subarray(start + header.length);
    const frame = { fin: (first & 0x80) !== 0, opcode: first & 0x0f, payload };
    this.#check(frame);
    return frame;
  }

  #check({ fin, opcode: code, payload }: Frame): void {
    if (![0, 1, 2, 8, 9, 10].includes(code)) throw new Error(`unknown opcode ${code}`);
    if (code >= 8) {
      if (!fin || payload.length > 125)
        throw new Error('a control frame is fragmented or too long');
      if (code === opcode.close) this.#closed = true;
      return;
    }
    if ((code === opcode.continuation) !== this.#inFragments) {
      throw new Error('a fragmented message is interleaved with another');
    }
    this.#inFragments = !fin;
  }
}

function readLength(bytes: Buffer, short: number): { offset: number; length: number } | null {
  if (short < 126) return { offset: 2, length: short };
  if (short === 126) {
    return bytes.length < 4 ? null : { offset: 4, length: bytes.readUInt16BE(2) };
  }
  return bytes.length < 10 ? null : { offset: 10, length: Number(bytes.readBigUInt64BE(2)) };
}
