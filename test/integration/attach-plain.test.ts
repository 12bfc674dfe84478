import assert from 'node:assert/strict';
import { createServer, type RequestListener } from 'node:http';
import { connect as connectHttp2, createServer as createHttp2Server } from 'node:http2';
import { createServer as createSecureServer } from 'node:https';
import type { AddressInfo, Server } from 'node:net';
import { afterEach, describe, it } from 'node:test';
import { createServer as createTlsServer } from 'node:tls';
import { attach, createSupervisor, type Failure } from '../../src/index.ts';
import { connectOverTls, tlsOptions } from '../support/before-open-tls.ts';
import { ProcessWatch } from '../support/process-watch.ts';
import { RawPeer } from '../support/raw-peer.ts';
import { until } from '../support/until.ts';

// Goal: a request for another upgrade gets the same answer as before `attach`. Method: send the requests of Java's
// HttpClient and of curl --http2, byte for byte, to a server with an application behind it.

const h2c =
  'Host: x\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAEAAEAAAAIAAAAAAAMAAAAAAAQBAAAAAAUAAEAAAAYABgAA\r\n';
const get = (path: string) => `GET ${path} HTTP/1.1\r\n${h2c}\r\n`;
const post = (path: string, body: string) =>
  `POST ${path} HTTP/1.1\r\n${h2c}Content-Length: ${body.length}\r\n\r\n${body}`;

/**
 * Node.js with `shouldUpgradeCallback` handles such a request as a plain one itself. It keeps the headers and
 * loses pipelined requests behind it, with or without Mooring.
 */
const isNodeInCharge = 'shouldUpgradeCallback' in createServer();

/** Writes the requests at once, or one by one where Node.js would lose them. */
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

/** Echoes method, path and body, and records what it received. */
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

  it('a body that arrives later, in pieces, arrives whole', async () => {
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

  it('leaves no listener on a connection that asks repeatedly', async () => {
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

  it('the application answers it in the end when a listener does not handle it', async () => {
    const server = createServer(application());
    server.on('upgrade', () => {});
    attach(server, createSupervisor(), { path: '/ws' });
    const peer = await connected(await served(server));
    peer.socket.write(get('/a'));
    await until(() => peer.answer.includes('>'), 'it is answered');
    assert.match(peer.answer, /^HTTP\/1\.1 200 /);
  });

  it('works where TLS ends in front of the server', async () => {
    const server = createServer(application());
    attach(server, createSupervisor(), { path: '/ws' });
    const front = createTlsServer(tlsOptions, (socket) => server.emit('connection', socket));
    const { tls } = connectOverTls(await served(front));
    let answer = '';
    tls.on('data', (chunk) => {
      answer += chunk;
    });
    tls.write(get('/behind'));
    await until(() => answer.includes('>'), 'it is answered');
    assert.match(answer, /<GET \/behind >/);
    tls.destroy();
  });

  it('accumulates no listeners on a connection that pipelines', async () => {
    const warnings: Error[] = [];
    const onWarning = (warning: Error) => warnings.push(warning);
    process.on('warning', onWarning);
    const peer = await connected(await start('/ws'));
    const paths = Array.from({ length: 40 }, (_, index) => `/${index}`);
    peer.socket.write(paths.map(get).join(''));
    const isLast = () =>
      peer.answer.includes('<GET /39 >') || peer.answer.split('<GET').length > 40;
    const isDone = () => isLast() || (isNodeInCharge && peer.answer.includes('>'));
    await until(isDone, 'the requests are answered');
    await new Promise((resolve) => setImmediate(resolve));
    process.off('warning', onWarning);
    assert.deepEqual(
      warnings.filter(({ name }) => name !== 'MooringWarning'),
      [],
    );
  });

  const reported = (more: string, path = '/ws') => [`GET ${path} HTTP/1.1`, 'Host: x', more];
  const plainRequests: readonly [string, string[], boolean][] = [
    ['a plain GET on the path', reported('X-A: b'), true],
    [
      'what a proxy left of a handshake',
      reported('Sec-WebSocket-Key: x\r\nAccept: text/html'),
      true,
    ],
    ['a request that accepts anything', reported('Accept: */*'), true],
    ['a page that a browser opens', reported('Accept: text/html'), false],
    ['what a page fetches', reported('Accept: */*\r\nSec-Fetch-Mode: cors'), false],
    ['a query of an API on the same path', reported('Accept: application/json'), false],
    ['another path', reported('X-A: b', '/other'), false],
    ['another method', ['POST /ws HTTP/1.1', 'Host: x', 'Content-Length: 0'], false],
  ];
  for (const [title, lines, isReported] of plainRequests) {
    it(`${title} is ${isReported ? '' : 'not '}reported as not upgraded`, async () => {
      const peer = await connected(await start('/ws'));
      peer.socket.write(`${lines.join('\r\n')}\r\n\r\n`);
      await until(() => peer.answer.includes('>'), 'it is answered');
      const told = failures.map(({ address: _, ...failure }) => failure);
      const meaning = { phase: 'http', retry: 'backoff', level: 'info' };
      const expected = { cause: 'not-upgraded', path: '/ws', ...meaning, trail: [] };
      assert.deepEqual(told, isReported ? [expected] : []);
    });
  }
});

describe('attach: a server that speaks HTTP/2', { timeout: 60_000 }, () => {
  it('leaves the streams of an application alone', async () => {
    const watch = new ProcessWatch();
    const server = createHttp2Server();
    server.on('stream', (stream) => {
      setImmediate(() => {
        stream.respond({ ':status': 200 });
        stream.end('stream');
      });
    });
    attach(server, createSupervisor(), { path: '/ws' });
    assert.equal(await getOverHttp2(await served(server), '/ws'), '200 stream');
    await watch.assertQuiet();
    watch.stop();
  });

  for (const isFirst of [true, false]) {
    it(`lets the application answer its requests, attached ${isFirst ? 'before' : 'after'} it`, async () => {
      const watch = new ProcessWatch();
      const server = createHttp2Server();
      const answer = () => server.on('request', (_request, response) => response.end('request'));
      if (!isFirst) answer();
      attach(server, createSupervisor(), { path: '/ws' });
      if (isFirst) answer();
      assert.equal(await getOverHttp2(await served(server), '/ws'), '200 request');
      await watch.assertQuiet();
      watch.stop();
    });
  }
});

async function getOverHttp2(port: number, path: string): Promise<string> {
  const client = connectHttp2(`http://127.0.0.1:${port}`);
  const stream = client.request({ ':path': path });
  let status = 0;
  let body = '';
  stream.on('response', (headers) => {
    status = Number(headers[':status']);
  });
  stream.on('data', (chunk) => {
    body += chunk;
  });
  await new Promise((resolve) => stream.on('close', resolve));
  client.destroy();
  return `${status} ${body}`;
}
