import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import {
  createSupervisor,
  type Listener,
  listen,
  type Supervisor,
  textCodec,
} from '../../src/index.ts';
import { crowd } from '../support/crowd.ts';
import { heapUsed, untilCollected } from '../support/garbage.ts';
import { RawPeer } from '../support/raw-peer.ts';
import { Service } from '../support/service.ts';
import { turns, until } from '../support/until.ts';

describe('the memory of topics', () => {
  let supervisor: Supervisor<unknown, unknown, unknown>;
  let listener: Listener;

  afterEach(async () => {
    await supervisor.drain({ withinMs: 1_000 });
    await listener.close();
  });

  async function start(): Promise<void> {
    supervisor = createSupervisor();
    listener = await listen(supervisor);
  }

  it('100,000 topics that were joined and left hold nothing', async () => {
    await start();
    const peer = await RawPeer.open(listener.port);
    await until(() => supervisor.counts.open === 1, 'it is open');
    const [connection] = [...supervisor.connections];
    assert.ok(connection);
    const visit = (round: string) => {
      for (let n = 0; n < 50_000; n += 1) {
        const name = `topic ${round} ${n}`;
        assert.ok(connection.join(name));
        assert.equal(supervisor.topic(name).size, 1);
        assert.ok(connection.leave(name));
      }
    };
    visit('warm up');
    const before = await heapUsed();
    visit('measured');
    const grown = (await heapUsed()) - before;
    assert.ok(grown < 2_000_000, `${grown} bytes were kept`);
    assert.deepEqual(connection.topics, []);
    peer.destroy();
    await until(() => supervisor.counts.closed === 1, 'it is gone');
  });

  it('100,000 topics that were published to, looked up or listened to hold nothing', async () => {
    await start();
    const before = await heapUsed();
    for (let n = 0; n < 100_000; n += 1) {
      const topic = supervisor.topic(`invented ${n}`);
      topic.publish('hello');
      if (n % 3 === 0) topic.messages$.subscribe().unsubscribe();
      // A handle is kept until the task is over, whoever holds it.
      if (n % 1_000 === 0) await turns();
    }
    let kept = (await heapUsed()) - before;
    for (let tries = 0; kept > 2_000_000 && tries < 100; tries += 1) {
      kept = (await heapUsed()) - before;
    }
    assert.ok(kept < 2_000_000, `${kept} bytes were kept`);
  });

  it('one topic whose handle is held, joined and left 100,000 times, holds no more than once', async () => {
    await start();
    const peer = await RawPeer.open(listener.port);
    await until(() => supervisor.counts.open === 1, 'it is open');
    const [connection] = [...supervisor.connections];
    const topic = supervisor.topic('lobby');
    const visit = () => {
      for (let n = 0; n < 100_000; n += 1) {
        connection?.join('lobby');
        connection?.leave('lobby');
      }
    };
    visit();
    const before = await heapUsed();
    visit();
    const grown = (await heapUsed()) - before;
    assert.ok(grown < 1_000_000, `${grown} bytes were kept`);
    assert.equal(topic, supervisor.topic('lobby'));
    peer.destroy();
    await until(() => supervisor.counts.closed === 1, 'it is gone');
  });

  /** A connection joins topics, gets publications and is lost. Only a weak reference remains. */
  async function visit(n: number): Promise<WeakRef<object>> {
    const peer = await RawPeer.open(listener.port);
    await until(() => supervisor.counts.open === 2, 'it is open');
    for (const connection of supervisor.connections) {
      connection.join('lasting');
      connection.join(`its own ${n}`);
    }
    supervisor.topic('lasting').publish('hello');
    const [, visitor] = [...supervisor.connections];
    assert.ok(visitor);
    peer.reset();
    return new WeakRef(visitor);
  }

  it('a topic keeps no connection that has ended, nor its handle', async () => {
    await start();
    const refs: WeakRef<object>[] = [];
    const lasting = await RawPeer.open(listener.port);
    for (let n = 0; n < 10; n += 1) {
      refs.push(await visit(n));
      await until(() => supervisor.counts.open === 1, 'it is gone');
    }
    assert.equal(supervisor.topic('lasting').size, 1);
    await untilCollected(refs);
    lasting.destroy();
    await until(() => supervisor.counts.open === 0, 'the last is gone');
    assert.equal(supervisor.topic('lasting').size, 0);
  });
});

// Goal: a peer that chooses names holds no more memory than the permitted names take. Method: each name is a slice of a
// long message, as an application may cut it from a text.
describe('the memory of names that a peer chooses', () => {
  const NAME_BYTES = 256;
  /** What a topic with one member costs besides its name. */
  const TOPIC_BYTES = 1_500;
  const topicsMax = 1_000;
  let service: Service;
  afterEach(() => service.stop());

  it('is topicsMax × 256 bytes, and holds no part of the messages', async () => {
    let refused = 0;
    service = await Service.start({
      codec: textCodec(),
      limits: { topicsMax },
      onMessage: (connection, message) => {
        if (!connection.join((message as string).slice(-NAME_BYTES))) refused += 1;
      },
    });
    const [member] = await crowd(service, 1);
    assert.ok(member);
    const padding = 'x'.repeat(32_768);
    const before = await heapUsed();
    for (let n = 0; n < topicsMax + 100; n += 1) {
      member.peer.text(padding + String(n).padStart(NAME_BYTES, '.'));
    }
    await until(() => refused === 100, 'all have arrived');
    // The service records them.
    service.messages.length = 0;
    const grown = (await heapUsed()) - before;
    assert.equal(member.connection.topics.length, topicsMax);
    const boundBytes = topicsMax * (NAME_BYTES + TOPIC_BYTES);
    assert.ok(grown < boundBytes, `${grown} bytes are held, not ${boundBytes}`);
    member.peer.destroy();
    await until(() => service.of('connection.closed').length === 1, 'it is gone');
  });
});

describe('many topics for many members', () => {
  let service: Service;
  afterEach(() => service.stop());

  it('100 members of 1,000 topics each leave them quickly', async () => {
    service = await Service.start();
    const members = await crowd(service, 100);
    const names = Array.from({ length: 1_000 }, (_, n) => `topic ${n}`);
    for (const { connection } of members) for (const name of names) connection.join(name);
    const { supervisor } = service;
    assert.equal(supervisor.topic('topic 999').size, 100);
    assert.equal(supervisor.topic('topic 0').publish('hello').delivered, 100);
    const began = performance.now();
    for (const { connection } of members) connection.terminate();
    const tookMs = performance.now() - began;
    for (const name of names) assert.equal(supervisor.topic(name).size, 0);
    assert.ok(tookMs < 2_000, `${tookMs} ms`);
  });
});
