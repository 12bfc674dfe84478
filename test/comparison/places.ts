import { createServer, type Server } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import type { FaultLink } from '../../src/testing/fault-link.ts';
import { FaultProxy } from '../../src/testing/fault-proxy.ts';
import { RogueServer, type Script } from '../support/rogue-server.ts';

/** The place that a library is led to. */
export interface Place {
  readonly port: number;
  /** Whether anything has connected, as far as TCP. */
  isReached(): boolean;
  /** The network between both, if there is a well-behaved peer behind it. */
  readonly link?: () => FaultLink;
  stop(): Promise<void>;
}

/**
 * The port of a service that does not run here. A port that was free a moment ago may be assigned to another
 * process meanwhile.
 */
const PORT_OF_NOBODY = 1;

/** A port on which nothing listens. */
export async function nobody(): Promise<Place> {
  return { port: PORT_OF_NOBODY, isReached: () => false, stop: async () => {} };
}

/** A server that follows only its script. */
export async function roguePlace(script: Script): Promise<Place> {
  const server = await RogueServer.start(script);
  const { port } = server;
  return { port, isReached: () => server.visits > 0, stop: () => server.stop() };
}

/** The peer that a library is made for, behind a network that can break. */
export async function soundPeer(attach: (server: Server) => void): Promise<Place> {
  const server = createServer();
  const sockets = new Set<Socket>();
  server.on('connection', (socket) => sockets.add(socket));
  attach(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const proxy = await FaultProxy.start({ port: (server.address() as AddressInfo).port });
  return {
    port: proxy.port,
    isReached: () => proxy.links.length > 0,
    link: () => onlyOne(proxy.links),
    async stop() {
      await proxy.close();
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function onlyOne(links: readonly FaultLink[]): FaultLink {
  const [link, ...others] = links;
  if (link === undefined || others.length > 0) throw new Error(`${links.length} links, not one`);
  return link;
}
