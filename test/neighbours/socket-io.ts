import { Server } from 'socket.io';
import type { Neighbour } from './neighbour.ts';

/** socket.io: it ends every foreign upgrade request that has no answer after a second. */
export const socketIo: Neighbour = {
  name: 'socket.io',
  visit: { path: '/socket.io/?EIO=4&transport=websocket', hears: /^0\{"sid"/ },
  unserved: { by: 'neighbour', status: 0 },
  hasCheck: true,
  closesServer: true,
  async start(server, check) {
    const io = new Server(server, {
      serveClient: false,
      allowRequest: (request, done) => void check(request.url).then(() => done(null, true)),
    });
    return () => io.close();
  },
};
