import type { PortContext } from '../connection/port-host.ts';
import type { DialedWire, DialObserver } from './dialed-wire.ts';

/** Who is told what the host knows of its network and of its sleep. */
export interface SignObserver {
  networkLost(): void;
  networkReturned(): void;
  /** It slept, or was hidden, and is back. */
  woke(): void;
}

/** What Node.js and a browser do each in their own way. */
export interface Platform {
  /** Makes the wire of one attempt. */
  makeWire(observer: DialObserver, context: PortContext): DialedWire;
  /** Keeps the process alive until what it returns is called. */
  holdProcess(): () => void;
  /** Watches for signs of the host until what it returns is called. */
  watchSigns(observer: SignObserver): () => void;
}
