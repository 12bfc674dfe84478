// Goal: the guide is right about proxies. Method: real nginx runs the configuration of the guide, on a port other than
// 80, with only paths and durations changed. `addressOf` is the function in the guide.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { get } from 'node:http';
import { afterEach, describe, it } from 'node:test';
import { type ClientOptions, WebSocket } from 'ws';
import { createClient, type Ending } from '../../src/client/index.ts';
import type { AdmissionOptions, SupervisorOptions } from '../../src/index.ts';
import { type Changes, Nginx } from '../support/nginx.ts';
import { Service } from '../support/service.ts';
import { until } from '../support/until.ts';
import { faultless } from '../support/verdicts.ts';

const GUIDE = new URL('../../../docs/guide/embedding.md', import.meta.url);
const OTHER_ADDRESS = '127.0.0.2';
const READ_TIMEOUT = { 'proxy_read_timeout 60s': 'proxy_read_timeout 2s' };
const READ_TIMEOUT_MS = 2_000;

let service: Service;
let nginx: Nginx;

async function start(
  options: SupervisorOptions<unknown, unknown, unknown> = {},
  changes: Changes = {},
): Promise<void> {
  service = await Service.start({ admission: admissionOfGuide(), ...options });
  nginx = await Nginx.start(service.port, changes);
}

async function stop(): Promise<void> {
  await nginx.stop();
  await service.stop();
}

/** The options in the chapter on proxies, which are plain JavaScript. */
function admissionOfGuide(): AdmissionOptions {
  const [, chapter = ''] = readFileSync(GUIDE, 'utf8').split('## Behind a reverse proxy');
  const [, options = ''] = /createSupervisor\((\{.*?\n\})\);/s.exec(chapter) ?? [];
  return new Function(`return ${options}`)().admission;
}

const ownOrigin = () => `http://127.0.0.1:${nginx.port}`;

function dial(options: ClientOptions = {}): WebSocket {
  return new WebSocket(`ws://127.0.0.1:${nginx.port}/ws`, { origin: ownOrigin(), ...options });
}

async function opened(options: ClientOptions = {}): Promise<WebSocket> {
  const socket = dial(options);
  await once(socket, 'open');
  return socket;
}

/** The status of an answer that is not 101. */
async function refusedWith(options: ClientOptions = {}): Promise<number | undefined> {
  const [request, response] = await once(dial(options), 'unexpected-response');
  request.destroy();
  return response.statusCode;
}

/** How a connection that nginx cuts ends. */
const cut = {
  ...faultless,
  code: 1006,
  origin: 'network',
  layer: 'tcp',
  clean: false,
  cause: 'tcp-fin',
  retry: 'backoff',
  level: 'info',
} as const;

describe('behind nginx as the guide configures it', { timeout: 60_000 }, () => {
  afterEach(stop);

  it('admits a page of the same origin, and passes messages', async () => {
    await start({ onMessage: (connection, message) => void connection.send(message) });
    const socket = await opened();
    socket.send('"through"');
    const [data] = await once(socket, 'message');
    assert.equal(String(data), '"through"');
    socket.close(1000, 'bye');
    await service.closedAs({ code: 1000, reason: 'bye', cause: 'peer-close', level: 'info' });
  });

  it('refuses a foreign page with 403', async () => {
    await start();
    assert.equal(await refusedWith({ origin: 'http://example.com' }), 403);
    assert.equal(await refusedWith({ origin: 'http://127.0.0.1' }), 403);
    assert.deepEqual(
      service.of('connection.failed').map(({ failure }) => failure.cause),
      ['wrong-origin', 'wrong-origin'],
    );
  });

  it('would refuse its own page if Host arrived without the port', async () => {
    await start({}, { $http_host: '$host' });
    assert.equal(await refusedWith(), 403);
  });

  it('would refuse every page if the headers of the upgrade were missing', async () => {
    await start({}, { 'proxy_set_header Upgrade $http_upgrade;': '' });
    assert.equal(await refusedWith(), 426);
  });

  it('passes plain requests on', async () => {
    await start();
    service.server.on('request', (request, response) => response.end(request.headers.host));
    const [response] = await once(get(`${ownOrigin()}/plain`), 'response');
    assert.equal(response.statusCode, 200);
    assert.equal(String((await once(response, 'data'))[0]), `127.0.0.1:${nginx.port}`);
  });

  it('forwards the address of the client, whatever the client claims', async () => {
    await start();
    const claims = { 'X-Forwarded-For': '203.0.113.9, 198.51.100.7' };
    const sockets = [
      await opened(),
      await opened({ localAddress: OTHER_ADDRESS }),
      await opened({ localAddress: OTHER_ADDRESS, headers: claims }),
    ];
    const addresses = service.of('connection.opened').map(({ connection }) => connection.address);
    assert.deepEqual(addresses, ['127.0.0.1', OTHER_ADDRESS, OTHER_ADDRESS]);
    for (const socket of sockets) socket.close();
  });

  it('counts clients by that address', async () => {
    await start({ admission: { ...admissionOfGuide(), connectionsPerAddressMax: 1 } });
    const sockets = [await opened(), await opened({ localAddress: OTHER_ADDRESS })];
    assert.equal(await refusedWith({ localAddress: OTHER_ADDRESS }), 429);
    for (const socket of sockets) socket.close();
  });

  it('keeps an idle connection, because the heartbeat is faster than its timeout', async () => {
    await start({ heartbeat: { intervalMs: 200, graceMs: 10_000 } }, READ_TIMEOUT);
    const began = performance.now();
    const socket = await opened();
    await until(() => performance.now() - began > 2 * READ_TIMEOUT_MS, 'it was idle for long');
    assert.equal(socket.readyState, WebSocket.OPEN);
    socket.close(1000);
    await service.closedAs({ code: 1000, cause: 'peer-close', level: 'info' });
  });

  it('cuts an idle connection whose heartbeat is slower: one verdict', async () => {
    await start({}, READ_TIMEOUT);
    const socket = await opened();
    await once(socket, 'close');
    const { openMs } = await service.closedAs(cut);
    assert.ok(openMs >= READ_TIMEOUT_MS - 100, `${openMs} ms`);
  });

  it('passes the close frame of a drain on to the client', async () => {
    await start();
    const socket = await opened();
    const closed = once(socket, 'close');
    const { closed: count } = await service.supervisor.drain();
    assert.equal(count, 1);
    const [code, reason] = await closed;
    assert.deepEqual([code, String(reason)], [1001, 'draining']);
    await service.closedAs({ code: 1001, cause: 'drain', clean: true, level: 'info' });
  });

  it('keeps its WebSockets after `nginx -s quit`, then cuts them: one verdict', async () => {
    const changes = { 'worker_shutdown_timeout 60s': 'worker_shutdown_timeout 3s' };
    await start({ onMessage: (connection, message) => void connection.send(message) }, changes);
    const socket = await opened();
    nginx.quit();
    socket.send('"still here"');
    assert.equal(String((await once(socket, 'message'))[0]), '"still here"');
    await service.closedAs(cut);
  });

  it('ends its WebSockets when it stops at once: one verdict', async () => {
    await start();
    await opened();
    await nginx.stop();
    await service.closedAs(cut);
  });

  it('lets a client of Mooring report once that the service is gone, and then the answers of nginx', async () => {
    await start();
    const backoff = { minMs: 20, maxMs: 100 };
    await using client = createClient(`ws://127.0.0.1:${nginx.port}/ws`, { backoff });
    const endings: Ending[] = [];
    client.endings$.subscribe((ending) => endings.push(ending));
    const connection = await service.opened();
    service.server.close();
    connection.terminate();
    await until(() => endings.length > 2, 'it tries to reconnect');
    const [lost, ...refused] = endings.map((ending) =>
      ending.outcome === 'closed' ? ending.verdict.cause : ending.failure.httpStatus,
    );
    assert.equal(lost, 'tcp-fin');
    assert.deepEqual(new Set(refused), new Set([502]));
    await service.closedAs({ cause: 'terminate', level: 'info' });
  });
});
