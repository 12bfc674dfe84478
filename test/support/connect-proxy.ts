import { createServer, type IncomingMessage, type Server } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';

/** An HTTP proxy that tunnels (CONNECT, RFC 9110 §9.3.6). Tunnels to names that end in `.test` lead to this host. */
export class ConnectProxy {
  /** The requested targets, as `host:port`. */
  readonly targets: string[] = [];
  /** The `Proxy-Authorization` of each request. */
  readonly credentials: (string | undefined)[] = [];

  readonly #server: Server;
  readonly #sockets = new Set<Duplex>();
  readonly #status: number;

  private constructor(server: Server, status: number) {
    this.#server = server;
    this.#status = status;
    server.on('connection', (socket: Socket) => this.#keep(socket));
    server.on('connect', (request, socket) => this.#tunnel(request, socket));
  }

  /** @param status - the status of its answers. 200 opens the tunnel. */
  static async start(status = 200): Promise<ConnectProxy> {
    const server = createServer();
    const proxy = new ConnectProxy(server, status);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return proxy;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #keep(socket: Duplex): void {
    this.#sockets.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => this.#sockets.delete(socket));
  }

  #tunnel({ url = '', headers }: IncomingMessage, socket: Duplex): void {
    this.targets.push(url);
    this.credentials.push(headers['proxy-authorization']);
    if (this.#status !== 200) {
      const body = 'this proxy does not know you';
      socket.end(
        `HTTP/1.1 ${this.#status} No\r\nProxy-Authenticate: Basic\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
      );
      return;
    }
    const { hostname, port } = new URL(`http://${url}`);
    const host = hostname.endsWith('.test') ? '127.0.0.1' : hostname;
    const onward = connect({ host, port: Number(port) }, () => {
      socket.write('HTTP/1.1 200 Connection established\r\n\r\n');
      socket.pipe(onward).pipe(socket);
    });
    this.#keep(onward);
    onward.on('close', () => socket.destroy());
    socket.on('close', () => onward.destroy());
  }
}
