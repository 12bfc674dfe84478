// Goal: a Mooring client gets what it missed in durable topics after a broken connection, at another process, after a reload and
// after a hand-over, once and in order, or is told that it does not. Method: the clients of Node.js and of a page, on real sockets.
import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import { WebSocket as UndiciWebSocket } from 'undici';
import { createClient as createPageClient } from '../../src/client/browser.ts';
import { type Client, createClient, type Recovery } from '../../src/client/index.ts';
import { memoryBus, type SupervisorOptions } from '../../src/index.ts';
import { opcode } from '../support/frames.ts';
import { RawPeer } from '../support/raw-peer.ts';
import type { Service } from '../support/service.ts';
import { Stops } from '../support/stops.ts';
import { until } from '../support/until.ts';

const stops = new Stops();
afterEach(() => stops.all());

const ROOM = 'room/1';
const backoff = { minMs: 10, maxMs: 20, stableMs: 50 };

const serve = (options: SupervisorOptions<unknown, unknown, unknown> = {}) =>
  stops.service({
    durable: (topic) => topic.startsWith('room/'),
    onOpen: (connection) => void connection.join(ROOM),
    ...options,
  });

interface Seen {
  readonly messages: unknown[];
  readonly recoveries: Recovery[];
  /** Both, in the order in which they came. */
  readonly log: unknown[];
}

function watched(client: Client): Client & { readonly seen: Seen } {
  const seen: Seen = { messages: [], recoveries: [], log: [] };
  client.recoveries$.subscribe((recovery) => {
    seen.recoveries.push(recovery);
    seen.log.push(recovery.cause);
  });
  client.messages$.subscribe((message) => {
    seen.messages.push(message);
    seen.log.push(message);
  });
  stops.add(() => client.close());
  return Object.assign(client, { seen });
}

type Options = NonNullable<Parameters<typeof createClient>[1]>;

const dial = (url: Parameters<typeof createClient>[0], options: Options = {}) =>
  watched(createClient(url, { mooring: true, backoff, ...options }));

const append = async ({ supervisor }: Service, ...messages: readonly unknown[]) => {
  for (const message of messages) {
    const { outcome } = await supervisor.topic(ROOM).append(message);
    assert.equal(outcome, 'kept');
  }
};

const told = ({ seen }: { readonly seen: Seen }, count: number) =>
  until(() => seen.recoveries.length >= count, `told ${count} times`);
const got = ({ seen }: { readonly seen: Seen }, ...log: readonly unknown[]) =>
  until(() => seen.log.length >= log.length, `${log.length} entries`).then(() =>
    assert.deepEqual(seen.log, log),
  );

describe('a client in durable topics', () => {
  it('gets what it missed after each break, before what comes next', async () => {
    const service = await serve();
    const client = dial(service.url);
    await told(client, 1);
    await append(service, 1, 2);
    await got(client, 'first', 1, 2);
    for (const connection of service.supervisor.connections) connection.terminate();
    await append(service, 3, 4);
    await told(client, 2);
    await append(service, 5);
    await got(client, 'first', 1, 2, 'resumed', 3, 4, 5);
    assert.deepEqual(client.seen.recoveries[1], { topic: ROOM, recovered: true, cause: 'resumed' });
  });

  it('goes on at any process, and after a reload at the positions of before', async () => {
    const bus = memoryBus();
    const [one, other] = [await serve({ bus }), await serve({ bus })];
    const before = dial(one.url);
    await told(before, 1);
    await append(other, 1, 2);
    await got(before, 'first', 1, 2);
    const positions = JSON.parse(JSON.stringify(before.positions));
    assert.deepEqual(Object.keys(positions), [ROOM]);
    await before.close();
    await append(one, 3);
    const after = dial(other.url, { positions });
    await told(after, 1);
    await append(other, 4);
    await got(after, 'resumed', 3, 4);
  });

  it('finds the position of a message in its handler, and forgets that of a topic that it left', async () => {
    const service = await serve();
    const positions: (string | undefined)[] = [];
    const client = dial(service.url, {
      onMessage: () => void positions.push(client.positions[ROOM]),
    });
    await told(client, 1);
    const appended = await service.supervisor.topic(ROOM).append('x');
    assert.ok('position' in appended);
    await got(client, 'first', 'x');
    assert.deepEqual(positions, [appended.position]);
    for (const connection of service.supervisor.connections) connection.leave(ROOM);
    await until(() => Object.keys(client.positions).length === 0, 'it has forgotten it');
  });

  it('keeps the order while onOpen holds messages back, and loses none of them with the connection', async () => {
    const service = await serve();
    let settle: () => void = () => {};
    let isSlow = false;
    const client = dial(service.url, {
      onOpen: () => (isSlow ? new Promise<void>((resolve) => (settle = resolve)) : undefined),
    });
    await told(client, 1);
    await append(service, 1);
    await got(client, 'first', 1);
    isSlow = true;
    for (const connection of service.supervisor.connections) connection.terminate();
    await append(service, 2, 3);
    await until(() => service.of('connection.opened').length === 2, 'it is back');
    await append(service, 4);
    await new Promise((resolve) => setTimeout(resolve, 50));
    assert.deepEqual(client.seen.log, ['first', 1]);
    // What was held back was never handled, so it comes again.
    for (const connection of service.supervisor.connections) connection.terminate();
    await until(() => service.of('connection.opened').length === 3, 'it is back again');
    await new Promise((resolve) => setTimeout(resolve, 50));
    isSlow = false;
    settle();
    await append(service, 5);
    await got(client, 'first', 1, 'resumed', 2, 3, 4, 5);
  });

  it('counts a message that breaks its contract as received', async () => {
    const service = await serve();
    const messages = {
      '~standard': {
        version: 1,
        vendor: 'test',
        validate: (value: unknown) =>
          typeof value === 'number' ? { value } : { issues: [{ message: 'no number' }] },
      },
    } as const;
    const client = dial(service.url, { messages });
    await told(client, 1);
    const appended = await service.supervisor.topic(ROOM).append('wrong');
    assert.ok('position' in appended);
    await until(() => client.positions[ROOM] === appended.position, 'its position moves');
    for (const connection of service.supervisor.connections) connection.terminate();
    await append(service, 1);
    await got(client, 'first', 'resumed', 1);
  });

  const thrower = {
    '~standard': {
      version: 1,
      vendor: 'test',
      validate: (value: unknown) => {
        if (String(value).startsWith('long')) throw new Error('a bug of the schema');
        return { value };
      },
    },
  } as const;
  const tooLong = { limits: { payloadBytesMax: 1_000 } };
  for (const { what, make, cause } of [
    {
      what: 'is too long for it',
      make: (url: string) => dial(url, tooLong),
      cause: 'protocol-error',
    },
    {
      what: 'is too long for a page',
      make: (url: string) => watched(createPageClient(url, { mooring: true, backoff, ...tooLong })),
      cause: 'message-limit',
    },
    {
      what: 'its contract throws for',
      make: (url: string) => dial(url, { messages: thrower }),
      cause: 'handler-error',
    },
  ])
    it(`counts a message that ${what} as received, after the connection has ended`, async () => {
      globalThis.WebSocket ??= UndiciWebSocket as never;
      const service = await serve();
      const client = make(service.url);
      const causes: unknown[] = [];
      client.endings$.subscribe((ending) =>
        causes.push('verdict' in ending && ending.verdict.cause),
      );
      await told(client, 1);
      await append(service, 1, `long ${'x'.repeat(2_000)}`, 2);
      await got(client, 'first', 1, 'resumed', 2);
      assert.deepEqual(causes, [cause]);
    });

  it('comes back behind a message that is too long, and gets those before it, though onOpen takes its time', async () => {
    const service = await serve();
    const client = dial(service.url, {
      ...tooLong,
      onOpen: () => new Promise((resolve) => setTimeout(resolve, 50)),
    });
    let endings = 0;
    client.endings$.subscribe(() => {
      endings += 1;
    });
    await told(client, 1);
    for (const connection of service.supervisor.connections) connection.terminate();
    await append(service, 1, 'x'.repeat(2_000), 2);
    await until(() => client.seen.messages.length === 2, 'both arrive');
    assert.deepEqual(client.seen.messages, [1, 2]);
    assert.equal(endings, 3, 'after the break, with the first held back, and behind it');
  });

  it('of a page gets what came before a message that is too long, while reading is paused', async () => {
    globalThis.WebSocket ??= UndiciWebSocket as never;
    const service = await serve();
    const limits = { payloadBytesMax: 8_000 };
    const client = watched(createPageClient(service.url, { mooring: true, backoff, limits }));
    await told(client, 1);
    client.pause();
    await append(service, 1, 'x'.repeat(9_000), 2);
    await new Promise((resolve) => setTimeout(resolve, 50));
    assert.deepEqual(client.seen.log, ['first']);
    client.resume();
    await got(client, 'first', 1, 'resumed', 2);
  });

  it('tells each of its positions once, though not all fit into its outbox', async () => {
    globalThis.WebSocket ??= UndiciWebSocket as never;
    const service = await serve();
    const names = Array.from({ length: 500 }, (_, number) => `room/${'x'.repeat(200)}/${number}`);
    const positions = Object.fromEntries([ROOM, ...names].map((name) => [name, 'log.1.tag']));
    const limits = { outboxHighBytes: 4_096, outboxLowBytes: 1_024 };
    const client = watched(
      createPageClient(service.url, { mooring: true, backoff, limits, positions }),
    );
    await told(client, 1);
    assert.equal(client.seen.recoveries[0]?.cause, 'reset');
    await client.close();
    const { verdict } = await service.when('connection.closed');
    const bytes = JSON.stringify(positions).length;
    assert.ok(verdict.bytesIn > bytes && verdict.bytesIn < 1.3 * bytes, `${verdict.bytesIn}`);
  });

  it('answers the first beat as soon as its outbox has room, though it sends all the time', async () => {
    const service = await serve();
    const client = dial(service.url, {
      limits: { outboxHighBytes: 65_536, outboxLowBytes: 1_024 },
      onOpen: (connection) => {
        while (connection.send('x'.repeat(10_000)) !== 'refused');
      },
    });
    const sending = setInterval(() => client.send('y'), 5);
    stops.add(() => clearInterval(sending));
    await told(client, 1);
    await append(service, 1);
    await got(client, 'first', 1);
  });

  it('works in a page over the native WebSocket', async () => {
    const service = await serve();
    globalThis.WebSocket ??= UndiciWebSocket as never;
    const client = watched(createPageClient(service.url, { mooring: true, backoff }));
    await told(client, 1);
    await append(service, 1);
    await got(client, 'first', 1);
    for (const connection of service.supervisor.connections) connection.terminate();
    await append(service, 2);
    await got(client, 'first', 1, 'resumed', 2);
  });

  it('refuses positions that are none, or that would have no effect', () => {
    const url = 'ws://127.0.0.1:1/';
    const make = (options: object) => () => createClient(url, options);
    for (const positions of [7, 'x', [], { a: 1 }, { a: null }]) {
      const expected = {
        code: 'invalid-options',
        message: /options\.positions: must be the positions/,
      };
      assert.throws(make({ mooring: true, positions }), expected);
    }
    const expected = { code: 'invalid-options', message: /positions: needs mooring: true/ };
    assert.throws(make({ positions: {} }), expected);
  });
});

describe('a hand-over', () => {
  it('sends Mooring clients on, which resume elsewhere within backoff.minMs', async () => {
    const bus = memoryBus();
    const [one, other] = [await serve({ bus }), await serve({ bus })];
    const peer = await RawPeer.open(one.port);
    stops.add(() => peer.destroy());
    let { url } = one;
    const slow = { minMs: 10, maxMs: 60_000, stableMs: 60_000 };
    const client = dial(() => url, { backoff: slow });
    await told(client, 1);
    await append(one, 1);
    url = other.url;
    const drained = one.supervisor.drain({ withinMs: 300 });
    await append(other, 2, 3);
    await told(client, 2);
    await append(other, 4);
    await got(client, 'first', 1, 'resumed', 2, 3, 4);
    // The plain peer answers no close frame.
    assert.equal((await drained).forced, 1);
    assert.equal(
      peer.texts.some((text) => text.startsWith('\u0001')),
      false,
    );
  });

  it('is announced only if there is a bus, or the caller of the drain says so', async () => {
    for (const [options, handOver, expected] of [
      [{}, undefined, false],
      [{}, true, true],
      [{ bus: memoryBus() }, undefined, true],
      [{ bus: memoryBus() }, false, false],
    ] as const) {
      const service = await serve(options);
      const headers = { 'Sec-WebSocket-Protocol': 'mooring.v1' };
      const peer = await RawPeer.open(service.port, { headers });
      stops.add(() => peer.destroy());
      await service.when('connection.opened');
      const drained = service.supervisor.drain({ withinMs: 500, handOver });
      await until(() => peer.frames.some((frame) => frame.opcode === opcode.close), 'it is closed');
      assert.equal(peer.texts.includes('\u0001["go"]'), expected);
      peer.destroy();
      await drained;
    }
    const service = await serve();
    const wrong = service.supervisor.drain({ handOver: 'yes' as unknown as boolean });
    await assert.rejects(wrong, { code: 'invalid-options', message: /handOver/ });
  });
});
