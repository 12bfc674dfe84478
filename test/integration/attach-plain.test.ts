import assert from 'node:assert/strict';
import { createServer, type RequestListener } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import type { AddressInfo, Server } from 'node:net';
import { afterEach, describe, it } from 'node:test';
import { attach, createSupervisor, type Failure } from '../../src/index.ts';
import { connectOverTls, tlsOptions } from '../support/before-open-tls.ts';
import { RawPeer } from '../support/raw-peer.ts';
import { until } from '../support/until.ts';

// Goal: a request that asks for an upgrade to something else gets what it got before `attach`. Method: the requests of
// Java's HttpClient and of curl --http2, byte for byte, to a server with an application behind it.

const h2c =
  'Host: x\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAEAAEAAAAIAAAAAAAMAAAAAAAQBAAAAAAUAAEAAAAYABgAA\r\n';
const get = (path: string) => `GET ${path} HTTP/1.1\r\n${h2c}\r\n`;
const post = (path: string, body: string) =>
  `POST ${path} HTTP/1.1\r\n${h2c}Content-Length: ${body.length}\r\n\r\n${body}`;

/**
 * Node.js with `shouldUpgradeCallback` handles such a request as a plain one itself. It leaves the headers, and loses what
 * is pipelined behind it, with or without Mooring.
 */
const isNodeInCharge = 'shouldUpgradeCallback' in createServer();

/** Writes requests at once, or one after the other where Node.js would lose them. */
async function ask(
  write: (bytes: string) => unknown,
  requests: readonly string[],
  answers: () => readonly string[],
): Promise<void> {
  const batches = isNodeInCharge ? requests : [requests.join('')];
  let due = 0;
  for (const batch of batches) {
    write(batch);
    due += requests.length / batches.length;
    await until(() => answers().length === due, `${due} requests are answered`);
  }
}

const answersIn = (text: string) => text.match(/<[^>]*>/g) ?? [];

const servers: Server[] = [];
const peers: RawPeer[] = [];

afterEach(() => {
  for (const peer of peers.splice(0)) peer.destroy();
  for (const server of servers.splice(0)) server.close();
});

/** Echoes method, path and body, and keeps what it saw. */
function application(seen: string[] = []): RequestListener {
  return (request, response) => {
    let body = '';
    request.on('data', (chunk) => {
      body += chunk;
    });
    request.on('end', () => {
      const { upgrade, connection, 'http2-settings': settings } = request.headers;
      seen.push(`${upgrade} ${connection} ${settings?.length}`);
      response.end(`<${request.method} ${request.url} ${body}>`);
    });
  };
}

async function served(server: Server): Promise<number> {
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}

async function connected(port: number): Promise<RawPeer> {
  const peer = await RawPeer.connect(port);
  peers.push(peer);
  return peer;
}

describe('attach: requests that ask for another upgrade', { timeout: 60_000 }, () => {
  const failures: Failure[] = [];

  async function start(path?: string): Promise<number> {
    const server = createServer(application());
    failures.length = 0;
    const supervisor = createSupervisor({ onFailed: (failure) => failures.push(failure) });
    attach(server, supervisor, path === undefined ? {} : { path });
    return served(server);
  }

  for (const path of ['/ws', undefined]) {
    it(`GET, POST, keep-alive and pipelining work, path ${path}`, async () => {
      const peer = await connected(await start(path));
      const chunked = `PUT /c HTTP/1.1\r\n${h2c}Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n`;
      const requests = [get('/a'), post('/b', 'hello'), chunked, get('/d'), post('/e', 'x')];
      const answers = () => answersIn(peer.answer);
      await ask((bytes) => peer.socket.write(bytes), requests, answers);
      assert.deepEqual(answers(), [
        '<GET /a >',
        '<POST /b hello>',
        '<PUT /c abc>',
        '<GET /d >',
        '<POST /e x>',
      ]);
      peer.answer = '';
      peer.socket.write(get('/again'));
      await until(() => peer.answer.includes('</again'.slice(1)), 'the connection was kept');
      assert.deepEqual(failures, []);
    });
  }

  it('a body that comes later, in pieces, arrives whole', async () => {
    const peer = await connected(await start('/ws'));
    const body = 'y'.repeat(300_000);
    const request = post('/slow', body);
    peer.socket.write(request.slice(0, 400));
    await until(() => peer.socket.bytesWritten > 0, 'the head has left');
    for (let at = 400; at < request.length; at += 50_000) {
      await new Promise((resolve) => setImmediate(resolve));
      peer.socket.write(request.slice(at, at + 50_000));
    }
    await until(() => peer.answer.includes('>'), 'it is answered');
    assert.ok(peer.answer.includes(`<POST /slow ${body}>`));
  });

  it('works over TLS', async () => {
    const server = createSecureServer(tlsOptions, application());
    attach(server, createSupervisor(), { path: '/ws' });
    const { tls } = connectOverTls(await served(server));
    let answer = '';
    tls.on('data', (chunk) => {
      answer += chunk;
    });
    const answers = () => answersIn(answer);
    await ask((bytes) => tls.write(bytes), [post('/tls', 'secret'), get('/next')], answers);
    assert.deepEqual(answers(), ['<POST /tls secret>', '<GET /next >']);
    tls.destroy();
  });

  it('reaches the application without the headers that ask for the upgrade, where it was put back', async () => {
    const seen: string[] = [];
    const server = createServer(application(seen));
    attach(server, createSupervisor(), { path: '/ws' });
    const peer = await connected(await served(server));
    peer.socket.write(get('/a'));
    await until(() => peer.answer.includes('>'), 'it is answered');
    const headers = isNodeInCharge ? 'h2c Upgrade, HTTP2-Settings' : 'undefined HTTP2-Settings';
    assert.deepEqual(seen, [`${headers} 48`]);
  });

  it('leaves no listener behind on a connection that asks again and again', async () => {
    const server = createServer(application());
    attach(server, createSupervisor(), { path: '/ws' });
    let listeners = () => 0;
    server.once('connection', (socket) => {
      listeners = () =>
        socket.eventNames().reduce((sum, name) => sum + socket.listenerCount(name), 0);
    });
    const peer = await connected(await served(server));
    const counts: number[] = [];
    for (let round = 0; round < 30; round += 1) {
      peer.answer = '';
      peer.socket.write(get(`/${round}`));
      await until(() => peer.answer.includes('>'), 'it is answered');
      counts.push(listeners());
    }
    assert.equal(counts.at(-1), counts[2]);
  });

  it('an upgrade listener of the host gets it as before', async () => {
    const server = createServer(application());
    server.on('upgrade', (request, socket) =>
      socket.end(`HTTP/1.1 418 ${request.headers.upgrade}\r\n\r\n`),
    );
    attach(server, createSupervisor(), { path: '/ws' });
    const port = await served(server);
    for (const path of ['/a', '/ws']) {
      const peer = await connected(port);
      peer.socket.write(get(path));
      await until(() => peer.status !== 0, 'it is answered');
      assert.match(peer.answer, /^HTTP\/1\.1 418 h2c/, path);
    }
  });

  it('a plain GET on the path of the WebSocket is reported, a page that a browser opens is not', async () => {
    const port = await start('/ws');
    const peer = await connected(port);
    const plain = (path: string, more = '') => `GET ${path} HTTP/1.1\r\nHost: x\r\n${more}\r\n`;
    peer.socket.write(
      plain('/other') + plain('/ws?a=1') + plain('/ws', 'Sec-Fetch-Mode: navigate\r\n'),
    );
    await until(() => peer.answer.split('>').length === 4, 'all are answered');
    assert.deepEqual(
      failures.map(({ cause, level, path, phase, address }) => ({
        cause,
        level,
        path,
        phase,
        address,
      })),
      [{ cause: 'not-upgraded', level: 'info', path: '/ws', phase: 'http', address: '127.0.0.1' }],
    );
  });
});
