// Goal: no header, URL or credential outlives the client that had it. Method: create and close clients and pools with
// unique secrets. Then nothing may hold their options, and the heap must not contain the text of their credentials.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { getHeapSnapshot } from 'node:v8';
import { type Client, createClient, createPool } from '../../src/client/index.ts';
import { attach, createSupervisor } from '../../src/index.ts';
import { untilCollected } from '../support/garbage.ts';
import { until } from '../support/until.ts';

type Options = NonNullable<Parameters<typeof createClient>[1]>;

describe('the options of a client', () => {
  const supervisor = createSupervisor();
  supervisor.events$.subscribe();
  let server: Server;
  let url = '';

  before(async () => {
    server = createServer();
    attach(server, supervisor, { path: '/ws' });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    url = `ws://127.0.0.1:${(server.address() as AddressInfo).port}/ws`;
  });
  after(async () => {
    await supervisor.drain({ withinMs: 200 });
    server.close();
  });

  /** Every option that is an object, made for one client. */
  function belongings() {
    const credential = { token: 'secret' };
    return {
      headers: { authorization: 'Bearer secret' },
      signal: new AbortController().signal,
      connect: { servername: 'localhost' },
      onOpen: () => credential,
      privateCodes: () => (credential.token === '' ? 'now' : 'backoff') as 'backoff',
      random: () => (credential.token === '' ? 1 : 0.5),
      subprotocols: [] as string[],
    } satisfies Options;
  }

  const refsTo = (options: object) =>
    Object.values(options)
      .filter((value) => ['object', 'function'].includes(typeof value))
      .map((value: object) => new WeakRef(value));

  async function comeAndGo(options: Options, to: string | (() => string) = url): Promise<void> {
    const client: Client = createClient(to, options);
    await until(() => client.status.state === 'up', 'it is up');
    await client.close();
  }

  it('are released when it is closed', async () => {
    const dial = async () => {
      const options = belongings();
      await comeAndGo(options);
      return refsTo(options);
    };
    await untilCollected(await dial());
  });

  it('are released also when another was created after it, and when it never opened', async () => {
    const dial = async () => {
      const [one, other] = [belongings(), belongings()];
      await comeAndGo(one);
      const failing = createClient('ws://127.0.0.1:1/', other);
      let failed = false;
      failing.endings$.subscribe(() => {
        failed = true;
      });
      await until(() => failed, 'it failed');
      await failing.close();
      return [...refsTo(one), ...refsTo(other)];
    };
    await untilCollected(await dial());
  });

  it('are released by a pool that was drained', async () => {
    const dial = async () => {
      const options = belongings();
      const pool = createPool([url, url.replace('127.0.0.1', 'localhost')], {
        ...options,
        size: 3,
      });
      await until(() => pool.status.open === 3, 'it is full');
      await pool.drain();
      return refsTo(options);
    };
    await untilCollected(await dial());
  });

  it('appear in no string of the heap: neither the token of its URL, nor its headers', async () => {
    const dial = async () => {
      // Made at run time, and passed only to the clients, so that no source and no closure holds it.
      const secrets = Array.from({ length: 3 }, () => randomUUID());
      const [first, second, third] = secrets.map((secret) => `${url}?token=${secret}`);
      await comeAndGo({ headers: { authorization: `Bearer ${secrets[0]}` } }, first);
      await comeAndGo({}, () => String(second));
      const pool = createPool([String(third)], { size: 1 });
      await until(() => pool.status.open === 1, 'it is full');
      await pool.drain();
      // Half of each, so that the search does not keep it.
      return secrets.map((secret) => secret.slice(0, 18).split('').join(' '));
    };
    const halves = await dial();
    await until(
      () => supervisor.counts.closed >= 1 && supervisor.counts.open === 0,
      'all are gone',
    );
    await untilCollected([new WeakRef({})]);
    let found = -1;
    const attempts = 5;
    for (let attempt = 0; attempt < attempts && found !== 0; attempt += 1) {
      found = await countInHeap(halves);
    }
    assert.equal(found, 0);
  });
});

/** Counts the texts in the heap. They are given with blanks between their characters. */
async function countInHeap(spaced: readonly string[]): Promise<number> {
  const chunks: Buffer[] = [];
  for await (const chunk of getHeapSnapshot()) chunks.push(chunk as Buffer);
  const heap = Buffer.concat(chunks);
  return spaced.filter((text) => heap.includes(Buffer.from(text.replaceAll(' ', '')))).length;
}
