// Goal: the recipes for operations survive new tokens, unavailable issuers, and restarts. Method: a real upstream, and
// a real nginx with the configuration of the page.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { behindNginx } from '../../docs/examples/recipes/nginx.ts';
import {
  type Credential,
  Credentials,
  createWorker,
} from '../../docs/examples/recipes/upstream-credentials.ts';
import { createClient, type Ending } from '../../src/client/index.ts';
import { createSupervisor, type Failure } from '../../src/index.ts';
import { selfSigned } from '../support/certificate.ts';
import { type Changes, Nginx } from '../support/nginx.ts';
import { PlainClient, refusedWith } from '../support/plain-client.ts';
import { noted, served, shortly } from '../support/served.ts';
import { stopsAndWatch } from '../support/stops.ts';
import { until } from '../support/until.ts';

const stops = stopsAndWatch();

describe('docs/recipes/upstream-credentials.md', () => {
  /** An upstream that accepts the latest token, and a worker that dials it. */
  async function works(issue: (latest: () => Credential) => Promise<Credential>) {
    let latest = 'token-0';
    let issued = 0;
    const results: unknown[] = [];
    const endings: Ending[] = [];
    const supervisor = createSupervisor({
      authenticate: ({ headers }) =>
        headers.authorization === `Bearer ${latest}` ? 'worker' : null,
      onMessage: (_connection, message) => void results.push(message),
    });
    const url = await served(supervisor, stops);
    const credentials = new Credentials(() => {
      issued += 1;
      return issue(() => ({ token: latest, expiresAt: Date.now() + 3_600_000 }));
    });
    const pool = createWorker([url], credentials, async (input) => `<${input}>`);
    pool.endings$.subscribe((ending) => endings.push(ending));
    stops.add(() => pool.drain({ withinMs: 500 }));
    const up = () => until(() => pool.status.open === 4, 'all members are up');
    const rotate = (token: string) => {
      latest = token;
    };
    return { supervisor, results, endings, up, rotate, issued: () => issued };
  }

  it('shares one token, and works', async () => {
    const { supervisor, results, endings, up, issued } = await works(async (latest) => latest());
    await up();
    supervisor.broadcast({ id: '7', input: 'a' });
    await until(() => results.length === 4, 'each connection answers');
    assert.deepEqual(results[0], { id: '7', output: '<a>' });
    assert.deepEqual([issued(), endings], [1, []]);
  });

  it('reconnects with a new token when the upstream refuses the old one', async () => {
    const { supervisor, endings, up, rotate, issued } = await works(async (latest) => latest());
    await up();
    rotate('token-1');
    for (const connection of supervisor.connections) connection.close(3000, 'expired');
    await until(() => supervisor.counts.closed === 4, 'all are closed');
    await up();
    assert.ok(shortly(endings).includes('401'));
    // At least one, and no more than one for each refusal.
    assert.ok(issued() > 1 && issued() <= 5, `${issued()} tokens`);
  });

  it('asks again after the issuer was unavailable', async () => {
    let asked = 0;
    const { endings, up } = await works(async (latest) => {
      asked += 1;
      if (asked === 1) throw new Error('the issuer is unavailable');
      return latest();
    });
    await up();
    assert.deepEqual(new Set(shortly(endings)), new Set(['target-error']));
  });

  it('renews shortly before a token expires, with one request at a time', async () => {
    let issued = 0;
    const credentials = new Credentials(async () => {
      issued += 1;
      // The first is about to expire.
      return { token: `token-${issued}`, expiresAt: Date.now() + (issued === 1 ? 4_000 : 60_000) };
    });
    const three = () => Promise.all([1, 2, 3].map(() => credentials.token()));
    assert.deepEqual(await three(), ['token-1', 'token-1', 'token-1']);
    assert.deepEqual(await three(), ['token-2', 'token-2', 'token-2']);
    assert.deepEqual(await three(), ['token-2', 'token-2', 'token-2']);
  });
});

describe('docs/recipes/nginx.md', () => {
  async function processBehindNginx(at = 0) {
    const process = behindNginx(['localhost']);
    const failures: Failure[] = [];
    process.supervisor.events$.subscribe((event) => {
      if (event.type === 'connection.failed') failures.push(event.failure);
    });
    await new Promise<void>((resolve) => process.server.listen(at, '127.0.0.1', resolve));
    stops.add(async () => {
      const { supervisor } = process;
      const isOver = supervisor.state === 'draining' || supervisor.state === 'stopped';
      if (!isOver) await supervisor.drain({ withinMs: 500 });
      process.server.close();
      process.server.closeAllConnections();
    });
    const { port } = process.server.address() as AddressInfo;
    return { ...process, port, failures };
  }

  async function scene(changes: Changes = {}) {
    const { key, cert } = selfSigned('localhost');
    const folder = mkdtempSync(join(tmpdir(), 'mooring-tls-'));
    const [certFile, keyFile] = [join(folder, 'cert.pem'), join(folder, 'cert.key')];
    writeFileSync(certFile, cert);
    writeFileSync(keyFile, key);
    stops.add(() => rmSync(folder, { recursive: true }));
    const both = [await processBehindNginx(), await processBehindNginx()] as const;
    const places = {
      ':3000': `:${both[0].port}`,
      ':3001': `:${both[1].port}`,
      '/etc/ssl/example.com.pem': certFile,
      '/etc/ssl/example.com.key': keyFile,
    };
    const nginx = await stops.started(
      Nginx.startOf('recipes/nginx.md', 'listen 443', { ...places, ...changes }),
    );
    const url = `wss://localhost:${nginx.port}/ws`;
    return { both, url, cert, origin: `https://localhost:${nginx.port}` };
  }

  it('admits pages of the site over TLS, with the address of the client', async () => {
    const { url, cert, origin } = await scene();
    const page = await PlainClient.open(url, { ca: cert, origin, localAddress: '127.0.0.2' });
    assert.deepEqual(await page.hears(1), [{ address: '127.0.0.2' }]);
    await page.close();
    assert.equal(await refusedWith(url, { ca: cert, origin: 'https://evil.example' }), 403);
  });

  it('spreads clients, and moves them to another process when one drains', async () => {
    const { both, url, cert } = await scene();
    const clients = [1, 2, 3, 4].map(() =>
      noted(createClient(url, { connect: { ca: cert } }), stops),
    );
    const open = () => both.map(({ supervisor }) => supervisor.counts.open);
    await until(() => open().join() === '2,2', 'two clients in each process');
    const stopped = both[0].stop();
    await until(() => open().join() === '0,4', 'all are in the other process');
    await stopped;
    const endings = clients.flatMap((client) => shortly(client.endings));
    assert.deepEqual(endings, ['1001 draining', '1001 draining']);
  });

  it('moves clients back and forth while each process restarts in turn, without a failed attempt', async () => {
    const { both, url, cert } = await scene();
    const clients = Array.from({ length: 8 }, () =>
      noted(createClient(url, { connect: { ca: cert } }), stops),
    );
    let running = [...both];
    const open = () => running.map(({ supervisor }) => supervisor.counts.open);
    await until(() => open().join() === '4,4', 'four clients in each process');
    for (const index of [0, 1]) {
      const old = running[index] as (typeof running)[number];
      await old.stop();
      await until(() => open()[1 - index] === 8, 'all are in the other process');
      const fresh = await processBehindNginx(old.port);
      running = running.map((one, at) => (at === index ? fresh : one));
    }
    await until(() => open()[0] === 8, 'all are in the new process');
    const endings = clients.flatMap((client) => shortly(client.endings));
    assert.deepEqual(new Set(endings), new Set(['1001 draining']));
  });

  it('selects the process with the fewest, and none that answers 503', async () => {
    const { both, url, cert } = await scene();
    const [first, second] = both.map(({ supervisor }) => supervisor);
    const visit = () => PlainClient.open(url, { ca: cert });
    const open = () => [first?.counts.open, second?.counts.open].join();
    for (const _client of [1, 2, 3, 4]) await visit();
    await until(() => open() === '2,2', 'two in each');
    for (const connection of first?.connections ?? []) connection.close();
    await until(() => open() === '0,2', 'the first is empty');
    for (const expected of ['1,2', '2,2']) {
      await visit();
      await until(() => open() === expected, expected);
    }
    second?.suspend();
    for (const _client of [1, 2, 3]) await visit();
    await until(() => open() === '5,2', 'nobody was refused');
  });

  it('reports that the headers for the upgrade are missing', async () => {
    const { both, url, cert } = await scene({ 'proxy_set_header Upgrade $http_upgrade;': '' });
    assert.equal(await refusedWith(url, { ca: cert }), 404);
    const causes = both.flatMap(({ failures }) => failures.map(({ cause }) => cause));
    assert.deepEqual(causes, ['not-upgraded']);
  });
});

describe('docs/recipes/testing.md', async () => {
  // Importing the tests runs them.
  await import('../../docs/examples/recipes/testing.ts');
});
