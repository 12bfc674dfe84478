import { fastify } from './fastify.ts';
import { graphqlWs } from './graphql-ws.ts';
import { hono } from './hono.ts';
import type { Neighbour } from './neighbour.ts';
import { socketIo } from './socket-io.ts';
import { vite } from './vite.ts';
import { wsNoServer, wsWithPath } from './ws.ts';

/** The same contract applies to each of them. A new one is one file, and one entry here. */
export const neighbours: readonly Neighbour[] = [
  wsWithPath,
  wsNoServer,
  socketIo,
  graphqlWs,
  vite,
  hono,
  fastify,
];
