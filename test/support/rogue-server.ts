import { createHash } from 'node:crypto';
import type { AddressInfo } from 'node:net';
import { createServer, type Server, type Socket } from 'node:net';
import { buildFrame, closePayload, opcode } from './frames.ts';

const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';

/** What a server does with one connection, from the first byte on. */
export type Script = (visit: Visit) => void;

/** One connection to a rogue server. */
export interface Visit {
  readonly socket: Socket;
  /** Calls back with the headers of the request, once they have arrived. */
  asked(answer: (request: string) => void): void;
  /** The lines of an answer that accepts the request, with further headers. */
  acceptance(request: string, ...headers: readonly string[]): string;
}

/** A server that follows no rule except its script. */
export class RogueServer {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  visits = 0;

  private constructor(script: Script, server: Server, lingers: boolean) {
    this.#server = server;
    server.on('connection', (socket: Socket) => {
      this.visits += 1;
      this.#sockets.add(socket);
      socket.on('close', () => this.#sockets.delete(socket));
      socket.on('error', () => {});
      // A client that has ended is dropped, even if the script ignores its end.
      if (!lingers) socket.on('end', () => socket.destroy());
      socket.resume();
      script({ socket, asked: (answer) => whenAsked(socket, answer), acceptance });
    });
  }

  /** @param lingers - whether it keeps its side of a connection when the client has ended its own */
  static async start(script: Script, { lingers = false } = {}): Promise<RogueServer> {
    const server = createServer({ allowHalfOpen: true });
    const rogue = new RogueServer(script, server, lingers);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return rogue;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Connections that are still open. */
  get open(): number {
    return this.#sockets.size;
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

/** Accepts the request and then runs `then`. */
export function accepting(then: Script): Script {
  return (visit) =>
    visit.asked((request) => {
      visit.socket.write(visit.acceptance(request));
      then(visit);
    });
}

/** The close frame of a server. */
export function closeFrame(code: number, reason = ''): Buffer {
  return buildFrame({ opcode: opcode.close, payload: closePayload(code, reason), masked: false });
}

/** Calls back with the headers of the request, once they have arrived. */
export function whenAsked(socket: Socket, answer: (request: string) => void): void {
  let request = '';
  const read = (chunk: Buffer) => {
    request += chunk.toString('latin1');
    if (!request.includes('\r\n\r\n')) return;
    socket.off('data', read);
    answer(request);
  };
  socket.on('data', read);
}

/** The lines of an answer that accepts the request, with further headers. */
export function acceptance(request: string, ...headers: readonly string[]): string {
  const [, key = ''] = /sec-websocket-key: (.*)\r\n/i.exec(request) ?? [];
  const digest = createHash('sha1')
    .update(key + GUID)
    .digest('base64');
  const lines = [
    'HTTP/1.1 101 Switching Protocols',
    'Upgrade: websocket',
    'Connection: Upgrade',
    `Sec-WebSocket-Accept: ${digest}`,
    ...headers,
  ];
  return `${lines.join('\r\n')}\r\n\r\n`;
}
