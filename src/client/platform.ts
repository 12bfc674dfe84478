import type { SharedRuntime } from '../connection/connection-host.ts';
import type { DialObserver, OutboundTransport } from '../transport/transport.ts';
import type { ClientWarnings } from './client-warnings.ts';

/** Who is told what the host knows of its network and of its sleep. */
export interface HostObserver {
  networkLost(): void;
  networkReturned(): void;
  /** It slept, or was hidden, and is back. */
  onWake(): void;
}

/** What Node.js and a browser do each in their own way. */
export interface Platform {
  /** Warns the operator of what nobody listens to; `null` in a page. */
  readonly warnings: ClientWarnings | null;
  /** Makes the transport of one attempt. */
  makeTransport(observer: DialObserver, context: SharedRuntime): OutboundTransport;
  /** Keeps the process alive until what it returns is called. */
  holdProcess(): () => void;
  /** Watches for signs of the host until what it returns is called. */
  watchHost(observer: HostObserver): () => void;
}
