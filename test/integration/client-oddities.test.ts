// Goal: unexpected values from an application cost a client no message, no ending and not its process. Method: pass the
// odd value itself, over real sockets.
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { describe, it } from 'node:test';
import { WebSocketServer, WebSocket as WsWebSocket } from 'ws';
import { createClient as createPageClient } from '../../src/client/browser.ts';
import {
  binaryCodec,
  type ClientEvent,
  createClient,
  createPool,
  textCodec,
} from '../../src/client/index.ts';
import { stopsAndWatch } from '../support/stops.ts';
import { turns, until } from '../support/until.ts';

const stops = stopsAndWatch();
const backoff = { minMs: 5, maxMs: 10 };

async function receiving() {
  const wss = new WebSocketServer({ port: 0, host: '127.0.0.1' });
  const received: string[] = [];
  wss.on('connection', (socket) => {
    socket.on('error', () => {});
    socket.on('message', (data) => received.push(String(data)));
  });
  await new Promise((resolve) => wss.on('listening', resolve));
  stops.add(() => {
    for (const socket of wss.clients) socket.terminate();
    wss.close();
  });
  const { port } = wss.address() as AddressInfo;
  return { url: `ws://127.0.0.1:${port}/`, port, received, wss };
}

describe('a message that waits', () => {
  it('is a copy, also of a Buffer that is reused', async () => {
    const { url, received } = await receiving();
    const client = createClient(url, { codec: binaryCodec(), backoff });
    stops.add(() => client.close());
    const scratch = Buffer.alloc(5);
    for (const text of ['hello', 'world']) {
      scratch.write(text);
      client.send(scratch);
    }
    scratch.fill('X');
    await until(() => received.length === 2, 'both have arrived');
    assert.deepEqual(received, ['hello', 'world']);
  });
});

describe('functions of the application that are async by mistake', () => {
  for (const [name, signs] of [
    ['signs that rejects', async () => Promise.reject(new Error('no'))],
    ['signs that resolves', async () => {}],
    ['a stop of signs that rejects', () => async () => Promise.reject(new Error('no'))],
  ] as const) {
    it(`are reported, and have no other effect: ${name}`, async () => {
      const { url } = await receiving();
      const client = createClient(url, { signs: signs as () => void, backoff });
      const events: ClientEvent[] = [];
      client.events$.subscribe((event) => events.push(event));
      await until(() => client.status.state === 'up', 'it is up');
      await client.close();
      await turns(3);
      const handlers = events.map((event) => event.type === 'handler.errored' && event.handler);
      assert.ok(handlers.length <= 1 && handlers.every((handler) => handler === 'signs'));
    });
  }

  it('are reported, and have no other effect: an observer of select', async () => {
    const { url } = await receiving();
    const client = createClient(url, { backoff });
    stops.add(() => client.close());
    const handlers: string[] = [];
    client.events$.subscribe((event) => {
      if (event.type === 'handler.errored') handlers.push(event.handler);
    });
    client.actor
      .select(({ value }) => value)
      .subscribe((async () => Promise.reject(new Error('no'))) as () => void);
    await until(() => client.status.state === 'up', 'it is up');
    await turns(3);
    assert.ok(handlers.length > 0 && handlers.every((handler) => handler === 'actor'));
  });
});

describe('an error that cannot be described', () => {
  const frozen = Object.freeze(new AggregateError([]));
  const listless = Object.assign(new AggregateError([]), { errors: 'none' });
  for (const [name, error] of Object.entries({ frozen, listless })) {
    it(`is one failed attempt: ${name}`, async () => {
      const client = createClient(
        () => {
          throw error;
        },
        { backoff, retry: () => 'never' },
      );
      stops.add(() => client.close());
      const endings: string[] = [];
      client.endings$.subscribe((ending) =>
        endings.push(ending.outcome === 'failed' ? ending.failure.cause : 'closed'),
      );
      await until(() => client.status.state === 'exhausted', 'it has ended');
      assert.deepEqual(endings, ['target-error']);
    });
  }
});

describe('a pool that is stopped during its construction', () => {
  it('creates no further member, and has none left', async () => {
    const { url, wss } = await receiving();
    const aborting = new AbortController();
    let made = 0;
    const pool = createPool([url], {
      size: 3,
      backoff,
      signal: aborting.signal,
      inspect: (event) => {
        if (event.type !== '@xstate.actor' || (event.actorRef as { id?: string }).id !== 'client')
          return;
        made += 1;
        aborting.abort();
      },
    });
    await until(() => pool.status.state === 'stopped', 'it has stopped');
    await turns(10);
    assert.deepEqual([made, pool.status.open, wss.clients.size], [1, 0, 0]);
  });
});

describe('a socket of the application', () => {
  it('may count no bytes without losing a message unreported', async () => {
    const { url, port } = await receiving();
    let breaks: () => void = () => {};
    const client = createClient(url, {
      codec: textCodec(),
      retry: () => 'never',
      connect: {
        createConnection: () => {
          const socket: Socket = connect(port, '127.0.0.1');
          let isStuck = false;
          const duplex = new Duplex({
            read() {},
            write(chunk, _, done) {
              if (!isStuck) socket.write(chunk, done);
            },
          });
          socket.on('data', (chunk) => duplex.push(chunk));
          socket.on('error', () => {});
          breaks = () => {
            isStuck = true;
            setTimeout(() => {
              duplex.destroy(Object.assign(new Error('gone'), { code: 'ECONNRESET' }));
              socket.destroy();
            }, 50);
          };
          return duplex;
        },
      },
    });
    stops.add(() => client.close());
    const dropped: string[] = [];
    client.events$.subscribe((event) => {
      if (event.type === 'message.dropped') dropped.push(event.reason);
    });
    await until(() => client.status.state === 'up', 'it is up');
    await turns(4);
    breaks();
    assert.equal(await client.sendAndFlush('never left'), 'lost');
    assert.deepEqual(dropped, ['connection-lost']);
  });
});

describe('a page', () => {
  it('may have a WebSocket that is an EventEmitter', async () => {
    const page = globalThis as { WebSocket?: unknown };
    const native = page.WebSocket;
    page.WebSocket = WsWebSocket;
    stops.add(() => {
      page.WebSocket = native;
    });
    const http = createServer();
    await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
    const { port } = http.address() as AddressInfo;
    await new Promise((resolve) => http.close(resolve));
    const client = createPageClient(`ws://127.0.0.1:${port}/`, { backoff });
    stops.add(() => client.close());
    await until(() => client.status.attempts > 2, 'it dials again');
  });
});
