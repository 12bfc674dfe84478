import { randomBytes } from 'node:crypto';
import { connect, type Socket } from 'node:net';
import {
  buildFrame,
  closePayload,
  type Frame,
  type FrameSpec,
  opcode,
  StrictFrameReader,
} from './frames.ts';
import { until } from './until.ts';

/** What to change about the opening handshake. */
export interface HandshakeSpec {
  method?: string;
  path?: string;
  headers?: Record<string, string | undefined>;
  /** Bytes that follow the request in the same packet. */
  trailing?: Buffer;
}

/** A WebSocket client made of nothing but a TCP socket, that can do everything wrong. */
export class RawPeer {
  readonly socket: Socket;
  /** What was read of the HTTP answer, up to and including the empty line; the body of a refusal too. */
  answer = '';
  /** Whether the other side has ended, and whether the socket is gone. */
  ended = false;
  closed = false;
  error: NodeJS.ErrnoException | undefined;
  /** What broke the rules in the bytes of the server, if anything did. */
  violation: Error | undefined;
  readonly #reader = new StrictFrameReader();
  readonly #port: number;
  #upgraded = false;

  private constructor(socket: Socket, port: number) {
    this.socket = socket;
    this.#port = port;
    socket.on('data', (chunk: Buffer) => this.#take(chunk));
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

  /** Connects TCP and says nothing. */
  static async connect(port: number, options: { allowHalfOpen?: boolean } = {}): Promise<RawPeer> {
    const socket = connect({ port, host: '127.0.0.1', ...options });
    socket.setNoDelay();
    const peer = new RawPeer(socket, port);
    await until(() => !socket.connecting || peer.closed, 'TCP is connected');
    if (peer.error) throw peer.error;
    return peer;
  }

  /** Connects and completes the opening handshake. */
  static async open(
    port: number,
    spec: HandshakeSpec & { allowHalfOpen?: boolean } = {},
  ): Promise<RawPeer> {
    const peer = await RawPeer.connect(port, spec.allowHalfOpen ? { allowHalfOpen: true } : {});
    peer.request(spec);
    await until(() => peer.#upgraded || peer.closed, 'the upgrade is answered');
    if (!peer.#upgraded) throw new Error(`not upgraded: ${peer.answer}`);
    return peer;
  }

  /** Writes an upgrade request. */
  request(spec: HandshakeSpec = {}): void {
    const { method = 'GET', path = '/ws', trailing = Buffer.alloc(0) } = spec;
    const headers: Record<string, string | undefined> = {
      Host: `127.0.0.1:${this.#port}`,
      Upgrade: 'websocket',
      Connection: 'Upgrade',
      'Sec-WebSocket-Key': randomBytes(16).toString('base64'),
      'Sec-WebSocket-Version': '13',
      ...spec.headers,
    };
    const lines = Object.entries(headers)
      .filter(([, value]) => value !== undefined)
      .map(([name, value]) => `${name}: ${value}\r\n`);
    const head = `${method} ${path} HTTP/1.1\r\n${lines.join('')}\r\n`;
    this.socket.write(Buffer.concat([Buffer.from(head), trailing]));
  }

  /** The status of the HTTP answer; 0 before there is one. */
  get status(): number {
    return Number(/^HTTP\/1\.1 (\d{3})/.exec(this.answer)?.[1] ?? 0);
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

  send(spec: FrameSpec): void {
    this.socket.write(buildFrame(spec));
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

  /** Answers a close frame with its echo and ends, as a polite client does. */
  async finishPolitely(): Promise<void> {
    await until(() => this.closeFrame !== undefined || this.closed, 'a close frame arrives');
    const frame = this.closeFrame;
    if (frame && !this.closed)
      this.sendClose(frame.code === 1005 ? undefined : frame.code, frame.reason);
    this.end();
  }

  #take(chunk: Buffer): void {
    if (this.#upgraded) {
      this.#read(chunk);
      return;
    }
    const bytes = Buffer.concat([Buffer.from(this.answer, 'latin1'), chunk]);
    const end = bytes.indexOf('\r\n\r\n');
    if (end === -1 || !bytes.subarray(0, 12).toString('latin1').endsWith('101')) {
      this.answer = bytes.toString('latin1');
      return;
    }
    this.answer = bytes.subarray(0, end + 4).toString('latin1');
    this.#upgraded = true;
    this.#read(bytes.subarray(end + 4));
  }

  #read(chunk: Buffer): void {
    try {
      this.#reader.push(chunk);
    } catch (thrown) {
      this.violation ??= thrown as Error;
    }
  }
}
