import { createServer } from 'node:http';
import { type RawData, WebSocket, WebSocketServer } from 'ws';
import type { Setup } from '../orders.ts';
import { Echo, type Subject } from './subject.ts';
import { TEXT } from './text.ts';

/** ws as its README uses it, with the error listener that the README requires. */
export function ws(setup: Setup): Subject {
  const server = createServer();
  const sockets = new WebSocketServer({ server, path: '/ws', perMessageDeflate: false });
  const publish = (text: string) => broadcast(sockets, `"${text}"`);
  const answer = handler(setup, () => publish(TEXT));
  sockets.on('connection', (socket) => {
    socket.on('error', () => {});
    socket.on('message', (data) => answer(socket, data));
  });
  if (setup.heartbeatMs) keepAlive(sockets, setup.heartbeatMs);
  return { server, open: () => sockets.clients.size, present: () => sockets.clients.size, publish };
}

/** Server broadcast, as in the README. */
function broadcast(sockets: WebSocketServer, message: string): void {
  for (const socket of sockets.clients) {
    if (socket.readyState === WebSocket.OPEN) socket.send(message);
  }
}

function handler(setup: Setup, answer: () => void): (socket: WebSocket, data: RawData) => void {
  switch (setup.handler ?? 'ignore') {
    case 'ignore':
      return () => {};
    case 'echo':
      return setup.isChecked ? echoChecked : echo;
    case 'answer':
      return (_socket, data) => {
        JSON.parse(data.toString());
        answer();
      };
  }
}

function echo(socket: WebSocket, data: RawData): void {
  const message: unknown = JSON.parse(data.toString());
  socket.send(JSON.stringify(message));
}

function echoChecked(socket: WebSocket, data: RawData): void {
  const message = Echo.safeParse(JSON.parse(data.toString()));
  if (message.success) socket.send(JSON.stringify(message.data));
}

interface Living extends WebSocket {
  isAlive?: boolean;
}

function heard(this: Living): void {
  this.isAlive = true;
}

/** How to detect and close broken connections, as in the README. */
function keepAlive(sockets: WebSocketServer, intervalMs: number): void {
  sockets.on('connection', (socket: Living) => {
    socket.isAlive = true;
    socket.on('pong', heard);
  });
  setInterval(() => {
    for (const socket of sockets.clients as Set<Living>) pingOrTerminate(socket);
  }, intervalMs);
}

function pingOrTerminate(socket: Living): void {
  if (socket.isAlive === false) {
    socket.terminate();
    return;
  }
  socket.isAlive = false;
  socket.ping();
}
