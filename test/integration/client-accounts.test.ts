// Goal: every message that a client accepts either leaves, or is dropped and reported. Order holds, and nothing arrives
// twice. Method: servers that stop reading, break off, and limit the rate, and the totals of both sides.
import assert from 'node:assert/strict';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { describe, it } from 'node:test';
import { type WebSocket, WebSocketServer } from 'ws';
import { createClient as createPageClient } from '../../src/client/browser.ts';
import { type Client, createClient, type NodeClientOptions } from '../../src/client/index.ts';
import { createSupervisor, listen } from '../../src/index.ts';
import { selfSigned } from '../support/certificate.ts';
import { stopsAndWatch } from '../support/stops.ts';
import { useUndiciWebSocket } from '../support/undici-web-socket.ts';
import { turns, until } from '../support/until.ts';

const stops = stopsAndWatch();
useUndiciWebSocket();

const quick: NodeClientOptions = {
  backoff: { minMs: 5, maxMs: 20, stableMs: 60_000 },
  restarts: { max: 100_000 },
  heartbeat: { intervalMs: 60_000 },
  timeouts: { closeMs: 100 },
};

/** A server of ws that records the messages of all its connections. */
class Receiver {
  readonly received: number[] = [];
  readonly sockets: WebSocket[] = [];
  readonly wss = new WebSocketServer({ port: 0, host: '127.0.0.1' });

  static async start(onSocket: (socket: WebSocket, number: number) => void = () => {}) {
    const receiver = new Receiver();
    receiver.wss.on('connection', (socket) => {
      receiver.sockets.push(socket);
      socket.on('error', () => {});
      socket.on('message', (data) => receiver.received.push(JSON.parse(String(data)).i));
      onSocket(socket, receiver.sockets.length);
    });
    await new Promise((resolve) => receiver.wss.on('listening', resolve));
    stops.add(() => {
      for (const socket of receiver.wss.clients) socket.terminate();
      receiver.wss.close();
    });
    return receiver;
  }

  /** Ends all connections, with a close frame or without. */
  async cut(round: number): Promise<void> {
    for (const socket of this.wss.clients) {
      if (round % 2 === 0) socket.terminate();
      else socket.close(1001);
    }
    await until(() => this.wss.clients.size === 0, 'the server has none left');
  }

  get url(): string {
    return `ws://127.0.0.1:${(this.wss.address() as AddressInfo).port}/`;
  }
}

/** A client, and the result of each of its messages. */
class Account {
  readonly client: Client;
  readonly dropped: { i: number; reason: string }[] = [];
  readonly results = new Map<number, string>();

  constructor(client: Client) {
    this.client = client;
    stops.add(() => client.close());
    client.events$.subscribe((event) => {
      if (event.type !== 'message.dropped') return;
      const { i } = event.message as { i: number };
      this.dropped.push({ i, reason: event.reason });
    });
  }

  async up(): Promise<this> {
    await until(() => this.client.status.state === 'up', 'the client is up');
    await turns(4);
    return this;
  }

  send(i: number, bytes: number): void {
    void this.client
      .sendAndFlush({ i, pad: 'z'.repeat(bytes) })
      .then((result) => this.results.set(i, result));
  }

  /** All messages with this result, in order. */
  of(result: string): number[] {
    return [...this.results].filter(([, each]) => each === result).map(([i]) => i);
  }

  /** Each message has one result, each loss is one event, and the received messages are in order, once. */
  assertBalance(accepted: number, received: readonly number[]): void {
    assert.equal(this.results.size, accepted);
    assert.equal(this.of('sent').length + this.of('lost').length, accepted);
    const dropped = this.dropped.map(({ i }) => i);
    assert.deepEqual(
      dropped.toSorted((a, b) => a - b),
      this.of('lost').toSorted((a, b) => a - b),
    );
    assert.deepEqual(
      received,
      [...new Set(received)].toSorted((a, b) => a - b),
    );
  }
}

const dial = (url: string, options: NodeClientOptions = {}) =>
  new Account(createClient(url, { ...quick, ...options }));

describe('a message that a client has accepted', () => {
  it('keeps waiting when the connection breaks, unless the socket had it', async () => {
    const receiver = await Receiver.start((socket, number) => number === 1 && socket.pause());
    const account = await dial(receiver.url).up();
    for (let i = 0; i < 200; i += 1) {
      account.send(i, 65_000);
      await new Promise(setImmediate);
    }
    const { client } = account;
    await until(() => client.queuedMessages > 50, 'the socket accepts no more');
    const waiting = client.queuedMessages;
    receiver.sockets[0]?.terminate();
    await until(() => account.results.size === 200, 'each has its result');
    account.assertBalance(200, receiver.received);
    const lost = account.dropped;
    assert.deepEqual(new Set(lost.map(({ reason }) => reason)), new Set(['connection-lost']));
    // One message is larger than the window, so the socket had one.
    assert.ok(lost.length <= 1, `${lost.length} were lost`);
    await until(() => receiver.received.at(-1) === 199, 'the last has arrived');
    const waited = [...Array(200).keys()].slice(-waiting);
    assert.deepEqual(receiver.received.slice(-waiting), waited);
  });

  for (const [name, make] of [
    ['Node.js', (url: string) => createClient(url, quick)],
    // A page sends no ping.
    ['a page', (url: string) => createPageClient(url, { ...quick, heartbeat: {} })],
  ] as const) {
    it(`has a result after many breaks: ${name}`, async () => {
      const receiver = await Receiver.start();
      const account = await new Account(make(receiver.url)).up();
      let i = 0;
      for (let round = 0; round < 30; round += 1) {
        for (let burst = 0; burst < 20; burst += 1) account.send(i++, (round * 997) % 30_000);
        await turns(round % 4);
        await receiver.cut(round);
      }
      await until(() => account.results.size === i, 'each has its result');
      account.assertBalance(i, receiver.received);
      assert.ok(receiver.received.length > i / 2, `${receiver.received.length} of ${i}`);
    });
  }

  it('never disappears behind an immediate close, over TLS', async () => {
    const certificate = selfSigned('localhost');
    const server = createTlsServer(certificate);
    const wss = new WebSocketServer({ server });
    const received: number[] = [];
    wss.on('connection', (socket) => {
      socket.on('message', (data) => received.push(JSON.parse(String(data)).i));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    stops.add(() => server.close());
    const { port } = server.address() as AddressInfo;
    const account = await dial(`wss://localhost:${port}/`, {
      connect: { ca: certificate.cert },
    }).up();
    for (let i = 0; i < 5; i += 1) account.send(i, 10_000);
    await account.client.close();
    assert.deepEqual(received, [0, 1, 2, 3, 4]);
    account.assertBalance(5, received);
    assert.equal(account.of('sent').length, 5);
  });
});

describe('a message to a server that does not read', () => {
  /** A client whose socket has accepted what it can. */
  async function stalled(options: NodeClientOptions = {}) {
    const receiver = await Receiver.start((socket) => socket.pause());
    const account = await dial(receiver.url, options).up();
    let i = 0;
    while (account.client.queuedMessages === 0) {
      account.send(i++, 60_000);
      await turns(1);
    }
    return { ...account, account, client: account.client, receiver, sent: i };
  }

  it('is refused with `queue: false`, and expires after its `ttlMs`', async () => {
    const { client, account, sent } = await stalled();
    assert.equal(client.send({ i: -1 }, { queue: false }), 'refused');
    client.send({ i: -2 }, { ttlMs: 30 });
    await until(() => account.dropped.length === 1, 'it has expired');
    assert.deepEqual(account.dropped, [{ i: -2, reason: 'expired' }]);
    assert.ok(client.queuedMessages < sent);
    assert.equal(client.status.state, 'up');
  });

  it('never ends the connection by expiring, and nothing waits', async () => {
    const { client, account } = await stalled({
      queueMax: 1,
      timeouts: { stalledMs: 100, closeMs: 100 },
    });
    let hasEnded = false;
    client.endings$.subscribe(() => {
      hasEnded = true;
    });
    // It takes the place of the waiting message.
    client.send({ i: -1 }, { ttlMs: 20 });
    await until(() => account.dropped.some(({ reason }) => reason === 'expired'), 'it has expired');
    await new Promise((resolve) => setTimeout(resolve, 400));
    assert.deepEqual([hasEnded, client.status.state], [false, 'up']);
  });

  it('waits within `queueMax` and `queueBytesMax`', async () => {
    const { client, account } = await stalled({ queueMax: 3, queueBytesMax: 100_000 });
    for (let i = 100; i < 110; i += 1) client.send({ i });
    await until(() => account.dropped.length >= 8, 'the oldest are dropped');
    assert.equal(client.queuedMessages, 3);
    assert.deepEqual(
      account.dropped.slice(-7).map(({ i, reason }) => [i, reason]),
      [...Array(7).keys()].map((n) => [100 + n, 'queue-full']),
    );
    assert.equal(client.send({ i: 0, pad: 'x'.repeat(100_000) }), 'refused');
    client.send({ i: 200, pad: 'x'.repeat(99_980) });
    assert.equal(client.queuedMessages, 1);
  });

  it('makes the connection end after `stalledMs`, and keeps waiting', async () => {
    const { client, account, receiver } = await stalled({
      timeouts: { stalledMs: 100, closeMs: 100 },
    });
    const causes: string[] = [];
    client.endings$.subscribe((ending) => {
      if (ending.outcome === 'closed') causes.push(ending.verdict.cause);
      receiver.wss.on('connection', (socket) => setImmediate(() => socket.resume()));
    });
    const waiting = client.queuedMessages;
    assert.ok(waiting > 0);
    await until(() => client.queuedMessages === 0, 'the queue is empty');
    assert.equal(causes[0], 'slow-consumer');
    await until(() => receiver.received.length >= waiting, 'they have arrived');
    account.assertBalance(account.results.size, receiver.received);
  });
});

describe('messages that waited for a connection', () => {
  it('reach a server that closes at its rate, complete and in order', async () => {
    const received: number[] = [];
    const causes: string[] = [];
    const serve = () =>
      createSupervisor({
        overRate: 'close',
        onMessage: (_, message) => void received.push((message as { i: number }).i),
        onClose: (_, { cause }) => void causes.push(cause),
      });
    const first = serve();
    const house = await listen(first, { port: 0, host: '127.0.0.1' });
    const account = await dial(house.url).up();
    await first.drain({ withinMs: 200, code: 1001 });
    await house.close();
    for (let i = 0; i < 5_000; i += 1) account.client.send({ i });
    assert.equal(account.client.queuedMessages, 5_000);
    const second = serve();
    const again = await listen(second, { port: house.port, host: '127.0.0.1' });
    stops.add(() => again.close());
    stops.add(() => second.drain({ withinMs: 200 }));
    await until(() => received.length === 5_000, 'all have arrived', 30_000);
    assert.deepEqual(received, [...Array(5_000).keys()]);
    assert.deepEqual([account.dropped, causes], [[], ['drain']]);
  });
});

describe('pause and resume of a client', () => {
  it('make the sender wait, on this connection and on the next', async () => {
    const receiver = await Receiver.start();
    // While the client reads nothing, only the write of a ping reveals that the server is gone.
    const account = await dial(receiver.url, { heartbeat: { intervalMs: 50 } }).up();
    const { client } = account;
    let arrived = 0;
    client.messages$.subscribe(() => {
      arrived += 1;
    });
    assert.deepEqual([client.pause(), client.pause()], [true, false]);
    const pad = 'p'.repeat(2_000);
    const flood = (number: number) => {
      for (let i = 0; i < 5_000; i += 1) receiver.sockets[number]?.send(JSON.stringify({ i, pad }));
    };
    flood(0);
    await until(() => (receiver.sockets[0]?.bufferedAmount ?? 0) > 1_000_000, 'the server waits');
    assert.equal(arrived, 0);
    receiver.sockets[0]?.terminate();
    await until(() => receiver.sockets.length === 2, 'it has reconnected');
    await account.up();
    flood(1);
    await until(() => (receiver.sockets[1]?.bufferedAmount ?? 0) > 1_000_000, 'the server waits');
    assert.equal(arrived, 0);
    assert.deepEqual([client.resume(), client.resume()], [true, false]);
    await until(() => arrived === 5_000, 'all have arrived');
  });

  it('let a sign-in through, and deliver the held messages first', async () => {
    const receiver = await Receiver.start((socket) => {
      for (const message of ['early', 'welcome']) socket.send(JSON.stringify(message));
    });
    const messages: unknown[] = [];
    const client = createClient(receiver.url, {
      ...quick,
      onOpen: (connection) =>
        new Promise((resolve) => {
          connection.messages$.subscribe((message) => message === 'welcome' && resolve(undefined));
        }),
    });
    const account = new Account(client);
    client.messages$.subscribe((message) => messages.push(message));
    client.pause();
    await account.up();
    receiver.sockets[0]?.send('"late"');
    await turns(5);
    assert.deepEqual(messages, []);
    client.resume();
    await until(() => messages.length === 3, 'all have arrived');
    assert.deepEqual(messages, ['early', 'welcome', 'late']);
  });
});
