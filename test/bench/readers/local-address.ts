const FIRST_PORT = 10_000;
const PORTS = 20_000;

/** The local address of a connection. */
export interface LocalAddress {
  readonly localAddress: string;
  readonly localPort: number;
}

/**
 * Addresses and ports for clients, one after the other.
 *
 * Linux searches longer and longer for a free port when many are taken. Connections would then arrive so
 * slowly that the server had to wake up for each of them, which costs more than when they arrive together.
 * All of 127.0.0.0/8 is loopback there. Elsewhere the system chooses.
 */
export class LocalAddresses {
  /** The network of this process, so that no two of them want the same address. */
  readonly #network: number;
  #taken = 0;

  constructor(network: number) {
    this.#network = network;
  }

  next(): LocalAddress | undefined {
    if (process.platform !== 'linux') return undefined;
    const host = 2 + (Math.floor(this.#taken / PORTS) % 250);
    const localPort = FIRST_PORT + (this.#taken % PORTS);
    this.#taken += 1;
    return { localAddress: `127.${this.#network}.0.${host}`, localPort };
  }
}
