import { randomBytes } from 'node:crypto';
import { connect, type Socket } from 'node:net';
import { RawEnd } from './raw-end.ts';
import { until } from './until.ts';

/** What to change about the opening handshake. */
export interface HandshakeSpec {
  method?: string;
  path?: string;
  headers?: Record<string, string | undefined>;
  /** Bytes that follow the request in the same packet. */
  trailing?: Buffer;
}

/** A WebSocket client over a plain TCP socket. It can break every rule. */
export class RawPeer extends RawEnd {
  /** What was read of the HTTP answer, up to and including the empty line, and the body of a refusal. */
  answer = '';
  readonly #port: number;
  #upgraded = false;

  private constructor(socket: Socket, port: number) {
    super(socket, 'client');
    this.#port = port;
    socket.on('data', (chunk: Buffer) => this.#take(chunk));
  }

  /** Connects TCP and sends nothing. */
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

  /** The status of the HTTP answer. 0 before there is one. */
  get status(): number {
    return Number(/^HTTP\/1\.1 (\d{3})/.exec(this.answer)?.[1] ?? 0);
  }

  #take(chunk: Buffer): void {
    if (this.#upgraded) {
      this.read(chunk);
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
    this.read(bytes.subarray(end + 4));
  }
}
