import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';

/** The three arguments of an HTTP server's `upgrade` event. */
export interface Upgrade {
  readonly request: IncomingMessage;
  readonly socket: Socket;
  /** Bytes that arrived behind the request. */
  readonly head: Buffer;
}
