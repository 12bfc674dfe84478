import assert from 'node:assert/strict';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, it } from 'node:test';
import websocket from '@fastify/websocket';
import { serve } from '@hono/node-server';
import express from 'express';
import { fastify as createFastify } from 'fastify';
import { Hono } from 'hono';
import { createServer as createVite } from 'vite';
import { attach, createSupervisor, type Failure } from '../../src/index.ts';
import { hono } from '../neighbours/hono.ts';
import { nobody, ours, Scene } from '../neighbours/scene.ts';
import { socketIo } from '../neighbours/socket-io.ts';
import { bareVite, vite } from '../neighbours/vite.ts';
import { wsNoServer } from '../neighbours/ws.ts';
import { RawPeer } from '../support/raw-peer.ts';
import { until } from '../support/until.ts';

// Goal: Mooring works on the server of each framework, whichever way you get that server, and beside several
// neighbours at once.

const h2c =
  'Host: x\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AA\r\n';

const leaving: (() => unknown)[] = [];

afterEach(async () => {
  for (const leave of leaving.splice(0).reverse()) await leave();
});

/** Attaches a supervisor that echoes. */
function supervised(server: Parameters<typeof attach>[0]): Failure[] {
  const failures: Failure[] = [];
  const supervisor = createSupervisor({
    authenticate: () => 'somebody',
    onMessage: (connection, message) => void connection.send(message),
    onFailed: (failure) => failures.push(failure),
  });
  attach(server, supervisor, { path: ours.path });
  leaving.push(() => supervisor.drain({ withinMs: 50 }));
  return failures;
}

async function echoes(port: number): Promise<void> {
  const peer = await RawPeer.open(port, { path: ours.path });
  peer.text('"hello"');
  await until(() => peer.texts.length > 0 || peer.closed, 'it echoes');
  assert.deepEqual(peer.texts, ['"hello"']);
  peer.destroy();
}

/** The answer to a request of Java's HttpClient. */
async function plainly(port: number, request: string, marker: string): Promise<void> {
  const peer = await RawPeer.connect(port);
  peer.socket.write(request);
  await until(() => peer.answer.includes(marker) || peer.closed, 'the application answers');
  assert.ok(peer.answer.includes(marker), peer.answer);
  peer.destroy();
}

const portOf = (server: { address(): unknown }) => (server.address() as AddressInfo).port;

async function listening(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  leaving.unshift(() => new Promise((resolve) => server.close(resolve)));
  return portOf(server);
}

describe('neighbours: applications', { timeout: 60_000 }, () => {
  it('Express answers plain requests', async () => {
    const app = express();
    app.use(express.text());
    app.get('/hello', (_request, response) => void response.send('hello from Express'));
    app.post('/hello', (request, response) => void response.send(`<${request.body}>`));
    const server = createServer(app);
    const failures = supervised(server);
    const port = await listening(server);
    await echoes(port);
    const body = `Content-Type: text/plain\r\nContent-Length: 4\r\nConnection: close\r\n\r\nbody`;
    await plainly(port, `GET /hello HTTP/1.1\r\n${h2c}\r\n`, 'hello from Express');
    await plainly(port, `POST /hello HTTP/1.1\r\n${h2c}${body}`, '<body>');
    await plainly(port, `GET /ours HTTP/1.1\r\nHost: x\r\n\r\n`, 'HTTP/1.1 404');
    const peer = await RawPeer.connect(port);
    peer.request({ path: nobody.path });
    await until(() => peer.closed || peer.ended, 'nobody is answered');
    assert.equal(peer.status, 404);
    peer.destroy();
    assert.deepEqual(
      failures.map(({ cause }) => cause),
      ['not-upgraded', 'wrong-path'],
    );
  });

  it('Hono on the server that serve() returns', async () => {
    const app = new Hono();
    app.get('/hello', (context) => context.text('hello from Hono'));
    const server = await new Promise<ReturnType<typeof serve>>((resolve) => {
      const served = serve({ fetch: app.fetch, port: 0, hostname: '127.0.0.1' }, () =>
        resolve(served),
      );
    });
    leaving.push(() => new Promise((resolve) => server.close(resolve)));
    supervised(server);
    await echoes(portOf(server));
    await plainly(portOf(server), `GET /hello HTTP/1.1\r\n${h2c}\r\n`, 'hello from Hono');
  });

  it('Fastify on its own server, with the streams that its tests inject', async () => {
    const app = createFastify();
    await app.register(websocket);
    app.get('/hello', () => 'hello from Fastify');
    app.get('/fastify', { websocket: true }, (socket) => socket.send('fastify'));
    const failures = supervised(app.server);
    await app.listen({ port: 0, host: '127.0.0.1' });
    leaving.unshift(() => app.close());
    await echoes(portOf(app.server));
    let text = '';
    const onInit = (socket: { on(event: 'message', heard: (data: unknown) => void): unknown }) =>
      socket.on('message', (data) => {
        text = String(data);
      });
    const injected = await app.injectWS('/fastify', {}, { onInit });
    await until(() => text === 'fastify', 'the injected client gets the answer of the route');
    injected.terminate();
    assert.deepEqual(failures, []);
  });

  it('Vite on its own server', async () => {
    const dev = await createVite({
      ...bareVite,
      server: { port: 0, host: '127.0.0.1', watch: null },
    });
    assert.ok(dev.httpServer);
    supervised(dev.httpServer);
    await dev.listen();
    leaving.unshift(() => dev.close());
    const port = portOf(dev.httpServer);
    await echoes(port);
    const peer = await RawPeer.open(port, { path: '/', headers: vite.visit.headers ?? {} });
    await until(() => peer.texts.length > 0 || peer.closed, 'Vite greets');
    assert.match(peer.texts[0] ?? '', vite.visit.hears);
    peer.destroy();
  });

  for (const order of ['before', 'after'] as const) {
    it(`several neighbours at once, attached ${order} them`, async () => {
      // Each leaves foreign requests alone, for a second at least.
      const all = [wsNoServer, vite, hono, socketIo];
      const scene = await Scene.start(all, order);
      for (const visit of [ours, ...all.map((each) => each.visit)]) await scene.visit(visit);
      assert.deepEqual([scene.failures, scene.verdicts], [[], []]);
      await scene.close();
    });
  }
});
