import websocket from '@fastify/websocket';
import { fastify as createFastify } from 'fastify';
import type { Neighbour } from './neighbour.ts';

/** @fastify/websocket: every upgrade request runs through the routes of Fastify. */
export const fastify: Neighbour = {
  name: '@fastify/websocket',
  visit: { path: '/fastify', hears: /^fastify$/ },
  unserved: { by: 'neighbour', status: 404 },
  hasCheck: true,
  closesServer: true,
  async start(server, check) {
    const app = createFastify({ serverFactory: (handler) => server.on('request', handler) });
    await app.register(websocket);
    app.get('/hello', () => 'hello from Fastify');
    const preValidation = (request: { url: string }) => check(request.url);
    app.get('/fastify', { websocket: true, preValidation }, (socket) => socket.send('fastify'));
    await app.ready();
    return () => app.close();
  },
};
