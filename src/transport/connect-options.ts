import type { Agent } from 'node:http';
import type { LookupFunction, TcpSocketConnectOpts } from 'node:net';
import type { Duplex } from 'node:stream';
import type { ConnectionOptions, SecureContextOptions } from 'node:tls';

/** The argument of `createConnection`: options of `net.connect` and, for `wss:`, of `tls.connect`. */
export type ConnectionTarget = TcpSocketConnectOpts & ConnectionOptions;

/**
 * How Node.js connects: options of `http.request`, `net.connect` and `tls.connect`.
 *
 * If one of the functions throws or rejects, the attempt fails, and nothing else does.
 */
export interface ConnectOptions {
  /**
   * The agent that makes the connections, for example one of `https-proxy-agent` to connect through a proxy. For
   * `wss:`, use an agent for `https:`. The agent receives the other options.
   * @default none; each attempt makes its own connection
   */
  agent?: Agent | undefined;
  /**
   * Makes the connection of an attempt: return a socket or a promise of one, or call `done`. For `wss:`, make a TLS
   * socket. You cannot combine it with `agent`.
   * @default `net.connect` or `tls.connect`
   */
  createConnection?:
    | ((
        target: ConnectionTarget,
        done: (error: Error | null, socket?: Duplex) => void,
        // biome-ignore lint/suspicious/noConfusingVoidType: a function that calls `done` may return nothing.
      ) => Duplex | Promise<Duplex> | null | undefined | void)
    | undefined;
  /** Resolves a host name, as `dns.lookup` does. @default `dns.lookup` */
  lookup?: LookupFunction | undefined;
  /** The IP version: 4, 6, or 0 for both. @default 0 */
  family?: 0 | 4 | 6 | undefined;
  /** Whether to try the addresses of a name one after another (RFC 8305). @default true */
  autoSelectFamily?: boolean | undefined;
  /** How long to try each of these addresses, in milliseconds. Node.js raises a value below 10 to 10. @default 250 */
  autoSelectFamilyAttemptTimeout?: number | undefined;
  /** The IP address of this host to connect from. @default the system chooses */
  localAddress?: string | undefined;
  /**
   * The name to send to the server (SNI, RFC 6066 §3) and to require in its certificate.
   * @default the host of the URL
   */
  servername?: string | undefined;
  /** The certificates of the authorities to trust, in PEM. @default those of Node.js */
  ca?: NonNullable<SecureContextOptions['ca']> | undefined;
  /** The certificate of the client with its chain, in PEM. @default none */
  cert?: NonNullable<SecureContextOptions['cert']> | undefined;
  /** The private key of `cert`, in PEM. @default none */
  key?: NonNullable<SecureContextOptions['key']> | undefined;
  /** The certificate and the private key of the client in one, as PKCS #12. @default none */
  pfx?: NonNullable<SecureContextOptions['pfx']> | undefined;
  /** Decrypts `key` or `pfx`. @default none */
  passphrase?: string | undefined;
  /** Whether to refuse a server without a valid certificate. @default true */
  rejectUnauthorized?: boolean | undefined;
  /**
   * Checks that the certificate belongs to the server: return an Error if it does not, and `undefined` if it does.
   * @default `tls.checkServerIdentity`
   */
  checkServerIdentity?: NonNullable<ConnectionOptions['checkServerIdentity']> | undefined;
  /** The oldest TLS version to accept: `'TLSv1'`, `'TLSv1.1'`, `'TLSv1.2'` or `'TLSv1.3'`. @default 'TLSv1.2' */
  minVersion?: NonNullable<SecureContextOptions['minVersion']> | undefined;
  /** The cipher suites to accept, in OpenSSL notation. @default those of Node.js */
  ciphers?: string | undefined;
}
