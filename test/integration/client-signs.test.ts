// Goal: a host without a DOM can report what a page reports by its events. Method: an application that keeps the
// callbacks of `signs`, and a server of plain ws; in Node.js, and over the WebSocket of a page.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { WebSocket as UndiciWebSocket } from 'undici';
import { createClient as createPageClient } from '../../src/client/browser.ts';
import {
  type Client,
  type ClientOptions,
  createClient,
  createPool,
  type HostSigns,
  type Resolvable,
} from '../../src/client/index.ts';
import { FeedServer, hung } from '../support/feed-server.ts';
import { stopsAndWatch } from '../support/stops.ts';
import { turns, until } from '../support/until.ts';

const stops = stopsAndWatch();
const page = globalThis as { WebSocket?: unknown; addEventListener?: unknown };
const native = page.WebSocket;

before(() => {
  page.WebSocket = UndiciWebSocket;
});
after(() => {
  page.WebSocket = native;
});

/** A host whose state the test sets. */
class FakeHost {
  readonly log: string[] = [];
  signs: HostSigns | null = null;

  readonly watch = (signs: HostSigns) => {
    this.log.push('watched');
    this.signs = signs;
    return () => void this.log.push('unwatched');
  };
}

const backoff = { minMs: 60_000, maxMs: 60_000 };
const random = () => 0.99;

type Create = (url: Resolvable<string>, options: ClientOptions) => Client;

function dial(create: Create, url: Resolvable<string>, options: ClientOptions = {}) {
  const host = new FakeHost();
  const client = create(url, { backoff, random, signs: host.watch, ...options });
  stops.add(() => client.close());
  const errors: string[] = [];
  client.events$.subscribe((event) => {
    if (event.type === 'handler.errored') errors.push(`${event.handler}: ${event.error.message}`);
  });
  const reaches = (state: string) =>
    until(() => client.status.states.includes(state), `it is ${state}`);
  return { host, client, errors, reaches };
}

const kinds: readonly [string, Create][] = [
  ['in Node.js', createClient],
  ['of a page', createPageClient],
];

for (const [kind, create] of kinds) {
  describe(`the signs of the host of a client ${kind}`, () => {
    let server: FeedServer;
    const serve = async () => {
      server = await FeedServer.start(hung);
      stops.add(() => server.stop());
      return server.url;
    };

    it('are watched before the first attempt, and until the client is closed', async () => {
      const { host, client, reaches } = dial(create, await serve());
      assert.deepEqual(host.log, [], 'not before createClient has returned');
      await reaches('up');
      assert.deepEqual(host.log, ['watched']);
      await client.close();
      assert.deepEqual(host.log, ['watched', 'unwatched']);
    });

    for (const mode of ['at-once', 'on-demand'] as const) {
      it(`are watched before it dials ${mode}`, async () => {
        const url = await serve();
        const dials = () => {
          host.log.push('dials');
          return url;
        };
        const { host, client, reaches } = dial(create, dials, { dial: mode });
        client.open();
        await reaches('up');
        assert.deepEqual(host.log, ['watched', 'dials']);
      });
    }

    it('are watched while somebody needs it, if it dials on demand', async () => {
      const options = { dial: 'on-demand', idleMs: 20 } as const;
      const { host, client, reaches } = dial(create, await serve(), options);
      await turns(5);
      assert.deepEqual(host.log, []);
      client.open();
      await reaches('up');
      assert.deepEqual(host.log, ['watched']);
      await reaches('idle');
      assert.deepEqual(host.log, ['watched', 'unwatched']);
      client.open();
      await reaches('up');
      await client.close();
      assert.deepEqual(host.log, ['watched', 'unwatched', 'watched', 'unwatched']);
    });

    it('report that there is no network, and that it is back', async () => {
      const { host, client, reaches } = dial(create, await serve());
      await reaches('up');
      host.signs?.offline();
      assert.equal(client.status.state, 'up', 'the host may be wrong');
      server.sockets[0]?.terminate();
      await reaches('waiting.offline');
      host.signs?.online();
      await reaches('up');
      assert.equal(server.sockets.length, 2);
    });

    it('report that it was asleep, which probes an open connection', async () => {
      const heartbeat = { message: 'ping', expects: () => false, everyMs: 600_000 };
      const { host, reaches } = dial(create, await serve(), { heartbeat });
      await reaches('up');
      host.signs?.woke();
      await until(() => server.messages.length === 1, 'it asks for a sign of life');
    });

    it('wake up a client that waits', async () => {
      const { host, client, reaches } = dial(create, await serve());
      await reaches('up');
      server.sockets[0]?.terminate();
      await reaches('waiting.backoff');
      host.signs?.woke();
      assert.ok(client.status.states.includes('waiting.awake'));
    });

    it('are watched anew when it dials after giving up, and old callbacks have no effect', async () => {
      const { host, client, reaches } = dial(create, await serve(), {
        retry: (_, suggested) => (server.sockets.length === 1 ? 'never' : suggested),
      });
      await reaches('up');
      const old = host.signs;
      server.sockets[0]?.terminate();
      await reaches('exhausted');
      assert.deepEqual(host.log, ['watched', 'unwatched']);
      client.dialNow();
      await reaches('up');
      await until(() => host.log.length === 3, 'it watches again');
      old?.offline();
      server.sockets[1]?.terminate();
      await reaches('waiting.backoff');
      await client.close();
      assert.deepEqual(host.log, ['watched', 'unwatched', 'watched', 'unwatched']);
    });

    it('are never watched by a client that is closed at once', async () => {
      const { host, client } = dial(create, await serve());
      await client.close();
      await turns(5);
      assert.deepEqual(host.log, []);
    });

    it('are released also when the function that watches closes the client', async () => {
      const log: string[] = [];
      const { client }: { client: Client } = dial(create, await serve(), {
        signs: () => {
          void client.close();
          return () => void log.push('unwatched');
        },
      });
      await until(() => client.status.state === 'stopped', 'it is closed');
      await until(() => log.length > 0, 'it is released');
      assert.deepEqual(log, ['unwatched']);
    });

    it('report what the functions of the application throw', async () => {
      const url = await serve();
      const throwing = (text: string) => () => {
        throw new Error(text);
      };
      const one = dial(create, url, { signs: throwing('no host') });
      const other = dial(create, url, { signs: () => throwing('no end') });
      await Promise.all([one.reaches('up'), other.reaches('up')]);
      await other.client.close();
      assert.deepEqual([one.errors, other.errors], [['signs: no host'], ['signs: no end']]);
    });
  });
}

describe('the signs of a page', () => {
  it('replace its events', async () => {
    const heard: string[] = [];
    const before = page.addEventListener;
    page.addEventListener = (type: string) => void heard.push(type);
    stops.add(() => {
      page.addEventListener = before;
    });
    dial(createPageClient, 'ws://127.0.0.1:1/');
    await turns(5);
    assert.equal(heard.length, 0);
    const client = createPageClient('ws://127.0.0.1:1/');
    stops.add(() => client.close());
    await until(() => heard.includes('online'), 'it listens to the page');
  });
});

describe('a pool', () => {
  it('watches the host for each of its members', async () => {
    const server = await FeedServer.start(hung);
    stops.add(() => server.stop());
    const host = new FakeHost();
    const pool = createPool([server.url], { size: 2, signs: host.watch });
    await until(() => pool.status.open === 2, 'it is filled');
    await pool.drain();
    assert.deepEqual(host.log, ['watched', 'watched', 'unwatched', 'unwatched']);
  });
});
