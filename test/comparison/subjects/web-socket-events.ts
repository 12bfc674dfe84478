import type { Server } from 'node:http';
import { WebSocket, WebSocketServer } from 'ws';
import { errorText, type Log, RECONNECT_MS, TIMEOUT_MS } from '../subject.ts';

/** The shared options of reconnecting-websocket and partysocket, which come from the same code. */
export const reconnecting = {
  WebSocket,
  connectionTimeout: TIMEOUT_MS,
  minReconnectionDelay: RECONNECT_MS,
  maxReconnectionDelay: RECONNECT_MS,
};

/** The part of the events of a WebSocket that is shown. */
interface Told {
  readonly message?: string;
  readonly error?: unknown;
  readonly code?: number;
  readonly reason?: string;
}

/** Anything with the events of the WebSocket of a browser. */
interface Target {
  addEventListener(type: 'open' | 'error' | 'close', listener: (event: Told) => void): void;
}

/** Records the events of a socket with the interface of the browser's. */
export function logEvents(socket: Target, log: Log): void {
  socket.addEventListener('open', () => log('open'));
  socket.addEventListener('error', ({ error, message }) =>
    log('error', errorText(error ?? { message })),
  );
  socket.addEventListener('close', ({ code, reason }) => log('close', `${code} ${reason ?? ''}`));
}

/** A peer that follows RFC 6455. */
export function attachWs(server: Server): void {
  new WebSocketServer({ server }).on('connection', (socket) => socket.on('error', () => {}));
}
