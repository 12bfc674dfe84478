import type { Socket } from 'node:net';
import {
  buildFrame,
  closePayload,
  type Frame,
  type FrameSpec,
  opcode,
  StrictFrameReader,
} from './frames.ts';
import { until } from './until.ts';

/** One end of a WebSocket over a plain TCP socket. It can break every rule. */
export class RawEnd {
  readonly socket: Socket;
  /** Whether the other side has ended, and whether the socket is gone. */
  ended = false;
  closed = false;
  error: NodeJS.ErrnoException | undefined;
  /** The first violation in the bytes of the other side, if there is one. */
  violation: Error | undefined;
  readonly #isClient: boolean;
  readonly #reader: StrictFrameReader;

  constructor(socket: Socket, side: 'client' | 'server') {
    this.socket = socket;
    this.#isClient = side === 'client';
    this.#reader = new StrictFrameReader(this.#isClient ? 'server' : 'client');
    socket.on('end', () => {
      this.ended = true;
    });
    socket.on('close', () => {
      this.closed = true;
    });
    socket.on('error', (error) => {
      this.error = error;
    });
  }

  /** The frames that have arrived. */
  get frames(): readonly Frame[] {
    if (this.violation) throw this.violation;
    return this.#reader.frames;
  }

  /** Messages that have arrived, as text. */
  get texts(): readonly string[] {
    return this.frames
      .filter((frame) => frame.opcode === opcode.text)
      .map((frame) => frame.payload.toString());
  }

  /** The code and reason of the close frame that has arrived. */
  get closeFrame(): { code: number; reason: string } | undefined {
    const frame = this.frames.find((candidate) => candidate.opcode === opcode.close);
    if (frame === undefined) return undefined;
    if (frame.payload.length < 2) return { code: 1005, reason: '' };
    return { code: frame.payload.readUInt16BE(), reason: frame.payload.subarray(2).toString() };
  }

  /** A frame as this side must build it, unless the fields specify otherwise. */
  frame(spec: FrameSpec): Buffer {
    return buildFrame({ masked: this.#isClient, ...spec });
  }

  send(spec: FrameSpec): void {
    this.socket.write(this.frame(spec));
  }

  /** The value that `masked` must not have in a frame of this side. */
  get wrongMask(): boolean {
    return !this.#isClient;
  }

  sendWronglyMasked(spec: FrameSpec): void {
    this.send({ ...spec, masked: this.wrongMask });
  }

  text(text: string): void {
    this.send({ opcode: opcode.text, payload: text });
  }

  json(message: unknown): void {
    this.text(JSON.stringify(message));
  }

  /** Sends a close frame; without a code an empty one. */
  sendClose(code?: number, reason: string | Buffer = ''): void {
    const payload = code === undefined ? Buffer.alloc(0) : closePayload(code, reason);
    this.send({ opcode: opcode.close, payload });
  }

  /** Ends the writing side (FIN). */
  end(): void {
    this.socket.end();
  }

  /** Resets the connection (RST). */
  reset(): void {
    this.socket.resetAndDestroy();
  }

  destroy(): void {
    this.socket.destroy();
  }

  /** Stops reading, so that the kernel's buffers fill. */
  pause(): void {
    this.socket.pause();
  }

  /** Answers a close frame with its echo and ends, as a polite peer does. */
  async finishPolitely(): Promise<void> {
    await until(() => this.closeFrame !== undefined || this.closed, 'a close frame arrives');
    const frame = this.closeFrame;
    if (frame && !this.closed)
      this.sendClose(frame.code === 1005 ? undefined : frame.code, frame.reason);
    this.end();
  }

  protected read(chunk: Buffer): void {
    try {
      this.#reader.push(chunk);
    } catch (thrown) {
      this.violation ??= thrown as Error;
    }
  }
}
