// Goal: a client stops reading as a server does, and a page, which cannot stop its browser, holds incoming messages
// within bounds. Method: a Mooring server that sends much at once, a client of Node.js, and the entry point for
// browsers with undici's WebSocket.
import assert from 'node:assert/strict';
import { after, afterEach, before, describe, it } from 'node:test';
import { WebSocket as UndiciWebSocket } from 'undici';
import { createClient as createPageClient } from '../../src/client/browser.ts';
import {
  type Client,
  type ClientOptions,
  createClient,
  createPool,
  type DialedConnection,
  type Ending,
} from '../../src/client/index.ts';
import type { CloseVerdict, SupervisorOptions } from '../../src/index.ts';
import { Service } from '../support/service.ts';
import { Stops } from '../support/stops.ts';
import { turns, until } from '../support/until.ts';

const stops = new Stops();
const page = globalThis as { WebSocket?: unknown };
const native = page.WebSocket;

before(() => {
  page.WebSocket = UndiciWebSocket;
});
after(() => {
  page.WebSocket = native;
});
afterEach(() => stops.all());

const upTo = (count: number) => Array.from({ length: count }, (_, n) => n);
const backoff = { minMs: 60_000, maxMs: 60_000 };

/** A server that sends each client the numbers from 0, and closes where the test specifies it. */
async function sending(count: number, options: SupervisorOptions<unknown, unknown, unknown> = {}) {
  const server = await Service.start({
    ...options,
    onOpen: (connection) => {
      for (let n = 0; n < count; n += 1) connection.send(n);
      return options.onOpen?.(connection);
    },
  });
  stops.add(() => server.stop());
  return server;
}

type Create = (url: string, options: ClientOptions) => Client;

function dial(create: Create, server: Service, options: ClientOptions) {
  const client = create(server.url, { backoff, random: () => 0.99, ...options });
  stops.add(() => client.close());
  const endings: Ending[] = [];
  const messages: unknown[] = [];
  client.endings$.subscribe((ending) => endings.push(ending));
  client.messages$.subscribe((message) => messages.push(message));
  const verdict = async (): Promise<CloseVerdict> => {
    await until(() => endings.length > 0, 'it ends');
    assert.ok(endings[0]?.outcome === 'closed');
    return endings[0].verdict;
  };
  return { client, messages, endings, verdict };
}

const isPaused = (client: Client) =>
  client.connection?.states.includes('open.intake.paused') === true;

const kinds: readonly [string, Create][] = [
  ['in Node.js', createClient],
  ['of a page', createPageClient],
];

for (const [kind, create] of kinds) {
  describe(`a client ${kind}`, () => {
    it('calls onMessage in order, before messages$ emits', async () => {
      const server = await sending(3);
      const seen: string[] = [];
      const { client } = dial(create, server, {
        onMessage: (connection, message) => {
          assert.equal(connection, client.connection);
          seen.push(`onMessage ${message}`);
        },
      });
      client.messages$.subscribe((message) => seen.push(`messages$ ${message}`));
      await until(() => seen.length === 6, 'all arrive');
      assert.deepEqual(
        seen,
        upTo(3).flatMap((n) => [`onMessage ${n}`, `messages$ ${n}`]),
      );
    });

    it('delivers nothing while it is paused, then everything in order', async () => {
      const server = await sending(500);
      const { client, messages } = dial(create, server, {
        onMessage: (connection, message) => {
          if (message === 2 || message === 7) assert.ok(connection.pause());
        },
      });
      for (const count of [3, 8]) {
        await until(() => isPaused(client), 'it is paused');
        await turns(20);
        assert.deepEqual(messages, upTo(count));
        assert.ok(client.connection?.resume());
        assert.equal(client.connection?.resume(), false);
      }
      await until(() => messages.length === 500, 'all arrive');
      assert.deepEqual(messages, upTo(500));
    });

    it('handles messages one after another with inFlightMax 1', async () => {
      const server = await sending(200);
      let running = 0;
      let most = 0;
      const { messages } = dial(create, server, {
        limits: { inFlightMax: 1 },
        onMessage: async () => {
          running += 1;
          most = Math.max(most, running);
          await turns(1);
          running -= 1;
        },
      });
      await until(() => messages.length === 200, 'all arrive');
      assert.deepEqual(messages, upTo(200));
      assert.equal(most, 1);
    });

    it('reads no faster than messagesPerSecondMax, and loses nothing', async () => {
      const server = await sending(60);
      const startedAt = performance.now();
      const { messages } = dial(create, server, {
        limits: { messagesPerSecondMax: 100, messageBurstMax: 10 },
      });
      await until(() => messages.length === 60, 'all arrive');
      assert.deepEqual(messages, upTo(60));
      assert.ok(performance.now() - startedAt >= 490);
    });

    it("ends a connection that is too fast with overRate 'close'", async () => {
      const server = await sending(60);
      const { messages, verdict } = dial(create, server, {
        overRate: 'close',
        limits: { messagesPerSecondMax: 1, messageBurstMax: 10 },
      });
      assert.equal((await verdict()).cause, 'message-rate');
      assert.deepEqual(messages, upTo(10));
    });

    it('ends a connection whose handlers have stalled', async () => {
      const server = await sending(5);
      const { messages, verdict } = dial(create, server, {
        limits: { inFlightMax: 2 },
        timeouts: { pausedMs: 100 },
        onMessage: () => new Promise(() => {}),
      });
      const { cause, origin, level, retry } = await verdict();
      assert.deepEqual(
        [cause, origin, level, retry],
        ['handler-stalled', 'local', 'error', 'backoff'],
      );
      assert.deepEqual(messages, upTo(2));
    });

    for (const [how, fails] of [
      ['throws', () => assert.fail('on purpose')],
      ['rejects', () => Promise.reject(new Error('on purpose'))],
    ] as const) {
      it(`reports an onMessage that ${how}, and ends that connection`, async () => {
        const server = await sending(5);
        const { client, verdict } = dial(create, server, { onMessage: fails });
        const errors: string[] = [];
        client.events$.subscribe((event) => {
          if (event.type === 'handler.errored')
            errors.push(`${event.handler} ${event.error.message}`);
        });
        const { cause, error } = await verdict();
        assert.deepEqual([cause, error?.message], ['handler-error', 'on purpose']);
        assert.equal(errors[0], 'onMessage on purpose');
      });
    }

    it('reports the close frame after the messages that wait', async () => {
      const server = await sending(10, {
        onOpen: (connection) => connection.close(4000, 'all said'),
      });
      const { client, messages, endings, verdict } = dial(create, server, {
        onMessage: (connection, message) => {
          if (message === 4) connection.pause();
        },
      });
      await until(() => isPaused(client), 'it is paused');
      await turns(50);
      assert.deepEqual([messages.length, endings.length], [5, 0]);
      client.connection?.resume();
      const { code, cause } = await verdict();
      assert.deepEqual([code, cause], [4000, 'peer-close']);
      assert.deepEqual(messages, upTo(10));
    });

    it('closes while it is paused, and delivers none of the waiting messages', async () => {
      const server = await sending(10);
      const { client, messages, verdict } = dial(create, server, {
        onMessage: (connection) => void connection.pause(),
      });
      await until(() => isPaused(client), 'it is paused');
      await client.close(4001, 'enough');
      const { code, cause, clean } = await verdict();
      assert.deepEqual([code, cause, clean], [4001, 'close', true]);
      assert.deepEqual(messages, [0]);
    });
  });
}

describe('a page that is paused', () => {
  const pauses: readonly [string, ClientOptions][] = [
    ['pauses', { onMessage: (connection) => void connection.pause() }],
    ['is behind', { limits: { inFlightMax: 1 }, onMessage: () => new Promise(() => {}) }],
  ];
  for (const [how, { limits, ...options }] of pauses)
    it(`D17: holds no more than payloadBytesMax when it ${how}, and ends the connection beyond it`, async () => {
      const server = await sending(1_000);
      const { client, messages, verdict } = dial(createPageClient, server, {
        limits: { ...limits, payloadBytesMax: 20_000 },
        ...options,
      });
      const { cause, origin, level, retry, sent } = await verdict();
      assert.deepEqual(
        [cause, origin, level, retry],
        ['reader-too-slow', 'local', 'error', 'backoff'],
      );
      // A page may send 1000 and private codes only.
      assert.deepEqual(sent, { code: 1005, reason: '' });
      assert.deepEqual(messages, [0]);
      assert.equal(client.status.state, 'waiting');
    });

  it('holds one message of any permitted size', async () => {
    const server = await Service.start();
    stops.add(() => server.stop());
    const { client, messages } = dial(createPageClient, server, {
      limits: { payloadBytesMax: 50_002 },
    });
    await until(() => client.connection !== undefined, 'it is up');
    client.connection?.pause();
    // With its quotes, and the overhead of holding it, it exceeds the limit.
    const long = 'x'.repeat(50_000);
    const connection = await server.opened();
    connection.send(long);
    await turns(50);
    assert.deepEqual(messages, []);
    client.connection?.resume();
    await until(() => messages.length === 1, 'it arrives');
    assert.deepEqual(messages, [long]);
  });

  it('reports at once that the network has failed', async () => {
    const server = await sending(10);
    const { client, messages, verdict } = dial(createPageClient, server, {
      onMessage: (connection) => void connection.pause(),
    });
    await until(() => isPaused(client), 'it is paused');
    (await server.opened()).terminate();
    const { code, cause } = await verdict();
    assert.deepEqual([code, cause], [1006, 'connection-lost']);
    assert.deepEqual(messages, [0]);
  });

  for (const isPaused of [false, true]) {
    it(`never delivers a message over payloadBytesMax, nor what follows${isPaused ? ', after a pause' : ''}`, async () => {
      const server = await Service.start({
        onOpen: (connection) => {
          for (const text of ['short', 'x'.repeat(98), 'x'.repeat(99), 'late'])
            connection.send(text);
        },
      });
      stops.add(() => server.stop());
      const { messages, verdict } = dial(createPageClient, server, {
        limits: { payloadBytesMax: 100 },
        onMessage: (connection) => {
          if (!isPaused) return;
          connection.pause();
          setTimeout(() => connection.resume(), 20);
        },
      });
      const { cause, origin, layer, level, retry, error, sent } = await verdict();
      assert.deepEqual(
        [cause, origin, layer, level],
        ['message-limit', 'local', 'websocket', 'warn'],
      );
      assert.deepEqual([retry, sent], ['backoff', { code: 1005, reason: '' }]);
      assert.equal(error?.message, 'message over 100 bytes (limits.payloadBytesMax)');
      assert.deepEqual(messages, ['short', 'x'.repeat(98)]);
    });
  }
});

describe('a pool', () => {
  it('calls onMessage with the connection of the member, and reads it as a client does', async () => {
    const server = await sending(20);
    const seen = new Map<DialedConnection, unknown[]>();
    const pool = createPool([server.url], {
      size: 2,
      limits: { inFlightMax: 1 },
      onMessage: async (connection, message) => {
        seen.set(connection, [...(seen.get(connection) ?? []), message]);
        await turns(1);
      },
    });
    stops.add(async () => void (await pool.drain()));
    await until(() => [...seen.values()].flat().length === 40, 'all arrive');
    assert.deepEqual([...seen.values()], [upTo(20), upTo(20)]);
  });
});
