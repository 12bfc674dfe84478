import type { Socket } from 'node:net';
import type { WsReceiver } from './ws-receiver.ts';

/** The header of one frame, without the payload. For a close frame, it includes the code. */
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

/** The first state in which a receiver of ws has reported the header of a frame. */
const READING_MASK = 3;

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

/** The parts of a frame that were read, with the opcode as a number. */
interface Seen extends Pick<FrameHeader, 'direction' | 'fin' | 'masked' | 'bytes'> {
  readonly opcode: number;
  readonly code: number | undefined;
}

function headerOf({ direction, opcode, fin, masked, bytes, code }: Seen): FrameHeader {
  const header = { direction, opcode: opcodes[opcode] ?? 'reserved', fin, masked, bytes } as const;
  return code === undefined ? header : { ...header, code, reasonBytes: bytes - CODE_BYTES };
}

/** The tap of each tapped socket. All listeners share it, because a stand-in below another one could not be removed. */
const taps = new WeakMap<Socket, FrameTap>();

/** Calls `note` with the header of every frame that a socket reads or writes. Returns a function that stops this. */
export function tapFrames(raw: Socket, receiver: WsReceiver, note: Note): () => void {
  const tap = taps.get(raw) ?? new FrameTap(raw, receiver);
  taps.set(raw, tap);
  return tap.add(note);
}

/**
 * Sees the frames of one socket.
 *
 * It replaces methods of this one receiver and this one socket, so other sockets pay nothing. Inbound headers come from
 * ws. Outbound bytes are parsed, because both ws and the outbox write to the socket.
 */
class FrameTap {
  readonly #receiver: WsReceiver;
  readonly #notes = new Set<{ readonly note: Note }>();
  readonly #standIns: readonly StandIn[];
  #sent = new HeaderParser((header) => this.#note(header));
  /** ws gives every fragment of a message the opcode of the first. This marks the later ones. */
  #isInMessage = false;

  constructor(raw: Socket, receiver: WsReceiver) {
    this.#receiver = receiver;
    this.#standIns = [
      new StandIn(receiver, 'haveLength', () => this.#dataHeaderRead()),
      new StandIn(receiver, 'controlMessage', (data) => this.#controlFrameRead(data as Buffer)),
      new StandIn(raw, 'write', (chunk) => {
        if (chunk instanceof Uint8Array) this.#sent.read(chunk);
      }),
    ];
  }

  /** Returns a function that removes the listener. */
  add(note: Note): () => void {
    const listener = { note };
    if (this.#notes.size === 0) this.#begin();
    this.#notes.add(listener);
    return () => {
      if (!this.#notes.delete(listener) || this.#notes.size > 0) return;
      for (const standIn of this.#standIns) standIn.remove();
    };
  }

  /** Every write begins with a header: Mooring and ws write whole frames. */
  #begin(): void {
    this.#sent = new HeaderParser((header) => this.#note(header));
    this.#isInMessage = isNextInMessage(this.#receiver);
    for (const standIn of this.#standIns) standIn.install();
  }

  #dataHeaderRead(): void {
    const { _opcode: opcode, _fin: fin } = this.#receiver;
    if (opcode >= CLOSE) return;
    this.#noteRead(this.#isInMessage ? CONTINUATION : opcode, undefined);
    this.#isInMessage = !fin;
  }

  #controlFrameRead(data: Buffer): void {
    const { _opcode: opcode } = this.#receiver;
    const hasCode = opcode === CLOSE && data.length >= CODE_BYTES;
    this.#noteRead(opcode, hasCode ? data.readUInt16BE() : undefined);
  }

  #noteRead(opcode: number, code: number | undefined): void {
    const { _fin: fin, _masked: masked, _payloadLength: bytes } = this.#receiver;
    this.#note(headerOf({ direction: 'in', opcode, fin, masked, bytes, code }));
  }

  #note(header: FrameHeader): void {
    for (const { note } of this.#notes) note(header);
  }
}

/** Whether the next data frame continues a message. The frame that is being read may be the last of its message. */
function isNextInMessage({ _state, _opcode, _fin, _fragmented }: WsReceiver): boolean {
  const isReadingData = _state >= READING_MASK && _opcode < CLOSE;
  return isReadingData ? !_fin : _fragmented !== 0;
}

type Method = (...given: unknown[]) => unknown;

/** Calls `before` ahead of one method of one object, while it is installed. */
class StandIn {
  readonly #target: Record<string, Method>;
  readonly #name: string;
  readonly #before: (first: unknown) => void;
  /** The replaced method, while the stand-in is in its place. */
  #original: Method | null = null;
  #wasOwn = false;
  #isOn = false;
  readonly #method: Method;

  constructor(target: object, name: string, before: (first: unknown) => void) {
    this.#target = target as Record<string, Method>;
    this.#name = name;
    this.#before = before;
    const standIn = this;
    this.#method = function (this: unknown, ...given: unknown[]): unknown {
      const original = standIn.#original;
      // A listener may remove this stand-in.
      if (standIn.#isOn) standIn.#before(given[0]);
      return original?.apply(this, given);
    };
  }

  install(): void {
    this.#isOn = true;
    if (this.#original !== null) return;
    this.#wasOwn = Object.hasOwn(this.#target, this.#name);
    this.#original = this.#target[this.#name] as Method;
    this.#target[this.#name] = this.#method;
  }

  /**
   * If other code has wrapped the method since, the stand-in stays below that wrapper and does nothing until `install`.
   */
  remove(): void {
    this.#isOn = false;
    if (this.#original === null || this.#target[this.#name] !== this.#method) return;
    if (this.#wasOwn) this.#target[this.#name] = this.#original;
    else Reflect.deleteProperty(this.#target, this.#name);
    this.#original = null;
  }
}

/** The longest header, with a mask and a close code after it. */
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
