import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, get } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { type Listener, type ListenOptions, listen } from '../../src/index.ts';
import { answerOf } from '../support/before-open-answer.ts';
import { Premises, socketsOf } from '../support/before-open-premises.ts';
import { RawPeer } from '../support/raw-peer.ts';
import { resources } from '../support/service.ts';
import { until } from '../support/until.ts';

const HEADERS_TIMEOUT_MS = 10_000;
/** Timeouts that are short enough for a test, on the real server. */
const SHORT_MS = 300;

let premises: Premises;
let listener: Listener | undefined;

beforeEach(async () => {
  premises = await Premises.start();
});

afterEach(async () => {
  listener?.server.closeAllConnections();
  await listener?.close();
  listener = undefined;
  await premises.close();
});

async function listenHere(options: ListenOptions = {}) {
  const made = await listen(premises.service.supervisor, { path: '/ws', ...options });
  listener = made;
  return { ...made, sockets: socketsOf(made.server) };
}

describe('before open: servers that listen made', { timeout: 60_000 }, () => {
  it('A07: a client that sends nothing is cut with 408 at the headers timeout', async () => {
    const { server, port, sockets } = await listenHere();
    assert.equal(server.headersTimeout, HEADERS_TIMEOUT_MS);
    assert.ok(checkingIntervalOf(server) <= 5_000);
    server.headersTimeout = SHORT_MS;
    const peer = await premises.connect({ port });
    await until(() => peer.closed || peer.ended, 'the connection is cut');
    assert.equal(peer.status, 408);
    await until(() => sockets.size === 0, 'the server holds no socket');
    assertNobodyCame();
  });

  it('A07b: dripping headers are cut at the same time, however they drip', async () => {
    const { server, port, sockets } = await listenHere();
    server.headersTimeout = SHORT_MS;
    const peer = await premises.connect({ port });
    peer.socket.write('GET /ws HTTP/1.1\r\nHost: example.com\r\nX-Slow: ');
    const drip = setInterval(() => peer.socket.write('x'), 20);
    await until(() => peer.closed || peer.ended, 'the connection is cut').finally(() =>
      clearInterval(drip),
    );
    assert.equal(peer.status, 408);
    await until(() => sockets.size === 0, 'the server holds no socket');
    assertNobodyCame();
  });

  it('I03: a client that never sends its TLS hello is cut', async () => {
    const tlsDefault = await listen(premises.service.supervisor, { tls: {} });
    assert.equal(handshakeTimeoutOf(tlsDefault.server), HEADERS_TIMEOUT_MS);
    await tlsDefault.close();
    const { server, port, sockets } = await listenHere({ tls: { handshakeTimeout: SHORT_MS } });
    const errors: NodeJS.ErrnoException[] = [];
    server.on('tlsClientError', (error: Error) => errors.push(error));
    const peer = await premises.connect({ port });
    await until(() => peer.closed || peer.ended, 'the connection is cut');
    await until(() => sockets.size === 0, 'the server holds no socket');
    assert.deepEqual(
      errors.map(({ code }) => code),
      ['ERR_TLS_HANDSHAKE_TIMEOUT'],
    );
    assertNobodyCame();
  });

  it('I03: a client that sends something else instead is cut, too', async () => {
    const { port, sockets } = await listenHere({ tls: {} });
    const peer = await premises.connect({ port });
    peer.request();
    await until(() => peer.closed || peer.ended, 'the connection is cut');
    await until(() => sockets.size === 0, 'the server holds no socket');
    assertNobodyCame();
  });

  it('A01b: a plain GET gets 426', async () => {
    const { port } = await listenHere();
    assert.equal(await statusOf(port), 426);
    assertNobodyCame();
  });

  it('A01b: onRequest answers plain requests, and upgrades still reach the supervisor', async () => {
    const { port } = await listenHere({
      onRequest: (_request, response) => response.writeHead(204).end(),
    });
    assert.equal(await statusOf(port), 204);
    const peer = await RawPeer.open(port);
    peer.destroy();
    await premises.service.closedAs({ code: 1006, cause: 'tcp-fin', level: 'info' });
  });

  it('A11c: an upgrade to an unserved path gets 404', async () => {
    const { port } = await listenHere();
    const peer = await premises.connect({ port });
    peer.request({ path: '/nowhere' });
    assert.equal((await answerOf(peer)).status, 404);
    await premises.service.failedAs({ cause: 'wrong-path', level: 'info' });
  });

  it('A17: an address in use rejects with EADDRINUSE and leaves nothing behind', async () => {
    const { port } = premises.service;
    const before = resources();
    await assert.rejects(listen(premises.service.supervisor, { port }), { code: 'EADDRINUSE' });
    assert.deepEqual(resources(), before);
    assert.equal(premises.service.supervisor.state, 'admitting');
    assertNobodyCame();
  });

  it('A17: a foreign address rejects with the error of the system', async () => {
    const { supervisor } = premises.service;
    await assert.rejects(listen(supervisor, { host: '192.0.2.1' }), { code: 'EADDRNOTAVAIL' });
    assertNobodyCame();
  });

  it('A17b: an address is available as soon as the other server closes', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    const { port } = other.address() as AddressInfo;
    await assert.rejects(listen(premises.service.supervisor, { port }), { code: 'EADDRINUSE' });
    await new Promise((resolve) => other.close(resolve));
    await listenHere({ port });
    assert.equal(listener?.port, port);
    assert.equal(await statusOf(port), 426);
  });

  it('A07: a client that sends nothing never keeps the server from closing', async () => {
    const { port, sockets, close } = await listenHere();
    const peer = await premises.connect({ port });
    await until(() => sockets.size === 1, 'the server has the connection');
    let isClosed = false;
    const closing = close().then(() => {
      isClosed = true;
    });
    try {
      await until(() => isClosed, 'the server is closed', HEADERS_TIMEOUT_MS + 5_000);
    } finally {
      peer.destroy();
      await closing;
    }
  });
});

function statusOf(port: number): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    get({ port, host: '127.0.0.1', agent: false }, (response) => {
      response.resume();
      response.on('end', () => resolve(response.statusCode));
    }).on('error', reject);
  });
}

/** Node.js has no public way to read these two values. */
function checkingIntervalOf(server: object): number {
  return (server as { connectionsCheckingInterval: number }).connectionsCheckingInterval;
}

function handshakeTimeoutOf(server: object): unknown {
  const key = Object.getOwnPropertySymbols(server).find(
    ({ description }) => description === 'handshake-timeout',
  );
  return key && (server as Record<symbol, unknown>)[key];
}

function assertNobodyCame(): void {
  assert.deepEqual(premises.service.events, []);
  assert.deepEqual(premises.service.calls, []);
}
