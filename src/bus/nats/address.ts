const DEFAULT_PORT = 4_222;

const PROTOCOLS = ['nats:', 'tls:'];

/** What an address says. `isTls` if it insists on TLS. */
interface Address {
  readonly host: string;
  readonly port: number;
  readonly isTls: boolean;
}

/**
 * Reads an address such as `nats://127.0.0.1:4222`, `tls://example.com` or `[::1]:4222`.
 *
 * @throws TypeError for any other text
 */
export function addressOf(server: string): Address {
  const url = new URL(server.includes('://') ? server : `nats://${server}`);
  const { protocol, hostname, port, username, password } = url;
  if (!PROTOCOLS.includes(protocol) || hostname === '') throw new TypeError('Invalid URL');
  // nats.js would ignore them.
  if (username !== '' || password !== '') throw new TypeError('an address has no credentials');
  return {
    host: hostname.replace(/^\[|\]$/g, ''),
    port: Number(port) || DEFAULT_PORT,
    isTls: protocol === 'tls:',
  };
}

/** Whether a value is the address of a server. */
export function isAddress(value: unknown): value is string {
  if (typeof value !== 'string') return false;
  try {
    return addressOf(value) !== null;
  } catch {
    return false;
  }
}
