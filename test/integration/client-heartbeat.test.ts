// Goal: a client keeps, and judges, a connection by messages of the application, with servers that do not use Mooring.
// Method: servers of plain ws that expect heartbeats as services on the internet do; the client of Node.js, and that of
// a page over undici's WebSocket.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { z } from 'zod';
import { createClient as createPageClient } from '../../src/client/browser.ts';
import {
  type Client,
  type ClientEvent,
  type ClientOptions,
  createClient,
  createPool,
  type Ending,
} from '../../src/client/index.ts';
import {
  bitget,
  busy,
  type Feed,
  FeedServer,
  hung,
  phoenix,
  pusher,
} from '../support/feed-server.ts';
import { FrozenService } from '../support/frozen-peer.ts';
import { stopsAndWatch } from '../support/stops.ts';
import { useUndiciWebSocket } from '../support/undici-web-socket.ts';
import { turns, until } from '../support/until.ts';

const stops = stopsAndWatch();
useUndiciWebSocket();

const backoff = { minMs: 20, maxMs: 40, stableMs: 100 };

async function serve(feed: Feed): Promise<FeedServer> {
  const server = await FeedServer.start(feed);
  stops.add(() => server.stop());
  return server;
}

type Create = (url: string, options: ClientOptions) => Client;

function dial(create: Create, url: string, options: ClientOptions) {
  const client = create(url, { backoff, ...options });
  stops.add(() => client.close());
  const endings: Ending[] = [];
  const messages: unknown[] = [];
  const events: ClientEvent[] = [];
  const states: string[] = [];
  client.endings$.subscribe((ending) => endings.push(ending));
  client.messages$.subscribe((message) => messages.push(message));
  client.events$.subscribe((event) => events.push(event));
  client.status$.subscribe((status) => states.push(status.states.at(-1) ?? ''));
  const causes = () =>
    endings.map((ending) =>
      ending.outcome === 'closed' ? ending.verdict.cause : ending.failure.cause,
    );
  const up = () => until(() => client.status.state === 'up', 'it is up');
  return { client, endings, messages, events, states, causes, up };
}

const isPong = (payload: string | Uint8Array) => payload === 'pong';
const says = (text: string) => (payload: string | Uint8Array) =>
  typeof payload === 'string' && payload.includes(text);
const errorsOf = (events: readonly ClientEvent[]) =>
  events.map((event) =>
    event.type === 'handler.errored' ? `${event.handler}: ${event.error.message}` : event.type,
  );

const kinds: readonly [string, Create][] = [
  ['in Node.js', createClient],
  ['of a page', createPageClient],
];

for (const [kind, create] of kinds) {
  describe(`a client ${kind}, and servers with a heartbeat of their own`, () => {
    it('keeps a busy feed open that ends silent clients, as Bitget does', async () => {
      const server = await serve(bitget(1_000));
      const heartbeat = { message: 'ping', expects: isPong, everyMs: 50, always: true };
      const { messages, events, endings } = dial(create, server.url, { heartbeat });
      const pings = () => server.messages.filter((text) => text === 'ping').length;
      await until(() => pings() >= 30, 'it has pinged for longer than that');
      await until(() => messages.length >= 30, 'the feed arrives');
      assert.deepEqual([endings, events], [[], []]);
      assert.ok(messages.every((message) => typeof message === 'object'));
      assert.equal(server.messages.length, pings());
    });

    it('loses such a feed when it pings only after a silence', async () => {
      const server = await serve(bitget(400));
      const heartbeat = { message: 'ping', expects: isPong, everyMs: 200 };
      const { endings } = dial(create, server.url, { heartbeat });
      await until(() => endings.length > 0, 'the server ends it');
      assert.deepEqual(server.messages, []);
      assert.ok(endings[0]?.outcome === 'closed');
      assert.equal(endings[0].verdict.reason, 'no ping');
    });

    it('hides answers with a ref of its own, as Phoenix sends them', async () => {
      const server = await serve(phoenix);
      let ref = 0;
      const { client, messages, events, endings } = dial(create, server.url, {
        // Neither contract contains heartbeats.
        messages: z.tuple([z.null(), z.string(), z.literal('room'), z.string(), z.unknown()]),
        sends: z.tuple([z.null(), z.string(), z.literal('room'), z.string(), z.unknown()]) as never,
        heartbeat: {
          message: () => {
            ref += 1;
            return [null, String(ref), 'phoenix', 'heartbeat', {}];
          },
          expects: (payload) => typeof payload === 'string' && JSON.parse(payload)[2] === 'phoenix',
          everyMs: 30,
        },
      });
      await until(() => server.messages.length >= 4, 'it has asked');
      client.send([null, 'a', 'room', 'say', {}]);
      await until(() => messages.length === 1, 'the answer to a message arrives');
      assert.deepEqual([endings, events], [[], []]);
      assert.deepEqual(
        server.messages.slice(0, 2),
        [1, 2].map((n) => `[null,"${n}","phoenix","heartbeat",{}]`),
      );
    });

    it('answers pings that are messages, as Pusher sends them', async () => {
      const server = await serve(pusher(30, 2_000));
      const { messages, events, endings } = dial(create, server.url, {
        sends: z.object({ event: z.literal('client-event') }),
        heartbeat: {
          expects: (payload, answer) => {
            if (!says('pusher:ping')(payload)) return false;
            answer({ event: 'pusher:pong', data: {} });
            return true;
          },
        },
      });
      await until(() => server.messages.length >= 5, 'it has answered');
      assert.deepEqual([messages, events, endings], [[], [], []]);
      assert.equal(server.messages[0], '{"event":"pusher:pong","data":{}}');
    });

    it('passes text of a text frame, and bytes of a binary frame', async () => {
      const server = await serve(({ socket }) => {
        socket.send('text');
        socket.send(Buffer.of(1, 2));
        return undefined;
      });
      const seen: unknown[] = [];
      dial(create, server.url, {
        heartbeat: {
          expects: (payload) => {
            seen.push(typeof payload === 'string' ? payload : [...payload]);
            return true;
          },
        },
      });
      await until(() => seen.length === 2, 'both arrive');
      assert.deepEqual(seen, ['text', [1, 2]]);
    });

    it('sends bytes as a binary frame', async () => {
      const kinds: boolean[] = [];
      const server = await serve(({ socket }) => {
        socket.on('message', (_, isBinary) => kinds.push(isBinary));
        return undefined;
      });
      dial(create, server.url, { heartbeat: { message: Uint8Array.of(9), everyMs: 20 } });
      await until(() => kinds.length > 1, 'it arrives');
      assert.deepEqual(kinds.slice(0, 2), [true, true]);
    });

    it('D15: gives up an application that hangs although it answers pings of the protocol', async () => {
      const server = await serve(hung);
      const { causes, endings, states } = dial(create, server.url, {
        heartbeat: { message: 'ping', expects: isPong, everyMs: 50, graceMs: 100 },
      });
      await until(() => endings.length >= 2, 'it has reconnected');
      assert.deepEqual(new Set(causes()), new Set(['heartbeat-timeout']));
      assert.ok(states.includes('up.suspect'));
      assert.ok(endings[0]?.outcome === 'closed');
      assert.deepEqual([endings[0].verdict.origin, endings[0].verdict.level], ['network', 'warn']);
    });

    it('trusts a suspect again that answers late, with whatever message', async () => {
      const server = await serve(hung);
      const { client, messages, endings } = dial(create, server.url, {
        heartbeat: { message: 'ping', expects: isPong, everyMs: 50, graceMs: 4_000 },
      });
      await until(() => client.status.states.includes('up.suspect'), 'it is suspect');
      server.sockets[0]?.send('{"price":1}');
      await until(() => !client.status.states.includes('up.suspect'), 'it is not suspect any more');
      assert.deepEqual([messages, endings], [[{ price: 1 }], []]);
    });

    it('D15b: gives up a frozen service whose system keeps the connection', async () => {
      const service = await FrozenService.start({ intervalMs: 600_000, graceMs: 60_000 });
      stops.add(() => service.kill());
      const { causes, events, endings, up } = dial(create, `ws://127.0.0.1:${service.port}/ws`, {
        heartbeat: {
          message: 'are you there?',
          // A Mooring server reports what is wrong with the message.
          expects: says('invalid-message'),
          everyMs: 50,
          intervalMs: 600_000,
          graceMs: 2_000,
        },
      });
      await up();
      await turns(50);
      assert.deepEqual([endings, events], [[], []]);
      await service.freeze();
      await until(() => endings.length > 0, 'it is given up', 20_000);
      assert.equal(causes()[0], 'heartbeat-timeout');
      service.thaw();
    });

    it('keeps pinging while it is paused, and never judges the peer', async () => {
      const server = await serve(bitget(60_000));
      const { client, endings, up } = dial(create, server.url, {
        limits: { payloadBytesMax: 10_000_000 },
        heartbeat: { message: 'ping', expects: isPong, everyMs: 30, always: true, graceMs: 100 },
      });
      await up();
      client.connection?.pause();
      const pinged = server.messages.length;
      await until(() => server.messages.length >= pinged + 10, 'it has pinged for a while');
      assert.deepEqual(endings, []);
      client.connection?.resume();
      await until(() => server.messages.length >= pinged + 20, 'and after that');
      assert.deepEqual(endings, []);
    });

    it('reports a fault of the heartbeat options, and keeps the connection', async () => {
      const server = await serve(({ socket }) => busy(socket));
      const { events, messages, endings } = dial(create, server.url, {
        heartbeat: {
          message: { big: 1n },
          everyMs: 20,
          always: true,
          expects: () => {
            throw new Error('no idea');
          },
        },
      });
      const isReported = (start: string) => errorsOf(events).some((text) => text.startsWith(start));
      await until(() => isReported('heartbeat.message: the json codec cannot encode'), 'message');
      await until(() => isReported('heartbeat.expects: no idea'), 'expects');
      assert.ok(messages.length > 0, 'a message is delivered when its check fails');
      assert.deepEqual([endings, server.messages], [[], []]);
    });

    it('never hides a message because of an answer that is not a boolean', async () => {
      const server = await serve(({ socket }) => busy(socket));
      const { events, messages } = dial(create, server.url, {
        heartbeat: { expects: (async () => true) as never },
      });
      await until(() => messages.length > 1, 'messages are delivered');
      const [error] = errorsOf(events);
      assert.equal(
        error,
        'heartbeat.expects: heartbeat.expects must return a boolean, not a Promise',
      );
    });

    it('begins when an async onOpen has settled', async () => {
      const server = await serve(hung);
      let signedIn = () => {};
      const { client, up } = dial(create, server.url, {
        heartbeat: { message: 'ping', everyMs: 20 },
        onOpen: (connection) => {
          connection.send({ sign: 'in' });
          return new Promise<void>((resolve) => {
            signedIn = resolve;
          });
        },
      });
      await until(() => server.messages.length === 1, 'it signs in');
      await new Promise((resolve) => setTimeout(resolve, 150));
      assert.deepEqual(server.messages, ['{"sign":"in"}']);
      assert.equal(client.status.state, 'dialing');
      signedIn();
      await up();
      await until(() => server.messages.length > 2, 'it pings');
    });

    it('asks at once when the application reports that the host woke up', async () => {
      const server = await serve(hung);
      const { client, up } = dial(create, server.url, {
        heartbeat: { message: 'ping', expects: isPong, everyMs: 600_000 },
      });
      await up();
      client.wake();
      await until(() => server.messages.length === 1, 'it asks');
      client.wake();
      await turns(20);
      assert.deepEqual(server.messages, ['ping']);
    });
  });

  describe(`a client ${kind} with silentMs`, () => {
    it('D15: ends a dead feed, and dials again', async () => {
      const server = await serve(({ socket, number }) => {
        if (number > 1) return busy(socket);
        // Neither a ping nor a heartbeat counts as a message.
        const timer = setInterval(() => {
          socket.ping();
          socket.send('pong');
        }, 20);
        return () => clearInterval(timer);
      });
      const { causes, endings, messages } = dial(create, server.url, {
        silentMs: 300,
        heartbeat: { message: 'ping', expects: isPong, everyMs: 30, always: true },
      });
      await until(() => messages.length >= 20, 'the second connection has a feed');
      assert.deepEqual(causes(), ['silent']);
      assert.deepEqual(server.closed, ['4000 silent']);
      assert.ok(endings[0]?.outcome === 'closed');
      const { code, sent, origin, layer, clean, retry, level } = endings[0].verdict;
      assert.deepEqual([code, origin, layer, clean], [4_000, 'local', 'websocket', true]);
      assert.deepEqual(
        [sent, retry, level],
        [{ code: 4_000, reason: 'silent' }, 'backoff', 'warn'],
      );
    });

    it('D15b: ends a feed whose system keeps the connection, and waits no longer than closeMs', async () => {
      const service = await FrozenService.start({ intervalMs: 600_000, graceMs: 60_000 });
      stops.add(() => service.kill());
      const { client, causes, endings, up } = dial(create, `ws://127.0.0.1:${service.port}/ws`, {
        silentMs: 500,
        timeouts: { closeMs: 100, forcedMs: 100 },
      });
      await up();
      await service.freeze();
      await until(() => endings.length > 0, 'it is given up');
      assert.equal(causes()[0], 'silent');
      assert.ok(['waiting', 'dialing'].includes(client.status.state));
      service.thaw();
    });

    it('stops while the client is paused', async () => {
      const server = await serve(({ socket }) => busy(socket));
      const { client, endings, messages } = dial(create, server.url, {
        silentMs: 200,
        limits: { payloadBytesMax: 10_000_000 },
      });
      await until(() => messages.length > 0, 'the feed arrives');
      client.connection?.pause();
      await new Promise((resolve) => setTimeout(resolve, 600));
      assert.deepEqual(endings, []);
      client.connection?.resume();
      const before = messages.length;
      await until(() => messages.length > before, 'it continues');
      assert.deepEqual(endings, []);
    });
  });
}

describe('a pool with silentMs', () => {
  it('replaces a member whose feed is dead, and counts it against the peer', async () => {
    const server = await serve(hung);
    const pool = createPool([server.url], {
      size: 1,
      silentMs: 50,
      backoff: { ...backoff, stableMs: 60_000 },
      circuit: { failuresMax: 2, minMs: 60_000, maxMs: 60_000 },
    });
    stops.add(async () => void (await pool.drain()));
    const causes: string[] = [];
    pool.endings$.subscribe((ending) => {
      if (ending.outcome === 'closed') causes.push(ending.verdict.cause);
    });
    await until(() => pool.status.upstreams[0]?.circuit === 'open', 'the circuit opens');
    assert.ok(causes.length >= 1 && causes.every((cause) => cause === 'silent'), causes.join());
  });
});
