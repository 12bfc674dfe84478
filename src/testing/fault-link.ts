import type { Socket } from 'node:net';
import type { Clock } from '../core/clock.ts';
import { FaultStream } from './fault-stream.ts';

/** One connection through a fault proxy: the client's socket on one side, the server's on the other. */
export class FaultLink {
  /** From the client to the server. */
  readonly up: FaultStream;
  /** From the server to the client. */
  readonly down: FaultStream;

  /** Resolves when both of its sockets are gone. */
  readonly closed: Promise<void>;

  readonly #sockets: readonly Socket[];

  /**
   * @internal
   * @param server - `null` for a link that never leads anywhere
   */
  constructor(client: Socket, server: Socket | null, clock: Clock) {
    this.#sockets = server === null ? [client] : [client, server];
    this.up = new FaultStream(client, server, clock);
    this.down = new FaultStream(server, client, clock);
    this.closed = Promise.all(this.#sockets.map(closed)).then(() => this.#release());
  }

  /** Ends both sides at once and drops held bytes. */
  close(): void {
    this.#release();
    for (const socket of this.#sockets) socket.destroy();
  }

  #release(): void {
    this.up.release();
    this.down.release();
  }
}

function closed(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    socket.once('close', () => resolve());
  });
}
