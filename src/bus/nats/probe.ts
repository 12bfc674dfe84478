import { connect } from 'node:net';

const DEFAULT_PORT = 4_222;

/**
 * Waits until one of the servers speaks: a NATS server begins each connection.
 *
 * nats.js keeps the socket of an attempt whose server accepts and stays silent, for example because it is frozen, and that
 * socket would keep the process alive. So an attempt begins only when a server has spoken.
 *
 * @throws Error of the last server
 */
export async function probe(
  servers: readonly string[],
  withinMs: number,
  signal: AbortSignal,
): Promise<void> {
  const attempts = servers.map((server) => speaks(server, withinMs, signal));
  await Promise.any(attempts).catch((thrown) => {
    throw (thrown as AggregateError).errors.at(-1);
  });
}

function speaks(server: string, withinMs: number, signal: AbortSignal): Promise<void> {
  const { host, port } = addressOf(server);
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port, timeout: withinMs, signal });
    socket.once('data', () => resolve());
    socket.once('data', () => socket.destroy());
    socket.once('timeout', () => socket.destroy(new Error(`${host}:${port} does not answer`)));
    socket.once('error', reject);
    socket.once('close', () => reject(new Error(`${host}:${port} has closed the connection`)));
  });
}

/** The host and port of an address such as `nats://127.0.0.1:4222`, `tls://example.com` or `[::1]:4222`. */
export function addressOf(server: string): { readonly host: string; readonly port: number } {
  const { hostname, port } = new URL(server.includes('://') ? server : `nats://${server}`);
  return { host: hostname.replace(/^\[|\]$/g, ''), port: Number(port) || DEFAULT_PORT };
}
