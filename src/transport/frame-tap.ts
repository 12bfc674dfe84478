import type { Socket } from 'node:net';
import type { WsReceiver } from './ws-receiver.ts';

/** The header of one frame, and of a close frame its code. The payload is left out. */
export interface FrameHeader {
  readonly direction: 'in' | 'out';
  readonly opcode: 'continuation' | 'text' | 'binary' | 'close' | 'ping' | 'pong' | 'reserved';
  readonly fin: boolean;
  readonly masked: boolean;
  /** Bytes of the payload. */
  readonly bytes: number;
  /** The code of a close frame that has one. */
  readonly code?: number;
  /** Bytes of the reason of a close frame that has a code. */
  readonly reasonBytes?: number;
}

const CONTINUATION = 0x0;
const CLOSE = 0x8;
const CODE_BYTES = 2;
const MASK_BYTES = 4;

const opcodes: Readonly<Record<number, FrameHeader['opcode']>> = {
  [CONTINUATION]: 'continuation',
  1: 'text',
  2: 'binary',
  [CLOSE]: 'close',
  9: 'ping',
  10: 'pong',
};

type Note = (header: FrameHeader) => void;

/** What was read of a frame, with its opcode as a number. */
interface Seen extends Pick<FrameHeader, 'direction' | 'fin' | 'masked' | 'bytes'> {
  readonly opcode: number;
  readonly code: number | undefined;
}

function headerOf({ direction, opcode, fin, masked, bytes, code }: Seen): FrameHeader {
  const header = { direction, opcode: opcodes[opcode] ?? 'reserved', fin, masked, bytes } as const;
  return code === undefined ? header : { ...header, code, reasonBytes: bytes - CODE_BYTES };
}

/**
 * Calls `note` with the header of every frame that a socket reads and writes. Returns a function that stops this.
 *
 * It replaces methods of this one receiver and this one socket, so other sockets pay nothing. Inbound headers come from
 * ws. Outbound bytes are parsed, because both ws and the outbox write to the socket.
 */
export function tapFrames(raw: Socket, receiver: WsReceiver, note: Note): () => void {
  const untapIn = tapReceiver(receiver, note);
  const untapOut = tapSocket(raw, note);
  return () => {
    untapIn();
    untapOut();
  };
}

function tapReceiver(receiver: WsReceiver, note: Note): () => void {
  // ws gives all fragments of a message the opcode of the first.
  let isInMessage = receiver._fragmented !== 0;
  const noteFrame = (opcode: number, code: number | undefined) => {
    const { _fin: fin, _masked: masked, _payloadLength: bytes } = receiver;
    note(headerOf({ direction: 'in', opcode, fin, masked, bytes, code }));
  };
  const untapLength = standIn(receiver, 'haveLength', () => {
    if (receiver._opcode >= CLOSE) return;
    noteFrame(isInMessage ? CONTINUATION : receiver._opcode, undefined);
    isInMessage = !receiver._fin;
  });
  const untapControl = standIn(receiver, 'controlMessage', (data: Buffer) => {
    const hasCode = receiver._opcode === CLOSE && data.length >= CODE_BYTES;
    noteFrame(receiver._opcode, hasCode ? data.readUInt16BE() : undefined);
  });
  return () => {
    untapLength();
    untapControl();
  };
}

function tapSocket(raw: Socket, note: Note): () => void {
  const parser = new HeaderParser(note);
  return standIn(raw, 'write', (chunk: unknown) => {
    if (chunk instanceof Uint8Array) parser.read(chunk);
  });
}

/** Calls `before` ahead of a method of one object. If the method was replaced again, this stays below, without effect. */
function standIn<Name extends string, Given extends unknown[]>(
  target: { [Method in Name]: (...given: never[]) => unknown },
  name: Name,
  before: (...given: Given) => void,
): () => void {
  const original = target[name] as (...given: unknown[]) => unknown;
  const isOwn = Object.hasOwn(target, name);
  let isOn = true;
  const tapped = function (this: unknown, ...given: unknown[]): unknown {
    if (isOn) before(...(given as Given));
    return original.apply(this, given);
  };
  Object.assign(target, { [name]: tapped });
  return () => {
    isOn = false;
    if ((target[name] as unknown) !== tapped) return;
    if (isOwn) Object.assign(target, { [name]: original });
    else Reflect.deleteProperty(target, name);
  };
}

/** The longest header, with a mask and a close code behind it. */
const HEAD_BYTES_MAX = 16;

/** Finds the headers in outbound bytes. A chunk may end anywhere in a frame; the first chunk begins with a frame. */
class HeaderParser {
  readonly #note: Note;
  readonly #head = Buffer.alloc(HEAD_BYTES_MAX);
  #headBytes = 0;
  /** Bytes of the payload that have not passed yet. */
  #payloadBytes = 0;

  constructor(note: Note) {
    this.#note = note;
  }

  read(chunk: Uint8Array): void {
    let at = 0;
    while (at < chunk.length) {
      if (this.#payloadBytes > 0) {
        const skipped = Math.min(this.#payloadBytes, chunk.length - at);
        this.#payloadBytes -= skipped;
        at += skipped;
      } else {
        this.#head[this.#headBytes] = chunk[at] as number;
        this.#headBytes += 1;
        at += 1;
        this.#look();
      }
    }
  }

  /** Notes the header if it is complete, for a close frame together with its code. */
  #look(): void {
    const [first = 0, second = 0] = this.#head;
    if (this.#headBytes < 2) return;
    const short = second & 0x7f;
    const lengthEnd = 2 + (short === 126 ? 2 : short === 127 ? 8 : 0);
    if (this.#headBytes < lengthEnd) return;
    const bytes = this.#lengthOf(short);
    const masked = (second & 0x80) !== 0;
    const maskEnd = lengthEnd + (masked ? MASK_BYTES : 0);
    const opcode = first & 0x0f;
    const hasCode = opcode === CLOSE && bytes >= CODE_BYTES;
    if (this.#headBytes < maskEnd + (hasCode ? CODE_BYTES : 0)) return;
    const code = hasCode ? this.#codeAt(maskEnd, masked) : undefined;
    this.#payloadBytes = bytes - (hasCode ? CODE_BYTES : 0);
    this.#headBytes = 0;
    const fin = (first & 0x80) !== 0;
    this.#note(headerOf({ direction: 'out', opcode, fin, masked, bytes, code }));
  }

  #lengthOf(short: number): number {
    if (short === 126) return this.#head.readUInt16BE(2);
    return short === 127 ? Number(this.#head.readBigUInt64BE(2)) : short;
  }

  #codeAt(at: number, masked: boolean): number {
    const mask = masked ? this.#head.readUInt16BE(at - MASK_BYTES) : 0;
    return this.#head.readUInt16BE(at) ^ mask;
  }
}
