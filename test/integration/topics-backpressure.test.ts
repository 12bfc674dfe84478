import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import { fillBacklog } from '../support/backlog.ts';
import { caughtUp, crowd, type Member } from '../support/crowd.ts';
import { opcode } from '../support/frames.ts';
import { Service } from '../support/service.ts';
import { until } from '../support/until.ts';

const TOPIC = 'prices';
const KILOBYTE = 'x'.repeat(1_024);

describe('a member that stops reading', () => {
  let service: Service;
  afterEach(() => service.stop());

  async function start(options: Parameters<typeof Service.start>[0] = {}): Promise<Member[]> {
    service = await Service.start({
      limits: { outboxHighBytes: 200_000, outboxLowBytes: 50_000 },
      ...options,
    });
    const members = await crowd(service, 3);
    for (const { connection } of members) connection.join(TOPIC);
    return members;
  }

  /** Publishes until only this member is congested. Returns the number of messages published. */
  async function congest(slow: Member, first = 0): Promise<number> {
    slow.peer.pause();
    // Most of it is for this member alone, so that the others keep up.
    await fillBacklog(slow.connection, 100_000);
    let count = 0;
    while (!slow.connection.states.includes('open.flow.congested')) {
      const { dropped } = service.supervisor
        .topic(TOPIC)
        .publish({ n: first + count, filler: KILOBYTE });
      assert.equal(dropped, 0);
      count += 1;
      assert.ok(count < 1_000);
    }
    return count;
  }

  const numbersOf = ({ peer }: Member) =>
    peer.texts.filter((text) => text.startsWith('{')).map((text) => JSON.parse(text).n as number);

  it('is reported as congested once; sends are refused, publications dropped and counted', async () => {
    const [slow, ...fast] = await start();
    assert.ok(slow);
    const before = await congest(slow);
    assert.equal(service.of('connection.congested').length, 1);
    assert.equal(service.of('connection.congested')[0]?.connection, slow.connection);
    const { bufferedBytes } = slow.connection;
    for (let n = 0; n < 100; n += 1) {
      const { delivered, dropped } = service.supervisor.topic(TOPIC).publish({ n: before + n });
      assert.deepEqual({ delivered, dropped }, { delivered: 2, dropped: 1 });
      assert.equal(slow.connection.send({ n: 'direct' }), 'refused');
    }
    assert.equal(service.supervisor.broadcast({ n: before + 100 }).dropped, 1);
    assert.equal(slow.connection.droppedMessages, 101);
    assert.equal(slow.connection.bufferedBytes, bufferedBytes, 'nothing accumulates');
    assert.equal(slow.connection.state, 'open');
    assert.equal(service.of('connection.congested').length, 1);
    for (const member of fast) {
      await caughtUp(member, 'end');
      assert.deepEqual(
        numbersOf(member),
        Array.from({ length: before + 101 }, (_, n) => n),
      );
      assert.equal(member.connection.droppedMessages, 0);
    }
    slow.peer.destroy();
  });

  it('accepts messages again when it reads: it got the earlier ones and gets the later ones', async () => {
    const [slow] = await start();
    assert.ok(slow);
    const before = await congest(slow);
    for (let n = 0; n < 10; n += 1) service.supervisor.topic(TOPIC).publish({ n: 'dropped' });
    slow.peer.socket.resume();
    await service.when('connection.flowing');
    assert.ok(slow.connection.states.includes('open.flow.flowing'));
    assert.equal(service.supervisor.topic(TOPIC).publish({ n: before }).dropped, 0);
    assert.notEqual(slow.connection.send({ n: before + 1 }), 'refused');
    await caughtUp(slow, 'end');
    assert.deepEqual(
      numbersOf(slow),
      Array.from({ length: before + 2 }, (_, n) => n),
    );
    assert.equal(slow.connection.droppedMessages, 10);
    const flow = service.events.map(({ type }) => type).filter((type) => /congest|flow/.test(type));
    assert.deepEqual(flow, ['connection.congested', 'connection.flowing']);
  });

  it('can be congested repeatedly', async () => {
    const [slow] = await start();
    assert.ok(slow);
    for (let turn = 1; turn <= 3; turn += 1) {
      await congest(slow);
      slow.peer.socket.resume();
      await until(() => service.of('connection.flowing').length === turn, 'it flows again');
    }
    assert.equal(service.of('connection.congested').length, 3);
    await caughtUp(slow, 'end');
  });

  it('accepts messages again even when the high mark is below the buffer of the socket', async () => {
    const [slow] = await start({
      limits: { outboxHighBytes: 4_000, outboxLowBytes: 1_000 },
      timeouts: { stalledMs: 200 },
    });
    assert.ok(slow);
    const { connection } = slow;
    slow.peer.pause();
    await until(() => {
      while (connection.send(KILOBYTE) !== 'refused');
      return connection.bufferedBytes > 4_000;
    }, 'it is congested');
    const { length } = service.of('connection.flowing');
    slow.peer.socket.resume();
    const flows = () => service.of('connection.flowing').length > length;
    await until(() => flows() || connection.state !== 'open', 'it flows again');
    assert.equal(connection.state, 'open');
    await caughtUp(slow, 'end');
  });

  it('and reads nothing for stalledMs is closed with 1013; others are not', async () => {
    const [slow, ...fast] = await start({ timeouts: { stalledMs: 100, closeMs: 100 } });
    assert.ok(slow);
    slow.peer.pause();
    await fillBacklog(slow.connection, 200_000);
    const { connection, verdict } = await service.when('connection.closed');
    assert.equal(connection, slow.connection);
    const { code, cause, origin, layer, level, clean, sent } = verdict;
    assert.deepEqual(
      { code, cause, origin, layer, level, clean, sent },
      {
        code: 1006,
        cause: 'slow-consumer',
        origin: 'local',
        layer: 'tcp',
        level: 'warn',
        clean: false,
        sent: undefined,
      },
    );
    assert.equal(service.supervisor.topic(TOPIC).size, 2);
    assert.equal(service.supervisor.topic(TOPIC).publish({ n: 1 }).delivered, 2);
    for (const member of fast) await caughtUp(member, 'end');
    slow.peer.destroy();
  });

  it('and reads on after that gets everything and the close frame 1013', async () => {
    const [slow] = await start({ timeouts: { stalledMs: 100, closeMs: 10_000 } });
    assert.ok(slow);
    slow.peer.pause();
    await fillBacklog(slow.connection, 200_000);
    await service.when('connection.closing');
    slow.peer.socket.resume();
    await slow.peer.finishPolitely();
    const { verdict } = await service.when('connection.closed');
    assert.deepEqual(slow.peer.closeFrame, { code: 1013, reason: 'too slow' });
    assert.deepEqual(
      [verdict.code, verdict.cause, verdict.clean, verdict.level],
      [1013, 'slow-consumer', true, 'warn'],
    );
  });

  it('is kept while it reads a little now and then', async () => {
    const [slow] = await start({ timeouts: { stalledMs: 250 } });
    assert.ok(slow);
    slow.peer.pause();
    await fillBacklog(slow.connection, 150_000);
    const began = performance.now();
    await until(() => {
      // One read of its buffer makes room for more. The backlog remains throughout.
      slow.peer.socket.read(0);
      slow.peer.socket.resume();
      setImmediate(() => slow.peer.socket.pause());
      slow.connection.send(KILOBYTE.repeat(64));
      return performance.now() - began > 1_000;
    }, 'a second has passed');
    assert.equal(slow.connection.state, 'open');
    slow.peer.socket.resume();
    await until(() => slow.connection.bufferedBytes === 0, 'it has caught up');
  });

  it('gets a message above the high mark whole, and later ones are refused', async () => {
    const [slow] = await start();
    assert.ok(slow);
    slow.peer.pause();
    const { connection } = slow;
    await fillBacklog(connection, 100_000);
    const long = 'y'.repeat(1_000_000);
    assert.equal(connection.send(long), 'queued');
    assert.equal(connection.send('more'), 'refused');
    slow.peer.socket.resume();
    await until(() => slow.peer.texts.includes(JSON.stringify(long)), 'it arrives');
    await caughtUp(slow, 'end');
  });
});

describe('frames of all kinds on one socket', () => {
  let service: Service;
  afterEach(() => service.stop());

  it('never interleave, whatever pings, pongs and closes are sent', async () => {
    service = await Service.start({
      heartbeat: { intervalMs: 20, graceMs: 10_000 },
      limits: { outboxHighBytes: 50_000_000 },
    });
    const members = await crowd(service, 2);
    const [talker, listener] = members;
    assert.ok(talker && listener);
    for (const { connection } of members) connection.join(TOPIC);
    const topic = service.supervisor.topic(TOPIC);
    const sizes = [0, 100, 125, 126, 5_000, 65_535, 65_536, 300_000];
    const sent: number[] = [];
    const pinged = () => listener.peer.frames.some((frame) => frame.opcode === opcode.ping);
    await until(() => {
      for (const size of sizes) {
        topic.publish('x'.repeat(size));
        sent.push(size);
      }
      for (let count = 0; count < 5; count += 1) {
        talker.peer.send({ opcode: opcode.ping, payload: `ping ${count}` });
      }
      return sent.length >= 200 && pinged();
    }, 'much has been published');
    for (const { connection } of members) connection.close(4000, 'the end');
    for (const { peer } of members) void peer.finishPolitely();
    await until(() => members.every(({ peer }) => peer.closed), 'all is read');
    for (const { peer } of members) {
      assert.equal(peer.violation, undefined);
      assert.deepEqual(
        peer.texts.map((text) => text.length - 2),
        sent,
      );
      assert.deepEqual(peer.closeFrame, { code: 4000, reason: 'the end' });
    }
    const pongs = talker.peer.frames.filter((frame) => frame.opcode === opcode.pong);
    assert.ok(pongs.length > 0);
    assert.ok(pongs.every(({ payload }) => /^ping \d$/.test(payload.toString())));
  });
});
