import { createServer } from 'node:http';
import { Server } from 'socket.io';
import type { Subject } from './subject.ts';
import { MESSAGE_BYTES } from './text.ts';

/** What Socket.IO adds around the text of an event: `42["m","…"]`. */
const TEXT_LENGTH = MESSAGE_BYTES - '42["m",""]'.length;

/** Socket.IO with its defaults, but without the detour over HTTP polling. */
export function socketIo(): Subject {
  const server = createServer();
  const io = new Server(server, { transports: ['websocket'], serveClient: false });
  io.on('connection', (socket) => {
    socket.on('error', () => {});
    socket.on('m', () => {});
  });
  return {
    server,
    open: () => io.sockets.sockets.size,
    present: () => io.engine.clientsCount,
    publish: (text) => void io.emit('m', text.slice(0, TEXT_LENGTH)),
  };
}
