// Goal: a client that dials on demand opens nothing before somebody needs it, and closes its connection when nobody
// does. Method: real servers that count their connections, and processes that must end by themselves.
import assert from 'node:assert/strict';
import type { AddressInfo } from 'node:net';
import { describe, it } from 'node:test';
import { WebSocketServer } from 'ws';
import { createClient as createPageClient } from '../../src/client/browser.ts';
import {
  createClient,
  type DialedConnection,
  type HostSigns,
  type NodeClientOptions,
} from '../../src/client/index.ts';
import { createSupervisor } from '../../src/index.ts';
import { VirtualClock } from '../../src/testing/virtual-clock.ts';
import { closeFrame } from '../support/rogue-server.ts';
import type { Service } from '../support/service.ts';
import { stopsAndWatch } from '../support/stops.ts';
import { turns, until } from '../support/until.ts';

const stops = stopsAndWatch();
const onDemand: NodeClientOptions = {
  dial: 'on-demand',
  backoff: { minMs: 5, maxMs: 10 },
};

function dial(service: { readonly url: string }, options: NodeClientOptions = {}) {
  const client = createClient(service.url, { ...onDemand, ...options });
  stops.add(() => client.close());
  const states: string[] = [];
  client.status$.subscribe(({ state }) => states.push(state));
  const closed: string[] = [];
  client.endings$.subscribe((ending) => {
    if (ending.outcome === 'closed') closed.push(`${ending.verdict.cause} ${ending.verdict.code}`);
  });
  return { client, states, closed };
}

const openedAt = (service: Service) => service.of('connection.opened').length;

describe('a client that dials on demand', () => {
  it('opens nothing and watches nothing before it is needed', async () => {
    const service = await stops.service();
    const { client, states } = dial(service);
    client.events$.subscribe(() => {});
    await turns(5);
    assert.deepEqual([states, openedAt(service)], [['idle'], 0]);
    await client.close();
    assert.deepEqual(states, ['idle', 'stopped']);
  });

  const needs: Record<string, (client: ReturnType<typeof dial>['client']) => unknown> = {
    'a message': (client) => client.send('hello'),
    'a message that somebody waits for': (client) => client.sendAndFlush('hello'),
    'a subscriber of messages$': (client) => client.messages$.subscribe(),
    open: (client) => assert.deepEqual([client.open(), client.open()], [true, true]),
  };
  for (const [need, ask] of Object.entries(needs)) {
    it(`dials once for ${need}`, async () => {
      const service = await stops.service();
      const { client, states } = dial(service);
      ask(client);
      await until(() => client.status.state === 'up', 'it is up');
      assert.deepEqual(states, ['idle', 'dialing', 'up']);
      assert.deepEqual([client.open(), openedAt(service)], [false, 1]);
    });
  }

  it('closes its connection when nobody has needed it for idleMs, and reconnects at once', async () => {
    const service = await stops.service();
    const { client, closed, states } = dial(service, { idleMs: 40 });
    const subscription = client.messages$.subscribe();
    await until(() => client.status.state === 'up', 'it is up');
    await until(() => service.of('connection.opened').length === 1, 'the server has it');
    subscription.unsubscribe();
    await until(() => client.status.state === 'idle', 'it is idle');
    assert.deepEqual(closed, ['close 1000']);
    assert.deepEqual(states, ['idle', 'dialing', 'up', 'idling', 'idle']);
    assert.equal(await client.sendAndFlush('again'), 'sent');
    await until(() => service.messages.includes('again'), 'it has arrived');
    assert.equal(openedAt(service), 2);
    await until(() => client.status.state === 'idle', 'it is idle again');
  });

  it('stays connected while somebody subscribes, and while messages wait', async () => {
    const service = await stops.service();
    const { client, states } = dial(service, { idleMs: 10 });
    client.messages$.subscribe();
    await until(() => client.status.state === 'up', 'it is up');
    await new Promise((resolve) => setTimeout(resolve, 100));
    assert.equal(client.status.state, 'up');
    const other = dial({ url: 'ws://127.0.0.1:1/' }, { idleMs: 10 });
    other.client.send('waits');
    await until(() => other.client.status.attempts > 3, 'it keeps dialing');
    assert.equal(other.client.queuedMessages, 1);
    assert.ok(!states.includes('idle', 1));
  });

  it('stops dialing when nobody needs it any more', async () => {
    const service = await stops.service();
    await service.stop();
    const { client } = dial(service, { idleMs: 30 });
    client.open();
    await until(() => client.status.attempts > 0, 'it dials');
    await until(() => client.status.state === 'idle', 'it is idle');
    const { attempts } = client.status;
    await new Promise((resolve) => setTimeout(resolve, 50));
    assert.equal(client.status.attempts, attempts);
  });

  it('dials again when it is needed while it closes its connection', async () => {
    const service = await stops.service();
    const { client, states } = dial(service, { idleMs: 20 });
    let hasAsked = false;
    client.status$.subscribe(({ state }) => {
      if (state !== 'idling' || hasAsked) return;
      hasAsked = true;
      client.open();
    });
    client.open();
    await until(() => states.filter((state) => state === 'up').length === 2, 'it has reconnected');
    assert.deepEqual(states.slice(0, 7), [
      ...['idle', 'dialing', 'up', 'idling'],
      ...['idle', 'dialing', 'up'],
    ]);
  });

  it('keeps its connection while a message leaves, and while onMessage runs', async () => {
    const wss = new WebSocketServer({ port: 0, host: '127.0.0.1' });
    stops.add(() => wss.close());
    let received = 0;
    wss.on('connection', (socket) => {
      socket.pause();
      setTimeout(() => socket.resume(), 900);
      socket.on('message', () => {
        received += 1;
        for (let step = 0; step < 10; step += 1)
          setTimeout(() => socket.send(`${step}`), 100 * step);
      });
    });
    await new Promise((resolve) => wss.on('listening', resolve));
    const handled: unknown[] = [];
    const { port } = wss.address() as AddressInfo;
    const { client } = dial(
      { url: `ws://127.0.0.1:${port}/` },
      { idleMs: 400, onMessage: (_, message) => void handled.push(message) },
    );
    assert.equal(await client.sendAndFlush('x'.repeat(12_000_000)), 'sent');
    await until(() => client.status.state === 'idle', 'it is idle');
    assert.deepEqual([received, handled.length], [1, 10]);
  });

  it('handles every message before it closes its connection, one at a time', async () => {
    const service = await stops.service({
      onMessage: (connection) => {
        for (let step = 0; step < 4; step += 1) connection.send(step);
      },
    });
    const handled: unknown[] = [];
    const { client } = dial(service, {
      idleMs: 50,
      limits: { inFlightMax: 1 },
      onMessage: async (_, message) => {
        await new Promise((resolve) => setTimeout(resolve, 400));
        handled.push(message);
      },
    });
    assert.equal(await client.sendAndFlush('go'), 'sent');
    await until(() => client.status.state === 'idle', 'it is idle');
    assert.deepEqual(handled, [0, 1, 2, 3]);
  });

  const uses: Record<string, (connection: DialedConnection<unknown, unknown>) => () => void> = {
    'sends on its connection': (connection) => {
      const timer = setInterval(() => connection.send('more'), 20);
      return () => clearInterval(timer);
    },
    'listens to its connection': (connection) => {
      const subscription = connection.messages$.subscribe();
      return () => subscription.unsubscribe();
    },
    'pauses its connection': (connection) => {
      connection.pause();
      return () => connection.resume();
    },
  };
  for (const [use, begin] of Object.entries(uses)) {
    it(`stays connected while the application ${use}`, async () => {
      const service = await stops.service();
      const { client, states } = dial(service, { idleMs: 50 });
      client.open();
      await until(() => client.connection !== undefined, 'it is open');
      const end = begin(client.connection as DialedConnection<unknown, unknown>);
      await new Promise((resolve) => setTimeout(resolve, 700));
      assert.deepEqual(states, ['idle', 'dialing', 'up']);
      end();
      await until(() => client.status.state === 'idle', 'it is idle');
    });
  }

  it('never dials for a returning network when nobody needs it any more', async () => {
    let host: HostSigns | null = null;
    const { client } = dial(
      { url: 'ws://127.0.0.1:1/' },
      {
        idleMs: 20,
        backoff: { minMs: 60_000, maxMs: 60_000 },
        signs: (signs) => {
          host = signs;
        },
      },
    );
    client.open();
    await until(() => client.status.state === 'waiting', 'it waits');
    const { offline, online } = host as unknown as HostSigns;
    offline();
    assert.deepEqual(client.status.states, ['waiting', 'waiting.offline']);
    await new Promise((resolve) => setTimeout(resolve, 500));
    online();
    await turns(3);
    assert.deepEqual([client.status.state, client.status.attempts], ['idle', 1]);
  });

  it('dials again for open while it closes its connection, however long that takes', async () => {
    // It opens, and reads no close frame.
    const service = await stops.rogue(({ socket, asked, acceptance }) =>
      asked((request) => {
        socket.write(acceptance(request));
        socket.pause();
      }),
    );
    const { client, states } = dial(
      { url: `ws://127.0.0.1:${service.port}/` },
      { idleMs: 50, timeouts: { closeMs: 700 } },
    );
    client.open();
    await until(() => client.status.state === 'idling', 'it closes its connection');
    assert.deepEqual([client.open(), client.open()], [true, true]);
    await until(() => states.filter((state) => state === 'up').length === 2, 'it has reconnected');
  });

  it('lets an attempt finish that takes longer than idleMs', async () => {
    const server = await stops.rogue(({ socket, asked, acceptance }) =>
      asked((request) => void setTimeout(() => socket.write(acceptance(request)), 500)),
    );
    const { client, states } = dial({ url: `ws://127.0.0.1:${server.port}/` }, { idleMs: 50 });
    client.open();
    await until(() => states.includes('idling'), 'it closes its connection in the end');
    assert.deepEqual(states.slice(0, 4), ['idle', 'dialing', 'up', 'idling']);
  });

  it('keeps to a delay that the server requests while nobody needs the client any more', async () => {
    const server = await stops.rogue(({ socket, asked, acceptance }) =>
      asked((request) => {
        socket.write(acceptance(request));
        socket.write(closeFrame(1013));
        setTimeout(() => socket.destroy(), 600);
      }),
    );
    const url = `ws://127.0.0.1:${server.port}/`;
    const backoff = { minMs: 5, maxMs: 60_000 };
    const { client, states } = dial({ url }, { idleMs: 50, backoff });
    client.open();
    await until(() => client.status.state === 'waiting', 'it waits');
    client.send('later');
    await turns(5);
    assert.deepEqual(client.status.states, ['waiting', 'waiting.deferred']);
    assert.ok(!states.includes('idling'), states.join());
  });

  it('keeps to the delay that the server requested, however often it is needed', async () => {
    let asked = 0;
    const server = await stops.rogue(({ asked: whenAsked, socket }) =>
      whenAsked(() => {
        asked += 1;
        socket.end('HTTP/1.1 503 Busy\r\nRetry-After: 60\r\nContent-Length: 0\r\n\r\n');
      }),
    );
    const { client } = dial({ url: `ws://127.0.0.1:${server.port}/` }, { idleMs: 20 });
    for (let round = 0; round < 3; round += 1) {
      const subscription = client.messages$.subscribe();
      await new Promise((resolve) => setTimeout(resolve, 30));
      subscription.unsubscribe();
      // Longer than a tick of the wheel.
      await new Promise((resolve) => setTimeout(resolve, 300));
    }
    assert.deepEqual([asked, client.status.state], [1, 'waiting']);
  });

  it('closes its connection again after it had given up and dialNow was called', async () => {
    const service = await stops.service();
    let isUp = false;
    const client = createClient(() => (isUp ? service.url : 'ws://127.0.0.1:1/'), {
      ...onDemand,
      idleMs: 40,
      retry: (_, suggested) => (isUp ? suggested : 'never'),
    });
    stops.add(() => client.close());
    const dropped: string[] = [];
    client.events$.subscribe((event) => {
      if (event.type === 'message.dropped') dropped.push(event.reason);
    });
    client.send('lost');
    await until(() => client.status.state === 'exhausted', 'it gives up');
    assert.deepEqual(dropped, ['gave-up']);
    isUp = true;
    client.dialNow();
    await until(() => client.status.state === 'idle', 'it is idle');
    assert.equal(openedAt(service), 1);
  });

  it('leaves no timer behind', async () => {
    const clock = new VirtualClock();
    const client = createClient('ws://127.0.0.1:1/', { ...onDemand, idleMs: 60_000, clock });
    const subscription = client.messages$.subscribe();
    subscription.unsubscribe();
    const closed = client.close();
    clock.advance(100);
    await closed;
    client.send('late');
    clock.advance(200);
    assert.equal(clock.timersPending, 0);
  });

  it('never counts its own idle closes as restarts', async () => {
    const service = await stops.service();
    const { client } = dial(service, { idleMs: 5, restarts: { max: 1 } });
    for (let round = 1; round <= 3; round += 1) {
      client.open();
      await until(() => openedAt(service) === round, 'it has opened');
      await until(() => client.status.state === 'idle', 'it is idle');
    }
    assert.equal(client.status.gaveUp, undefined);
  });

  it('lets its supervisor stop', async () => {
    const service = await stops.service();
    const supervisor = createSupervisor();
    const { client } = dial(service, { supervisor });
    await supervisor.drain({ withinMs: 1_000 });
    assert.equal(client.status.state, 'stopped');
    assert.equal(client.send('late'), 'refused');
  });

  it('can be created where pages are rendered, which have no WebSocket', async () => {
    const page = globalThis as { WebSocket?: unknown };
    const native = page.WebSocket;
    delete page.WebSocket;
    stops.add(() => {
      page.WebSocket = native;
    });
    const client = createPageClient('wss://feed.example/', { dial: 'on-demand' });
    await turns(5);
    assert.equal(client.status.state, 'idle');
    await client.close();
  });

  it('refuses idleMs without dial: on-demand', () => {
    const error = { code: 'invalid-options', message: "options.idleMs: needs dial: 'on-demand'" };
    assert.throws(() => createClient('ws://127.0.0.1:1/', { idleMs: 10 }), error);
    assert.throws(() => createPageClient('ws://127.0.0.1:1/', { idleMs: 10 }), error);
  });
});
