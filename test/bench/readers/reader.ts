import { connect, type Socket } from 'node:net';
import { buildFrame, closePayload, opcode } from '../../support/frames.ts';
import type { EndStyle } from '../orders.ts';
import { FrameReader } from './frame-reader.ts';
import type { LocalAddress } from './local-address.ts';

/** Longer than anything that Engine.IO sends by itself, shorter than any measured message. */
const MESSAGE_BYTES_MIN = 100;

/** All sockets read into one buffer: each read is processed before the next. */
const shared = Buffer.alloc(65_536);

/** Where a reader connects to. */
export interface Target {
  readonly port: number;
  readonly isEngineIo: boolean;
  /** Speaks `mooring.v1` and comes back from a position in the topic of all. An empty position is none. */
  readonly from?: { readonly position: string };
  readonly local?: LocalAddress | undefined;
}

/** What a reader reports. */
export interface ReaderEvents {
  opened(reader: Reader): void;
  /** A frame of a message has begun. */
  message(frame: FrameReader, reader: Reader): void;
  ended(reader: Reader, error?: Error): void;
}

/** A client that does as little as possible: completes the handshake, counts messages, answers pings. */
export class Reader {
  readonly #target: Target;
  readonly #events: ReaderEvents;
  readonly #socket: Socket;
  readonly #frames = new FrameReader(() => this.#frameBegan());
  #isAnswered = false;
  #isOpen = false;
  /** Where the server says that it is. For those that speak `mooring.v1`. */
  position = '';

  constructor(target: Target, events: ReaderEvents) {
    this.#target = target;
    this.#events = events;
    const { port, local } = target;
    const callback = (length: number) => this.#read(length);
    const onread = { buffer: shared, callback };
    this.#socket = connect({ host: '127.0.0.1', port, ...local, onread, noDelay: true }, () =>
      this.#socket.write(requestTo(target)),
    );
    this.#socket.on('error', (error) => events.ended(this, error));
    this.#socket.on('close', () => events.ended(this));
  }

  send(frame: Buffer): void {
    this.#socket.write(frame);
  }

  /** Sends the same bytes again and again, each time as soon as the system has taken them. */
  flood(bytes: Buffer, times: number): Promise<void> {
    return new Promise((resolve) => {
      let left = times;
      const next = () => {
        left -= 1;
        if (left < 0) resolve();
        else this.#socket.write(bytes, next);
      };
      next();
    });
  }

  stopReading(): void {
    this.#socket.pause();
  }

  end(style: EndStyle): void {
    if (style === 'reset') this.#socket.resetAndDestroy();
    else this.#socket.write(goodbye);
  }

  #read(length: number): boolean {
    const start = this.#isAnswered ? 0 : this.#afterAnswer(length);
    if (start <= length) this.#frames.read(shared, start, length);
    return true;
  }

  /** The end of the answer to the handshake. Such a short answer arrives in one piece. */
  #afterAnswer(length: number): number {
    const text = shared.toString('latin1', 0, length);
    const end = text.indexOf('\r\n\r\n');
    if (!text.startsWith('HTTP/1.1 101') || end === -1) {
      this.#socket.destroy(new Error(`the handshake was answered '${text.split('\r\n')[0]}'`));
      return length + 1;
    }
    this.#isAnswered = true;
    if (!this.#target.isEngineIo) this.#opened();
    return end + 4;
  }

  #opened(): void {
    this.#isOpen = true;
    this.#events.opened(this);
  }

  #frameBegan(): void {
    const frame = this.#frames;
    if (frame.opcode === opcode.ping) this.#socket.write(pongTo(frame));
    else if (frame.opcode === opcode.close) this.#socket.end();
    else if (frame.length >= MESSAGE_BYTES_MIN && this.#isOpen) this.#events.message(frame, this);
    else if (this.#target.isEngineIo) this.#engineIoSaid(frame);
    else if (this.#target.from) this.#mooringSaid(frame, this.#target.from);
  }

  /** ENQ is a beat, and the first is answered with the position too. SOH begins a heading. */
  #mooringSaid({ bytes, start, end, length }: FrameReader, from: { position: string }): void {
    const said = bytes.toString('latin1', start, Math.min(start + length, end));
    if (said === '\u0005') {
      if (from.position !== '' && this.position === '') this.#socket.write(fromTo(from.position));
      this.#socket.write(mooringAck);
    } else if (said.startsWith('\u0001["on"')) {
      this.position = (JSON.parse(said.slice(1)) as string[])[2] ?? '';
    }
  }

  /** `0` opens Engine.IO, `40` a namespace of Socket.IO. `2` is a ping, and `3` answers it. */
  #engineIoSaid({ bytes, start, length }: FrameReader): void {
    const said = bytes.toString('latin1', start, start + Math.min(2, length));
    if (said.startsWith('0')) this.#socket.write(engineIoJoin);
    else if (said === '40') this.#opened();
    else if (said === '2') this.#socket.write(engineIoPong);
  }
}

function requestTo({ port, isEngineIo, from }: Target): string {
  const path = isEngineIo ? '/socket.io/?EIO=4&transport=websocket' : '/ws';
  return [
    `GET ${path} HTTP/1.1`,
    `Host: 127.0.0.1:${port}`,
    'Upgrade: websocket',
    'Connection: Upgrade',
    'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
    'Sec-WebSocket-Version: 13',
    ...(from === undefined ? [] : ['Sec-WebSocket-Protocol: mooring.v1']),
    '\r\n',
  ].join('\r\n');
}

/** A text message as a client sends it. */
export function maskedText(text: string): Buffer {
  return buildFrame({ opcode: opcode.text, payload: text });
}

const goodbye = buildFrame({ opcode: opcode.close, payload: closePayload(1_000) });
const emptyPong = buildFrame({ opcode: opcode.pong });
const engineIoJoin = maskedText('40');
const engineIoPong = maskedText('3');
const mooringAck = maskedText('\u0006');

/** The heading of a client that was in the topic of all. */
function fromTo(position: string): Buffer {
  return maskedText(`\u0001${JSON.stringify(['from', { all: position }])}`);
}

function pongTo({ bytes, start, end, length }: FrameReader): Buffer {
  if (length === 0) return emptyPong;
  if (start + length > end) throw new Error('a ping came in two pieces');
  return buildFrame({ opcode: opcode.pong, payload: bytes.subarray(start, start + length) });
}
