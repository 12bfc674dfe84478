import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { type WebSocket, WebSocketServer } from 'ws';
import type { Neighbour } from './neighbour.ts';

/** ws with `{ server, path }`: it answers 400 to every other path. */
export const wsWithPath: Neighbour = {
  name: 'ws { server, path }',
  visit: { path: '/ws-with-path', hears: /^ws$/ },
  unserved: { by: 'neighbour', status: 400 },
  hasCheck: true,
  closesServer: false,
  async start(server, check) {
    const verifyClient = ({ req }: { req: IncomingMessage }, done: (isWelcome: boolean) => void) =>
      void check(req.url).then(() => done(true));
    const wss = new WebSocketServer({ server, path: '/ws-with-path', verifyClient });
    wss.on('connection', greet);
    return () => closed(wss);
  },
};

/** ws with `noServer`, as its README shows it. */
export const wsNoServer: Neighbour = {
  name: 'ws { noServer }',
  visit: { path: '/ws-no-server', hears: /^ws$/ },
  unserved: { by: 'mooring', status: 404, afterMs: 2_000 },
  hasCheck: true,
  closesServer: false,
  async start(server, check) {
    const wss = new WebSocketServer({ noServer: true });
    wss.on('connection', greet);
    const onUpgrade = (request: IncomingMessage, socket: Duplex, head: Buffer) => {
      if (!request.url?.startsWith('/ws-no-server')) return;
      socket.on('error', ignore);
      void check(request.url).then(() => {
        socket.off('error', ignore);
        wss.handleUpgrade(request, socket, head, (ws) => wss.emit('connection', ws, request));
      });
    };
    server.on('upgrade', onUpgrade);
    return () => {
      server.off('upgrade', onUpgrade);
      return closed(wss);
    };
  },
};

function ignore(): void {}

function greet(socket: WebSocket): void {
  socket.on('error', ignore);
  socket.send('ws');
}

/** Closes a server of ws and its clients. */
export function closed(wss: WebSocketServer): Promise<void> {
  for (const client of wss.clients) client.terminate();
  return new Promise((resolve) => wss.close(() => resolve()));
}
