import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

/** Passes each connection on to the server that has its turn when it is made. */
export class Balancer {
  #port = 0;
  readonly #server = createServer((client) => this.#pass(client));

  /** Listens, and returns the URL for clients. @param port - where connections go until they are diverted */
  async listen(port: number): Promise<string> {
    this.#port = port;
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  divert(port: number): void {
    this.#port = port;
  }

  #pass(client: Socket): void {
    const server = connect({ host: '127.0.0.1', port: this.#port, noDelay: true });
    client.setNoDelay(true);
    client.pipe(server).pipe(client);
    for (const [one, other] of [
      [client, server],
      [server, client],
    ] as const) {
      one.on('error', () => {});
      one.on('close', () => other.destroy());
    }
  }
}
