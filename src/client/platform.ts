import type { PortContext } from '../connection/port-host.ts';
import type { DialedWire, DialObserver } from './dialed-wire.ts';

/** What Node.js and a browser do each in their own way. */
export interface Platform {
  /** Makes the wire of one attempt. */
  makeWire(observer: DialObserver, context: PortContext): DialedWire;
  /** Keeps the process alive until what it returns is called. */
  holdProcess(): () => void;
}
