import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ChartSystem } from '../../src/chart/chart-system.ts';
import { ClientStreams } from '../../src/client/client-streams.ts';
import type { OutboundOutbox, Outgoing } from '../../src/client/outbound-outbox.ts';
import { Sender } from '../../src/client/sender.ts';
import { idle } from '../../src/client/supervised-client.ts';
import { sharedRuntime } from '../../src/connection/shared-runtime.ts';
import type { Codec } from '../../src/core/codec.ts';
import { Contract, requestContracts } from '../../src/core/contract.ts';
import { TimerWheel } from '../../src/core/timer-wheel.ts';
import { VirtualClock } from '../../src/testing/virtual-clock.ts';
import { resolveClientOptions } from '../support/client-options.ts';

/** Sends the given messages. */
const passing: Codec = { name: 'none', encode: (message) => message as string, decode: String };

type Bench = Record<'room' | 'queueMax' | 'queueBytesMax' | 'queueFlushPerSecond', number>;

/** A sender whose connection accepts as many messages as it has room for, or is absent. */
function bench({ room = 0, queueMax = 10, ...more }: Partial<Bench> = {}) {
  const clock = new VirtualClock();
  const log: string[] = [];
  const connection = {
    ...{ room, isThere: true, isOver: false, isAwaited: false },
    whenDropped: () => {},
  };
  const outbox = {
    hasRoom: () => connection.room > 0,
    awaitRoom: () => {
      connection.isAwaited = true;
    },
    send: (payload: unknown, { settle }: Outgoing) => {
      connection.room -= 1;
      log.push(String(payload));
      settle?.('sent');
      return 'sent';
    },
  };
  const options = resolveClientOptions({ queueMax, ...more }, clock);
  const context = sharedRuntime(options, new TimerWheel(clock, 10));
  const dialer = {
    get outbox() {
      return connection.isThere ? (outbox as unknown as OutboundOutbox) : null;
    },
    exchange: undefined,
    isReadingPaused: false,
  };
  const charts = new ChartSystem({ actorHost: null, areEager: false }, clock);
  const streams = new ClientStreams<unknown>(idle, null);
  const contract = new Contract(passing);
  const contracts = requestContracts(options);
  const runtime = { options, context, contract, contracts };
  const sender = new Sender({ runtime, charts, streams }, dialer, () => connection.isOver);
  streams.events.observable.subscribe((event) => {
    if (event.type !== 'message.dropped') return;
    log.push(`${event.message} ${event.reason}`);
    connection.whenDropped();
  });
  return { sender, connection, log, clock };
}

describe('Sender', () => {
  it('sends what it can, and keeps the rest in order', () => {
    const { sender, connection, log } = bench({ room: 1 });
    assert.deepEqual(
      ['a', 'b', 'c'].map((message) => sender.send(message, {})),
      [...['sent', 'queued', 'queued']],
    );
    assert.deepEqual([log, sender.queued], [['a'], 2]);
    assert.equal(connection.isAwaited, true);
    connection.room = 10;
    sender.sendQueued();
    assert.deepEqual([log, sender.queued], [['a', 'b', 'c'], 0]);
  });

  it('never sends a message ahead of an older one', () => {
    const { sender, connection, log } = bench();
    sender.send('old', {});
    connection.room = 10;
    assert.equal(sender.send('new', {}), 'queued');
    assert.equal(sender.send('now', { queue: false }), 'refused');
    sender.sendQueued();
    assert.deepEqual(log, ['old', 'new']);
  });

  it('removes a message from the queue only when the connection accepted it', () => {
    const { sender, connection, log } = bench();
    for (const message of ['a', 'b', 'c']) sender.send(message, {});
    connection.room = 1;
    sender.sendQueued();
    assert.deepEqual([log, sender.queued], [['a'], 2]);
    connection.isThere = false;
    sender.sendQueued();
    assert.equal(sender.queued, 2);
  });

  it('keeps a copy of the bytes', () => {
    const { sender, connection, log } = bench();
    const bytes = new Uint8Array([1, 2]);
    sender.send(bytes, {});
    bytes.fill(9);
    connection.room = 1;
    sender.sendQueued();
    assert.deepEqual(log, ['1,2']);
  });

  it('reports the result of a message, however long that takes', async () => {
    const { sender, connection } = bench({ room: 1, queueMax: 1 });
    const flushed = ['a', 'b', 'c'].map((message) => sender.sendAndFlush(message, {}));
    connection.room = 1;
    sender.sendQueued();
    assert.deepEqual(await Promise.all(flushed), ['sent', 'lost', 'sent']);
    assert.equal(await sender.sendAndFlush('d', { queue: false }), 'refused');
  });

  it('expires waiting messages without a further call, and holds no timer afterwards', () => {
    const { sender, log, clock } = bench();
    sender.send('a', { ttlMs: 100 });
    sender.send('b', { ttlMs: 50 });
    sender.send('c', {});
    clock.advance(200);
    assert.deepEqual([log, sender.queued], [['b expired', 'a expired'], 1]);
    sender.clear('stopped');
    assert.deepEqual([log.at(-1), clock.timersPending], ['c stopped', 0]);
  });

  it('keeps nothing when there will be no further connection', () => {
    const { sender, connection } = bench();
    connection.isOver = true;
    assert.deepEqual([sender.send('a', {}), sender.queued], ['refused', 0]);
  });

  for (const [why, queueMax] of [
    ['expired', 10],
    ['queue-full', 1],
  ] as const) {
    it(`loses nothing when a listener for a ${why} message ends the client`, async () => {
      const { sender, connection, log, clock } = bench({ queueMax });
      connection.whenDropped = () => {
        connection.isOver = true;
        sender.clear('stopped');
      };
      sender.send('a', { ttlMs: why === 'expired' ? 15 : 60_000 });
      // Expired, but the wheel has not run yet.
      if (why === 'expired') clock.advance(16);
      const settled = await Promise.race([sender.sendAndFlush('b', { ttlMs: 60_000 }), 'for ever']);
      assert.deepEqual([log[0], sender.queued], [`a ${why}`, 0]);
      assert.equal(settled, 'lost');
      assert.equal(clock.timersPending, 0);
    });
  }

  it('paces messages that waited for a connection, and keeps newer ones behind them', () => {
    const { sender, connection, log, clock } = bench({ queueMax: 100, queueFlushPerSecond: 10 });
    const numbers = [...Array(40).keys()].map(String);
    for (const number of numbers) sender.send(number, {});
    connection.room = 1_000;
    sender.connected();
    assert.equal(log.length, 20);
    sender.send('later', {});
    clock.advance(1_000);
    assert.equal(log.length, 30);
    clock.advance(1_000);
    assert.deepEqual(log, [...numbers, 'later']);
    assert.deepEqual([sender.send('now', {}), clock.timersPending], ['sent', 0]);
  });

  it('never paces messages that wait for room on an open connection', () => {
    const { sender, connection, log } = bench({ queueMax: 100, queueFlushPerSecond: 10 });
    sender.connected();
    for (let number = 0; number < 100; number += 1) sender.send(String(number), {});
    connection.room = 1_000;
    sender.sendQueued();
    assert.equal(log.length, 100);
  });

  it('begins a new pace with each connection, and holds no timer of the old one', () => {
    const { sender, connection, log, clock } = bench({ queueFlushPerSecond: 1 });
    for (const message of ['a', 'b', 'c', 'd']) sender.send(message, {});
    connection.room = 1_000;
    sender.connected();
    assert.equal(log.length, 2);
    connection.isThere = false;
    clock.advance(5_000);
    assert.equal(log.length, 2);
    connection.isThere = true;
    sender.connected();
    assert.deepEqual([log, clock.timersPending], [['a', 'b', 'c', 'd'], 0]);
  });

  it('refuses a message larger than the whole queue, and drops nothing for it', () => {
    const { sender, log } = bench({ queueBytesMax: 10 });
    sender.send('a', {});
    assert.equal(sender.send('ü'.repeat(6), {}), 'refused');
    assert.equal(sender.send('ü'.repeat(4), {}), 'queued');
    assert.deepEqual([sender.queued, log], [2, []]);
    sender.send('bb', {});
    assert.deepEqual([sender.queued, log], [2, ['a queue-full']]);
  });

  it('refuses an invalid time to live', () => {
    const { sender } = bench();
    for (const ttlMs of [-1, Number.NaN]) {
      assert.throws(() => sender.send('a', { ttlMs }), { code: 'invalid-options' });
    }
  });
});
