import type { Server } from 'node:http';
import { WebSocket, WebSocketServer } from 'ws';
import { errorText, type Log, RECONNECT_MS, TIMEOUT_MS } from '../subject.ts';

/** What reconnecting-websocket and partysocket, which come from the same code, are given alike. */
export const reconnecting = {
  WebSocket,
  connectionTimeout: TIMEOUT_MS,
  minReconnectionDelay: RECONNECT_MS,
  maxReconnectionDelay: RECONNECT_MS,
};

/** As much of the events of a WebSocket as is shown. */
interface Told {
  readonly message?: string;
  readonly error?: unknown;
  readonly code?: number;
  readonly reason?: string;
}

/** Whatever has the events of the WebSocket of a browser. */
interface Target {
  addEventListener(type: 'open' | 'error' | 'close', listener: (event: Told) => void): void;
}

/** Notes what a socket tells that has the interface of the browser's. */
export function logEvents(socket: Target, log: Log): void {
  socket.addEventListener('open', () => log('open'));
  socket.addEventListener('error', ({ error, message }) =>
    log('error', errorText(error ?? { message })),
  );
  socket.addEventListener('close', ({ code, reason }) => log('close', `${code} ${reason ?? ''}`));
}

/** A peer that does what RFC 6455 says. */
export function attachWs(server: Server): void {
  new WebSocketServer({ server }).on('connection', (socket) => socket.on('error', () => {}));
}
