import { connect } from 'node:net';
import { addressOf } from './address.ts';

/** What a server says of TLS in its first message. */
const ASKS_FOR_TLS = /"tls_(?:required|available)" ?: ?true/;

/**
 * Waits until a server speaks: a NATS server begins each connection. Returns whether it asks for TLS.
 *
 * @throws Error if it does not speak
 */
export function probe(server: string, withinMs: number, signal: AbortSignal): Promise<boolean> {
  const { host, port } = addressOf(server);
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port, timeout: withinMs, signal });
    socket.once('data', (info) => {
      resolve(ASKS_FOR_TLS.test(info.toString()));
      socket.destroy();
    });
    socket.once('timeout', () => socket.destroy(new Error(`${host}:${port} does not answer`)));
    socket.once('error', reject);
    socket.once('close', () => reject(new Error(`${host}:${port} has closed the connection`)));
  });
}
