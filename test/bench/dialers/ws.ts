import { WebSocket } from 'ws';
import type { Dialer } from './dialer.ts';

/** How long the usual loop waits, whatever happened. */
const RETRY_MS = 1_000;

const sockets = new Set<WebSocket>();

/** ws and the reconnect loop that is usually written around it. Its listeners are shared: nothing is leaner. */
export function ws(): Dialer {
  return {
    dial,
    open: () => [...sockets].filter(({ readyState }) => readyState === WebSocket.OPEN).length,
  };
}

function dial(url: string): void {
  const socket = new WebSocket(url, { perMessageDeflate: false });
  sockets.add(socket);
  socket.on('message', heard);
  socket.on('error', heard);
  socket.on('close', socketOnClose);
}

function heard(): void {}

function socketOnClose(this: WebSocket): void {
  sockets.delete(this);
  setTimeout(dial, RETRY_MS, this.url);
}
