// Goal: a function that returns a promise rejects and never throws, so that one `catch` is enough. A second drain with
// other options warns. Method: call every such function of both sides with wrong arguments.
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { z } from 'zod';
import { type Client, createClient, createPool } from '../../src/client/index.ts';
import {
  attach,
  type Connection,
  createSupervisor,
  listen,
  type Supervisor,
} from '../../src/index.ts';
import { until } from '../support/until.ts';

type Warning = Error & { code?: string };
type Call = (...given: unknown[]) => unknown;

const supervisor: Supervisor<unknown, unknown, unknown> = createSupervisor({
  sends: z.object({ text: z.string() }) as z.ZodType<unknown>,
});
supervisor.events$.subscribe();
const server = createServer();
let client: Client;
let accepted: Connection<unknown, unknown, unknown>;
let url = '';

before(async () => {
  attach(server, supervisor, { path: '/ws' });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `ws://127.0.0.1:${(server.address() as AddressInfo).port}/ws`;
  client = createClient(url);
  await until(() => client.status.state === 'up' && supervisor.counts.open === 1, 'it is up');
  [accepted] = supervisor.connections as Iterable<typeof accepted> as [typeof accepted];
});

after(async () => {
  await client.close();
  await supervisor.drain({ withinMs: 200 });
  server.close();
});

/** The error of the rejection. Fails for a thrown error. */
async function rejection(call: Call, args: unknown[]): Promise<{ code?: string }> {
  let promise: unknown;
  try {
    promise = call(...args);
  } catch (thrown) {
    assert.fail(`thrown: ${thrown}`);
  }
  assert.ok(promise instanceof Promise, 'a promise');
  return promise.then(
    () => assert.fail('resolved'),
    (reason) => reason,
  );
}

describe('a function that returns a promise', () => {
  const cyclic: Record<string, unknown> = {};
  cyclic['self'] = cyclic;
  const bind = (owner: object, name: string): Call =>
    ((owner as Record<string, Call>)[name] as Call).bind(owner);

  const calls: [string, () => Call, unknown[], string][] = [
    ['supervisor.drain', () => bind(supervisor, 'drain'), [{ withinMs: -1 }], 'invalid-options'],
    ['supervisor.drain', () => bind(supervisor, 'drain'), [null], 'invalid-options'],
    ['supervisor.drain', () => bind(supervisor, 'drain'), [{ code: 1005 }], 'invalid-close'],
    ['listen', () => listen as Call, [], 'invalid-argument'],
    ['listen', () => listen as Call, [supervisor, { port: -1 }], 'invalid-options'],
    ['listen', () => listen as Call, [supervisor, { path: 'ws' }], 'invalid-options'],
    ['connection.sendAndFlush', () => bind(accepted, 'sendAndFlush'), [{}], 'invalid-message'],
    ['client.sendAndFlush', () => bind(client, 'sendAndFlush'), [cyclic], 'unencodable-message'],
    ['client.sendAndFlush', () => bind(client, 'sendAndFlush'), [1, { que: 1 }], 'invalid-options'],
    [
      'dialed.sendAndFlush',
      () => bind(client.connection as object, 'sendAndFlush'),
      [cyclic],
      'unencodable-message',
    ],
    ['client.close', () => bind(client, 'close'), [1005], 'invalid-close'],
    ['client.close', () => bind(client, 'close'), [1000, 7], 'invalid-close'],
  ];
  for (const [name, call, args, code] of calls) {
    it(`rejects with ${code}: ${name}`, async () => {
      assert.equal((await rejection(call(), args)).code, code);
      assert.equal(supervisor.state, 'admitting');
      assert.equal(client.status.state, 'up');
    });
  }

  it('rejects with the fault: pool.drain', async () => {
    const pool = createPool([url]);
    const drain = bind(pool, 'drain');
    for (const options of [null, { within: 1 }, { withinMs: 0 }]) {
      assert.equal((await rejection(drain, [options])).code, 'invalid-options');
    }
    assert.equal((await rejection(drain, [{ code: 1006 }])).code, 'invalid-close');
    assert.notEqual(pool.status.state, 'draining');
    await pool.drain();
  });
});

describe('a second drain', () => {
  async function warningsOf(run: () => Promise<unknown>): Promise<string[]> {
    const warnings: Warning[] = [];
    const note = (warning: Warning) => warnings.push(warning);
    process.on('warning', note);
    await run();
    await new Promise((resolve) => setImmediate(resolve));
    process.off('warning', note);
    return warnings.map(({ code, message }) => `${code} ${message}`);
  }

  const drained: [string, () => { drain(options?: object): Promise<unknown> }][] = [
    ['supervisor', () => createSupervisor()],
    ['pool', () => createPool([url])],
  ];
  for (const [name, make] of drained) {
    it(`causes a warning that names other options: ${name}`, async () => {
      const told = await warningsOf(async () => {
        const it = make();
        const first = it.drain({ withinMs: 100, reason: 'bye' });
        const second = it.drain({ withinMs: 200, reason: 'bye', code: 4000 });
        assert.equal(await second, await first);
      });
      assert.deepEqual(told, [
        'MOORING_DRAIN_OPTIONS drain was called again with different options (withinMs, code), which are ignored: the drain has begun',
      ]);
    });

    it(`causes no warning with the same options, or none: ${name}`, async () => {
      const told = await warningsOf(async () => {
        const it = make();
        await it.drain({ withinMs: 100, code: 4000 });
        await it.drain({ withinMs: 100, code: 4000, reason: undefined });
        await it.drain({});
        await it.drain();
      });
      assert.deepEqual(told, []);
    });
  }
});
