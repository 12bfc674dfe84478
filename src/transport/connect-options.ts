import type { TcpSocketConnectOpts } from 'node:net';
import type { ConnectionOptions } from 'node:tls';

/** How Node.js is to connect, as `tls.connect` and `net.connect` take it. */
export type ConnectOptions = Pick<
  ConnectionOptions,
  'ca' | 'cert' | 'key' | 'servername' | 'rejectUnauthorized' | 'lookup'
> &
  Pick<TcpSocketConnectOpts, 'localAddress'>;
