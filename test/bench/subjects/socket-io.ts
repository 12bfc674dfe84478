import { createServer } from 'node:http';
import { createClient } from '@redis/client';
import { createAdapter } from '@socket.io/redis-streams-adapter';
import { Server } from 'socket.io';
import type { Setup } from '../orders.ts';
import type { Subject } from './subject.ts';
import { MESSAGE_BYTES } from './text.ts';

/** What Socket.IO adds around the text of an event: `42["m","…"]`. */
const TEXT_LENGTH = MESSAGE_BYTES - '42["m",""]'.length;

/** Socket.IO with its defaults, but without the detour over HTTP polling. */
export function socketIo({ busUrl, isDurable }: Pick<Setup, 'busUrl' | 'isDurable'>): Subject {
  const server = createServer();
  const io = new Server(server, {
    ...{ transports: ['websocket'], serveClient: false },
    ...(isDurable && { connectionStateRecovery: {} }),
  });
  io.on('connection', (socket) => {
    socket.on('error', () => {});
    socket.on('m', () => {});
  });
  return {
    server,
    open: () => io.sockets.sockets.size,
    present: () => io.engine.clientsCount,
    publish: (text) => void io.emit('m', text.slice(0, TEXT_LENGTH)),
    untilShared: async () => {
      if (busUrl !== undefined) await share(io, busUrl);
    },
  };
}

/** As the README of the adapter shows it. */
async function share(io: Server, url: string): Promise<void> {
  const client = createClient({ url });
  await client.connect();
  io.adapter(createAdapter(client));
}
