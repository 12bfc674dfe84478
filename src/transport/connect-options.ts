import type { Agent } from 'node:http';
import type { LookupFunction, TcpSocketConnectOpts } from 'node:net';
import type { Duplex } from 'node:stream';
import type { ConnectionOptions, SecureContextOptions } from 'node:tls';

/** What `createConnection` gets: options of `net.connect`, and for `wss:` of `tls.connect` as well. */
export type ConnectionTarget = TcpSocketConnectOpts & ConnectionOptions;

/**
 * How Node.js connects: options of `http.request`, `net.connect` and `tls.connect`.
 *
 * What a function among them throws, or rejects with, ends the attempt and nothing else.
 */
export interface ConnectOptions {
  /**
   * Makes the connections, for example one of `https-proxy-agent`, which goes through a proxy. An agent for `https:` makes
   * those for `wss:`. The other options are passed to it.
   * @default none: each attempt makes a connection of its own
   */
  agent?: Agent | undefined;
  /**
   * Makes the connection of an attempt: returns a socket, or a promise of one, or calls `done`. For `wss:` the socket must
   * be one of TLS. A client with an `agent` cannot have it.
   * @default `net.connect` or `tls.connect`
   */
  createConnection?:
    | ((
        target: ConnectionTarget,
        done: (error: Error | null, socket?: Duplex) => void,
        // biome-ignore lint/suspicious/noConfusingVoidType: a function that calls `done` may return nothing.
      ) => Duplex | Promise<Duplex> | null | undefined | void)
    | undefined;
  /** Finds the addresses of a name, as `dns.lookup` does. @default `dns.lookup` */
  lookup?: LookupFunction | undefined;
  /** The version of IP: 4, 6, or 0 for both. @default 0 */
  family?: 0 | 4 | 6 | undefined;
  /** Whether the addresses of a name are tried one after another (RFC 8305). @default true */
  autoSelectFamily?: boolean | undefined;
  /** How long each of these addresses is tried, in milliseconds; at least 10. @default 250 */
  autoSelectFamilyAttemptTimeout?: number | undefined;
  /** The IP address of this host to connect from. @default the system chooses */
  localAddress?: string | undefined;
  /** The name that is sent to the server (SNI, RFC 6066 §3), and that its certificate must have. @default the host of the URL */
  servername?: string | undefined;
  /** Certificates of the authorities to trust, in PEM. @default those of Node.js */
  ca?: NonNullable<SecureContextOptions['ca']> | undefined;
  /** The certificate of the client with its chain, in PEM. @default none */
  cert?: NonNullable<SecureContextOptions['cert']> | undefined;
  /** The private key of `cert`, in PEM. @default none */
  key?: NonNullable<SecureContextOptions['key']> | undefined;
  /** Certificate and private key of the client in one, as PKCS #12. @default none */
  pfx?: NonNullable<SecureContextOptions['pfx']> | undefined;
  /** Decrypts `key`, or `pfx`. @default none */
  passphrase?: string | undefined;
  /** Whether a server is refused whose certificate is not good. @default true */
  rejectUnauthorized?: boolean | undefined;
  /** Returns an Error for a certificate that is not that of the server. @default `tls.checkServerIdentity` */
  checkServerIdentity?: NonNullable<ConnectionOptions['checkServerIdentity']> | undefined;
  /** The oldest version of TLS: `'TLSv1'`, `'TLSv1.1'`, `'TLSv1.2'` or `'TLSv1.3'`. @default 'TLSv1.2' */
  minVersion?: NonNullable<SecureContextOptions['minVersion']> | undefined;
  /** Cipher suites, as OpenSSL writes them. @default those of Node.js */
  ciphers?: string | undefined;
}
