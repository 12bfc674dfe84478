import { createAdaptorServer, upgradeWebSocket } from '@hono/node-server';
import { Hono } from 'hono';
import { WebSocketServer } from 'ws';
import type { Neighbour } from './neighbour.ts';
import { closed } from './ws.ts';

/** Hono's node-server. It leaves foreign requests to others, with two listeners on the socket. */
export const hono: Neighbour = {
  name: 'Hono',
  visit: { path: '/hono', hears: /^hono$/ },
  unserved: { by: 'mooring', status: 404, afterMs: 30_000 },
  hasCheck: true,
  closesServer: false,
  async start(server, check) {
    const app = new Hono();
    app.get('/hello', (context) => context.text('hello from Hono'));
    app.use('/hono', async (context, next) => {
      await check(context.req.url);
      await next();
    });
    const greeting = upgradeWebSocket(() => ({ onOpen: (_event, ws) => ws.send('hono') }));
    app.get('/hono', greeting);
    const wss = new WebSocketServer({ noServer: true });
    createAdaptorServer({
      fetch: app.fetch,
      createServer: ((_options: unknown, listener: () => void) =>
        server.on('request', listener)) as never,
      // Its type is stricter than that of ws.
      websocket: { server: wss as never },
    });
    return () => closed(wss);
  },
};
