import { once } from 'node:events';
import { type ClientOptions, WebSocket } from 'ws';
import { until } from './until.ts';

/** A client of plain ws that speaks JSON, as the other side of an example. */
export class PlainClient {
  readonly socket: WebSocket;
  readonly messages: Record<string, unknown>[] = [];
  /** The code and reason of its closing. Empty while it is open. */
  closed = '';

  private constructor(socket: WebSocket) {
    this.socket = socket;
    socket.on('message', (data) => this.messages.push(JSON.parse(String(data))));
    socket.on('close', (code, reason) => {
      this.closed = `${code} ${reason}`.trim();
    });
  }

  static async open(
    url: string,
    options: ClientOptions & { readonly protocols?: string[] } = {},
  ): Promise<PlainClient> {
    const client = new PlainClient(new WebSocket(url, options.protocols, options));
    await once(client.socket, 'open');
    return client;
  }

  send(message: unknown): void {
    this.socket.send(JSON.stringify(message));
  }

  /** Waits for a number of messages, and returns them all. */
  async hears(count: number): Promise<Record<string, unknown>[]> {
    await until(() => this.messages.length >= count || this.closed !== '', `${count} messages`);
    return this.messages;
  }

  /** Waits until it is closed, and returns the code and the reason. */
  async isClosed(): Promise<string> {
    await until(() => this.closed !== '', 'it is closed');
    return this.closed;
  }

  async close(): Promise<void> {
    this.socket.close();
    await this.isClosed();
  }
}

/** The status of the answer to a client that is refused. 101 if it is admitted. */
export async function refusedWith(
  url: string,
  options: ClientOptions & { readonly protocols?: string[] } = {},
): Promise<number | undefined> {
  const socket = new WebSocket(url, options.protocols, options);
  return new Promise((resolve) => {
    socket.on('open', () => {
      socket.terminate();
      resolve(101);
    });
    socket.on('unexpected-response', (request, response) => {
      request.destroy();
      resolve(response.statusCode);
    });
  });
}
