import { tmpdir } from 'node:os';
import { createServer, type InlineConfig } from 'vite';
import type { Neighbour } from './neighbour.ts';

/** A dev server that serves only its own WebSocket, and watches no files. */
export const bareVite: InlineConfig = {
  root: tmpdir(),
  configFile: false,
  envDir: false,
  logLevel: 'silent',
  appType: 'custom',
  optimizeDeps: { noDiscovery: true },
};

/**
 * The dev server of Vite. Its own paths are those of every page, and it recognizes its clients by their
 * subprotocol.
 */
export const vite: Neighbour = {
  name: 'Vite',
  visit: {
    path: '/',
    headers: { 'Sec-WebSocket-Protocol': 'vite-hmr' },
    hears: /"type":"connected"/,
  },
  unserved: { by: 'mooring', status: 404, afterMs: 30_000 },
  hasCheck: false,
  closesServer: false,
  async start(server) {
    const dev = await createServer({
      ...bareVite,
      server: { middlewareMode: true, watch: null, ws: { server } },
    });
    server.on('request', dev.middlewares);
    return () => dev.close();
  },
};
