import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { until } from './until.ts';

/** What was published to a subject. */
export interface Published {
  readonly subject: string;
  readonly payload: Buffer;
}

/** Credentials of a user. */
export interface Credentials {
  readonly user: string;
  readonly pass: string;
}

/** A program that speaks the text protocol of NATS over a plain socket, without a library and without Mooring. */
export class RawNats {
  readonly heard: Published[] = [];
  /** The errors that the server has sent. */
  readonly errors: string[] = [];
  readonly #socket: Socket;
  #bytes = Buffer.alloc(0);
  #pongs = 0;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('error', () => {});
    socket.on('data', (chunk: Buffer) => {
      this.#bytes = Buffer.concat([this.#bytes, chunk]);
      while (this.#take());
    });
  }

  static async connect(port: number, credentials?: Credentials): Promise<RawNats> {
    const socket = connect({ port, host: '127.0.0.1' });
    await once(socket, 'connect');
    const nats = new RawNats(socket);
    const options = { verbose: false, pedantic: false, lang: 'raw', version: '1', ...credentials };
    nats.#write(`CONNECT ${JSON.stringify(options)}`);
    return nats;
  }

  publish(subject: string, payload: string | Uint8Array): void {
    const bytes = Buffer.from(payload as string);
    this.#write(`PUB ${subject} ${bytes.length}`);
    this.#socket.write(bytes);
    this.#write('');
  }

  subscribe(subject: string): void {
    this.#write(`SUB ${subject} 1`);
  }

  /** Waits until the server has taken everything so far, or has closed the connection. */
  async flush(): Promise<void> {
    const wanted = this.#pongs + 1;
    this.#write('PING');
    await until(() => this.#pongs >= wanted || this.#socket.closed, 'the server answers');
  }

  async close(): Promise<void> {
    this.#socket.destroy();
    if (!this.#socket.closed) await once(this.#socket, 'close');
  }

  #write(line: string): void {
    this.#socket.write(`${line}\r\n`);
  }

  /** Takes one line with its payload. Returns whether it was complete. */
  #take(): boolean {
    const end = this.#bytes.indexOf('\r\n');
    if (end === -1) return false;
    const line = this.#bytes.subarray(0, end).toString();
    const [, subject = '', size] = /^MSG (\S+) \S+ (?:\S+ )?(\d+)$/.exec(line) ?? [];
    const next = end + 2 + (size === undefined ? 0 : Number(size) + 2);
    if (this.#bytes.length < next) return false;
    if (size !== undefined)
      this.heard.push({ subject, payload: this.#bytes.subarray(end + 2, next - 2) });
    else this.#heardLine(line);
    this.#bytes = this.#bytes.subarray(next);
    return true;
  }

  #heardLine(line: string): void {
    if (line === 'PING') this.#write('PONG');
    if (line === 'PONG') this.#pongs += 1;
    if (line.startsWith('-ERR')) this.errors.push(line);
  }
}
