// Goal: what is appended to a durable topic reaches every member once and in order, also members that were away or are too
// slow, or they are told that it does not. Method: a client that knows only docs/protocol.md, and plain peers, on real sockets.
import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import { memoryBus } from '../../src/index.ts';
import { ACK, append, durable, gets, offering, ROOM, resumed } from '../support/durable-client.ts';
import { RawPeer } from '../support/raw-peer.ts';
import type { Service } from '../support/service.ts';
import { Stops } from '../support/stops.ts';
import { until } from '../support/until.ts';

const stops = new Stops();
afterEach(() => stops.all());

const ENQ = '\u0005';
const { serve, client } = durable(stops);

async function plain(service: Service): Promise<RawPeer> {
  const before = service.of('connection.opened').length;
  const peer = await RawPeer.open(service.port);
  stops.add(() => peer.destroy());
  await until(() => service.of('connection.opened').length > before, 'it is open');
  return peer;
}

const numbers = (first: number, last: number) =>
  Array.from({ length: last - first + 1 }, (_, index) => first + index);

describe('a durable topic', () => {
  it('tells a Mooring client the position of each kept message, and a plain peer nothing', async () => {
    const service = await serve();
    const mooring = await client(service);
    const peer = await plain(service);
    const [position] = await append(service, 1, 1);
    service.supervisor.topic(ROOM).publish('typing');
    await gets(mooring, 1, 'typing');
    await until(() => peer.texts.length === 2, 'the peer has both');
    assert.deepEqual(peer.texts, ['1', '"typing"']);
    assert.deepEqual(mooring.texts.slice(-3), [
      `\u0001${JSON.stringify(['at', ROOM, position])}`,
      '1',
      '"typing"',
    ]);
    assert.deepEqual(mooring.told, [{ topic: ROOM, recovered: false, cause: 'first' }]);
  });

  it('gives a client that was away what it missed, once and in order', async () => {
    const service = await serve();
    const first = await client(service);
    await append(service, 1, 3);
    await gets(first, 1, 2, 3);
    first.socket.terminate();
    await append(service, 4, 200);
    const second = await client(service, first.positions);
    assert.deepEqual(second.told, [{ topic: ROOM, recovered: true, cause: 'resumed' }]);
    await append(service, 201, 202);
    await gets(second, ...numbers(4, 202));
  });

  it('brings them to a client at any process that shares the bus', async () => {
    const bus = memoryBus();
    const [one, other] = [await serve({ bus }), await serve({ bus })];
    const first = await client(one);
    await append(other, 1, 3);
    await gets(first, 1, 2, 3);
    first.socket.terminate();
    await append(one, 4, 6);
    const second = await client(other, first.positions);
    assert.deepEqual(second.told, [resumed]);
    await append(one, 7, 8);
    await gets(second, 4, 5, 6, 7, 8);
  });

  it('begins for a new member with the first message after it has joined', async () => {
    const service = await serve();
    await append(service, 1, 3);
    // The client answers the first beat late, and gets what was kept in between.
    const late = await RawPeer.open(service.port, offering);
    stops.add(() => late.destroy());
    await service.when('connection.opened');
    await append(service, 4, 5);
    await new Promise((resolve) => setTimeout(resolve, 30));
    assert.deepEqual(late.texts, [ENQ]);
    late.text(ACK);
    await until(() => late.texts.length === 6, 'it has everything');
    const [, on, , four, , five] = late.texts;
    assert.ok(on?.startsWith('\u0001["on","room/1","'), on);
    assert.ok(on?.endsWith(',false,"first"]'), on);
    assert.deepEqual([four, five], ['4', '5']);
  });

  it('tells a client that was away for too long, and goes on with what comes next', async () => {
    const bus = memoryBus({ retention: { messagesPerTopic: 300 } });
    const service = await serve({ bus });
    const first = await client(service);
    await append(service, 1, 1);
    await gets(first, 1);
    first.socket.terminate();
    await append(service, 2, 302);
    const second = await client(service, first.positions);
    assert.deepEqual(second.told, [{ topic: ROOM, recovered: false, cause: 'expired' }]);
    await append(service, 303, 303);
    await gets(second, 303);
    second.socket.terminate();
    await append(service, 304, 603);
    // As many as are kept are not too many.
    const third = await client(service, second.positions);
    assert.deepEqual(third.told, [resumed]);
    await gets(third, ...numbers(304, 603));
  });

  it('accepts no position that it has not given for this topic', async () => {
    const service = await serve();
    const first = await client(service);
    const [one = '', two = ''] = await append(service, 1, 2);
    await gets(first, 1, 2);
    const [log = '', number = '', tag = ''] = two.split('.');
    const forged = [
      '',
      'x',
      '0.0.',
      `${log}.${number}.AAAAAAAA`,
      `${log}.zzzz.${tag}`,
      `${log}0.${number}.${tag}`,
      `${log}.${number}.${one.split('.')[2]}`,
      'x'.repeat(100_000),
    ];
    for (const position of forged) {
      const peer = await client(service, [[ROOM, position]]);
      assert.deepEqual(peer.told, [{ topic: ROOM, recovered: false, cause: 'reset' }], position);
      peer.socket.terminate();
    }
    for (const [position, expected] of [
      [one, [2]],
      [two, []],
    ] as const) {
      const peer = await client(service, [[ROOM, position]]);
      assert.deepEqual(peer.told, [resumed]);
      await gets(peer, ...expected);
      peer.socket.terminate();
    }
  });

  it('yields nothing for a topic that the application does not join the client to', async () => {
    const service = await serve();
    const { outcome } = await service.supervisor.topic('room/secret').append('secret');
    assert.equal(outcome, 'kept');
    const [position = ''] = await append(service, 1, 1);
    const peer = await client(service, [
      ['room/secret', position],
      [ROOM, position],
    ]);
    await append(service, 2, 2);
    await gets(peer, 2);
    assert.deepEqual(peer.told, [resumed]);
    assert.equal(peer.texts.join().includes('secret'), false);
  });

  it('takes positions once, before the first beat is answered', async () => {
    const service = await serve({ onOpen: () => {} });
    const [position = ''] = await append(service, 1, 1);
    const peer = await RawPeer.open(service.port, offering);
    stops.add(() => peer.destroy());
    await service.when('connection.opened');
    peer.text(ACK);
    peer.text(`\u0001${JSON.stringify(['from', { [ROOM]: position }])}`);
    await append(service, 2, 2);
    peer.json('a message');
    await until(() => service.messages.length === 1, 'all has arrived');
    for (const connection of service.supervisor.connections) connection.join(ROOM);
    await until(() => peer.texts.length === 2, 'it is told');
    assert.match(String(peer.texts[1]), /false,"first"\]$/);
  });

  it('survives positions that are nonsense', async () => {
    const service = await serve();
    const names = JSON.parse('{"__proto__":"x","constructor":1,"room/1":{}}');
    for (const positions of [names, [], null, 7, 'x', { [ROOM]: null }, [[ROOM]]]) {
      const peer = await RawPeer.open(service.port, offering);
      peer.text(`\u0001${JSON.stringify(['from', positions])}`);
      peer.text(ACK);
      await until(() => peer.texts.length === 2, 'it is told');
      const isGiven = positions !== null && Object.keys(Object(positions)).includes(ROOM);
      assert.match(String(peer.texts[1]), isGiven ? /false,"reset"/ : /false,"first"/);
      peer.destroy();
    }
    assert.deepEqual(service.of('handler.errored'), []);
  });

  it('tells a member that is back in a silent topic where it is, at a process that is new to it', async () => {
    const bus = memoryBus({ retention: { forMs: 1_000 } });
    const one = await serve({ bus });
    const before = await client(one);
    const [kept] = await append(one, 1, 1);
    await gets(before, 1);
    // Numbers are those of the whole bus. Its own message is not kept any more.
    const topic = one.supervisor.topic('room/2');
    const end = performance.now() + 1_200;
    while (performance.now() < end) {
      await topic.append('other');
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    assert.notEqual(before.positions.get(ROOM), kept);
    const silent = before.positions.get(ROOM);
    before.socket.terminate();
    await topic.append('other');
    const after = await client(await serve({ bus }), before.positions);
    assert.deepEqual(after.told, [resumed]);
    await until(() => after.positions.get(ROOM) !== silent, 'it is told that nothing is new');
    await append(one, 2, 2);
    await gets(after, 2);
    assert.deepEqual(after.told, [resumed]);
  });

  it('tells a member that leaves to forget its position', async () => {
    const service = await serve();
    const peer = await client(service);
    await append(service, 1, 1);
    await gets(peer, 1);
    const [connection] = [...service.supervisor.connections];
    assert.equal(connection?.leave(ROOM), true);
    await append(service, 2, 2);
    await until(() => !peer.positions.has(ROOM), 'it has forgotten it');
    assert.equal(connection?.join(ROOM), true);
    await until(() => peer.told.length === 2, 'it is told where it is');
    await append(service, 3, 3);
    await gets(peer, 1, 3);
    assert.deepEqual(peer.told.at(-1), { topic: ROOM, recovered: false, cause: 'first' });
  });
});

describe('a slow member of a durable topic', () => {
  const big = (number: number) => `${number} ${'x'.repeat(8_192)}`;

  async function flood(service: Service, count: number) {
    const topic = service.supervisor.topic(ROOM);
    for (let number = 1; number <= count; number += 1) await topic.append(big(number));
  }

  it('holds a place and no messages, and gets all of them when it reads again', async () => {
    const service = await serve({ bus: memoryBus({ retention: { messagesPerTopic: 2_000 } }) });
    const [slow, quick] = [await client(service), await client(service)];
    const peer = await plain(service);
    const [connection] = [...service.supervisor.connections];
    slow.socket.pause();
    await flood(service, 1_500);
    await until(() => quick.messages.length === 1_500, 'the quick one has all');
    await until(() => peer.texts.length === 1_500, 'the plain one has all');
    assert.ok((connection?.bufferedBytes ?? 0) < 1_100_000, `${connection?.bufferedBytes} wait`);
    assert.equal(connection?.flow, 'congested');
    assert.equal(connection?.droppedMessages, 0);
    slow.socket.resume();
    await until(() => slow.messages.length === 1_500, 'the slow one has all');
    await flood(service, 1);
    await until(() => slow.messages.length === 1_501, 'it keeps up again');
    await until(() => quick.messages.length === 1_501, 'so does the other');
    assert.deepEqual(slow.messages, quick.messages);
    assert.deepEqual(
      slow.messages.slice(0, 1_500),
      numbers(1, 1_500).map((number) => big(number)),
    );
    assert.equal(slow.told.length, 1);
  });

  it('leaves room in its outbox for other messages while it catches up', async () => {
    const service = await serve({
      bus: memoryBus({ retention: { messagesPerTopic: 2_000 } }),
      limits: { outboxHighBytes: 200_000, outboxLowBytes: 50_000 },
    });
    const before = await client(service);
    await append(service, 1, 1);
    await gets(before, 1);
    before.socket.terminate();
    await service.when('connection.closed');
    await flood(service, 1_500);
    const { supervisor } = service;
    const prices = supervisor.topic('prices', { overflow: 'close' });
    const results: string[] = [];
    const sending = setInterval(() => {
      for (const connection of supervisor.connections) {
        results.push(connection.send({ other: 'a reply' }));
        connection.join('prices');
      }
      prices.publish({ other: 'a price' });
    }, 1);
    stops.add(() => clearInterval(sending));
    const after = await client(service, before.positions);
    const own = () => after.messages.filter((message) => typeof message === 'string');
    await until(() => own().length === 1_500, 'it has caught up');
    assert.deepEqual(
      own(),
      numbers(1, 1_500).map((number) => big(number)),
    );
    assert.ok(results.length > 3, `${results.length} replies`);
    assert.ok(!results.includes('refused'), 'each reply leaves');
    assert.equal(after.closeCode, 0);
  });

  it('catches up behind a long message that it shares with others', async () => {
    const service = await serve({ timeouts: { stalledMs: 2_000 } });
    const { supervisor } = service;
    const before = await client(service);
    await append(service, 1, 1);
    await gets(before, 1);
    before.socket.terminate();
    await service.when('connection.closed');
    await append(service, 2, 3);
    const peer = await RawPeer.open(service.port, offering);
    stops.add(() => peer.destroy());
    const [connection] = [...supervisor.connections];
    connection?.join('news');
    peer.socket.pause();
    // Longer than the system takes at once.
    for (let left = 12; left > 0; left -= 1) {
      if (connection?.flow === 'congested' || (connection?.bufferedBytes ?? 0) > 400_000) break;
      supervisor.topic('news').publish('x'.repeat(500_000));
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    assert.equal(connection?.flow, 'flowing');
    peer.text(`\u0001${JSON.stringify(['from', Object.fromEntries(before.positions)])}`);
    peer.text(ACK);
    await new Promise((resolve) => setTimeout(resolve, 100));
    peer.socket.resume();
    await until(() => peer.texts.at(-1) === '3', 'it has caught up');
  });

  it('is told what it has missed for good, and a plain peer is closed with 1013', async () => {
    const service = await serve({ bus: memoryBus({ retention: { messagesPerTopic: 10 } }) });
    const slow = await client(service);
    const peer = await plain(service);
    slow.socket.pause();
    peer.socket.pause();
    await flood(service, 1_500);
    peer.socket.resume();
    slow.socket.resume();
    const { verdict } = await service.when('connection.closed');
    const { cause, level, sent } = verdict;
    assert.deepEqual([cause, level, sent?.code], ['missed-messages', 'warn', 1013]);
    await until(() => slow.told.length === 2, 'the client is told');
    assert.deepEqual(slow.told[1], { topic: ROOM, recovered: false, cause: 'expired' });
    await append(service, 7, 7);
    await until(() => slow.messages.at(-1) === 7, 'it goes on');
    const got = slow.messages.slice(0, -1).map((text) => Number.parseInt(String(text), 10));
    assert.deepEqual(got, numbers(1, got.length));
  });
});

describe('append', () => {
  it('keeps a message once under one id, and says where', async () => {
    const service = await serve();
    const peer = await client(service);
    const topic = service.supervisor.topic(ROOM);
    const one = await topic.append('x', { id: 'a' });
    const same = await topic.append('x', { id: 'a' });
    const other = await service.supervisor.topic('room/2').append('x', { id: 'a' });
    assert.ok('position' in one && 'position' in same);
    assert.deepEqual([one.outcome, same.outcome, other.outcome], ['kept', 'duplicate', 'kept']);
    assert.deepEqual([one.id, same.position], ['a', one.position]);
    await topic.append('y');
    await gets(peer, 'x', 'y');
  });

  it('throws at once for a topic that is not durable, and for what is wrong', async () => {
    const service = await serve();
    const topic = service.supervisor.topic(ROOM);
    const lobby = service.supervisor.topic('lobby');
    assert.deepEqual([topic.isDurable, lobby.isDurable], [true, false]);
    assert.throws(() => lobby.append('x'), { code: 'not-durable', message: /topic lobby/ });
    assert.throws(() => topic.append(1n), { code: 'unencodable-message' });
    for (const id of ['', 'a b', 'ä', 'x'.repeat(129), 7 as unknown as string])
      assert.throws(() => topic.append('x', { id }), {
        code: 'invalid-options',
        message: /^options\.id: /,
      });
    assert.throws(() => topic.append('x', { key: 'a' } as never), { code: 'invalid-options' });
    assert.throws(() => topic.append('x'.repeat(1_100_000)), { code: 'message-too-large' });
    const alone = await stops.service();
    assert.throws(() => alone.supervisor.topic(ROOM).append('x'), { code: 'not-durable' });
  });

  it('emits what is kept to the listeners of the topic, in every process', async () => {
    const bus = memoryBus();
    const services = [await serve({ bus }), await serve({ bus })];
    const heard: unknown[][] = services.map(() => []);
    for (const [at, { supervisor }] of services.entries())
      supervisor.topic(ROOM).messages$.subscribe((message) => heard[at]?.push(message));
    await new Promise((resolve) => setTimeout(resolve, 10));
    await services[0]?.supervisor.topic(ROOM).append(1);
    await services[1]?.supervisor.topic(ROOM).append(2);
    await until(() => heard.flat().length === 4, 'all are heard');
    assert.deepEqual(heard, [
      [1, 2],
      [1, 2],
    ]);
  });

  it('keeps bytes as they were when it was called', async () => {
    const encode = (bytes: unknown) => bytes as Uint8Array;
    const service = await serve({ codec: { name: 'raw', encode, decode: (bytes) => bytes } });
    const peer = await RawPeer.open(service.port);
    stops.add(() => peer.destroy());
    await service.when('connection.opened');
    const bytes = Buffer.from([1, 2, 3]);
    const appended = service.supervisor.topic(ROOM).append(bytes);
    bytes.fill(0);
    await appended;
    await until(() => peer.frames.length === 1, 'it arrives');
    assert.deepEqual([...(peer.frames[0]?.payload ?? [])], [1, 2, 3]);
  });

  it('is unconfirmed after the supervisor has stopped, and never rejects', async () => {
    const service = await serve();
    const topic = service.supervisor.topic(ROOM);
    await service.supervisor.drain();
    const appended = await topic.append('x', { id: 'late' });
    assert.deepEqual(appended, { outcome: 'unconfirmed', id: 'late' });
  });

  it('reports what the option durable throws, and takes the topic for one that is not', async () => {
    const service = await serve({
      onOpen: () => {},
      durable: () => {
        throw new Error('boom');
      },
    });
    const topic = service.supervisor.topic(ROOM);
    assert.throws(() => topic.append('x'), { code: 'not-durable' });
    const { handler } = await service.when('handler.errored');
    assert.equal(handler, 'durable');
  });
});
