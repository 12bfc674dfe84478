// Goal: while the bus of durable topics is away, frozen or out of reach, nothing is said that is not true, and afterwards nobody has
// missed anything. Method: a real nats-server that is killed and frozen, a proxy that lets nothing through, and a node that is frozen.
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, describe, it } from 'node:test';
import { FaultProxy } from '../../src/testing/fault-proxy.ts';
import { ChaosNode } from '../chaos/chaos-node.ts';
import { crowdOf } from '../support/durable-crowd.ts';
import { appendAll, DurableRoom, gets, isTold, numbers, ROOM } from '../support/durable-room.ts';
import { JetStreamServer } from '../support/jet-stream-server.ts';
import { newestNatsServer } from '../support/nats-versions.ts';
import { Stops } from '../support/stops.ts';
import { until } from '../support/until.ts';

const newest = await newestNatsServer();
const server = await JetStreamServer.start(newest);
after(() => server.end());

const stops = new Stops();
afterEach(() => stops.all());

function makeRoom(): DurableRoom {
  const room = new DurableRoom({
    servers: server.url,
    retention: { messagesPerTopic: 20_000 },
  });
  stops.add(() => room.stop());
  return room;
}

const wait = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

describe('a bus that is down for two seconds', { timeout: 60_000 }, () => {
  it('keeps what was appended meanwhile when it is back, or it is unconfirmed in time', async () => {
    const room = makeRoom();
    const [patient, hasty] = [
      await room.node(),
      await room.node({}, { timeouts: { appendMs: 1_000 } }),
    ];
    const crowd = await crowdOf(room, [patient, hasty]);
    const sleeper = await room.page(patient);
    await appendAll(patient, [1, 2]);
    await gets(sleeper, [1, 2]);
    sleeper.socket.terminate();
    await appendAll(hasty, [3]);
    await crowd.get([1, 2, 3]);
    await server.kill();
    await room.untilDown();
    const killedAt = performance.now();

    const ofPatient = patient.supervisor.topic(ROOM).append(4, { id: 'four' });
    const five = () => hasty.supervisor.topic(ROOM).append(5, { id: 'five' });
    const ofHasty = five();
    await hasty.when('append.unconfirmed', 2_000);
    assert.deepEqual(await ofHasty, { outcome: 'unconfirmed', id: 'five' });
    const waitedMs = performance.now() - killedAt;
    assert.ok(waitedMs >= 990, `${waitedMs} ms`);
    assert.deepEqual(
      hasty.of('append.unconfirmed').map(({ topic, id }) => [topic, id]),
      [[ROOM, 'five']],
    );

    // What a process has in its memory, it gives without the bus.
    const back = await room.page(patient, sleeper.positions);
    await isTold(back, 1, 'resumed');
    await gets(back, [3]);

    await wait(2_000 - (performance.now() - killedAt));
    await server.restart();
    assert.equal((await ofPatient).outcome, 'kept');
    assert.match((await five()).outcome, /^(kept|duplicate)$/);
    await appendAll(patient, [6]);
    await gets(back, [3, 4, 5, 6]);
    await crowd.get(numbers(1, 6));
  });

  it('does not hold up publications to members of the same process', async () => {
    const room = makeRoom();
    const [one, other] = [await room.node(), await room.node()];
    const crowd = await crowdOf(room, [one, other]);
    await appendAll(one, [1]);
    await crowd.get([1]);
    await server.kill();
    await room.untilDown();
    for (const { supervisor } of [one, other]) {
      const { delivered, forwarded } = supervisor.topic(ROOM).publish('typing');
      assert.deepEqual([delivered, forwarded], [3, false]);
    }
    await crowd.get([1, 'typing']);
    await server.restart();
    await room.untilUp();
    await appendAll(other, [2]);
    await crowd.get([1, 'typing', 2]);
  });

  it('makes nobody miss a message, whenever it was appended', async () => {
    const room = makeRoom();
    const nodes = [await room.node(), await room.node()];
    const crowd = await crowdOf(room, nodes);
    const appending = room.appending(nodes);
    await appending.more(100);
    await server.kill();
    await room.untilDown();
    await wait(2_000);
    await server.restart();
    await room.untilUp();
    await appending.more(100);
    await crowd.get(await appending.stop());
  });
});

describe('a bus that answers nothing', { timeout: 60_000 }, () => {
  it('because it is frozen is found out, and nothing is missing or doubled afterwards', async () => {
    const room = makeRoom();
    const nodes = [await room.node(), await room.node()];
    const crowd = await crowdOf(room, nodes);
    const appending = room.appending(nodes);
    await appending.more(100);
    server.freeze();
    try {
      await room.untilDown();
      await wait(1_000);
    } finally {
      server.thaw();
    }
    await room.untilUp();
    await appending.more(100);
    await crowd.get(await appending.stop());
  });

  async function silenced(forMs: number): Promise<void> {
    const room = makeRoom();
    const proxy = await FaultProxy.start({ port: server.port });
    stops.add(() => proxy.close());
    const cutOff = await room.node({ servers: `127.0.0.1:${proxy.port}` });
    const other = await room.node();
    const crowd = await crowdOf(room, [cutOff, other]);
    const appending = room.appending([cutOff, other]);
    await appending.more(100);
    const ways = proxy.links.flatMap(({ up, down }) => [up, down]);
    for (const way of ways) way.set({ blackhole: true });
    proxy.set({ accept: 'silence' });
    await wait(forMs);
    assert.equal(cutOff.supervisor.bus, forMs > 1_500 ? 'down' : 'up');
    assert.equal(other.supervisor.bus, 'up');
    // What waited in the network arrives late.
    proxy.set({});
    for (const way of ways) way.set({});
    await room.untilUp();
    await appending.more(200);
    await crowd.get(await appending.stop());
  }

  it('because the network lets nothing through is not noticed if that is short', () =>
    silenced(400));

  it('because the network lets nothing through is found out, and nothing is missing or doubled', () =>
    silenced(3_000));
});

describe('a node that is frozen while others append', { timeout: 60_000 }, () => {
  it('is cut off by the bus as a slow consumer, and its members get what they missed', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'mooring-config-'));
    stops.add(() => rm(folder, { recursive: true }));
    const file = join(folder, 'server.conf');
    await writeFile(file, 'write_deadline: "1s"\n');
    const strict = await JetStreamServer.start(newest, ['-c', file]);
    stops.add(() => strict.end());
    // It appends nothing by itself.
    const start = { servers: strict.url, topics: [], everyMs: 1_000_000, port: 0, plant: null };
    const frozen = new ChaosNode(start, () => {});
    stops.add(() => frozen.kill());
    await frozen.untilUp();
    const retention = { forMs: 600_000, messagesPerTopic: 100_000 };
    const room = new DurableRoom({ servers: strict.url, name: 'chaos', retention });
    stops.add(() => room.stop());
    const node = await room.node();
    const member = await room.client(`ws://127.0.0.1:${frozen.port}/ws?topic=${ROOM}`);
    await appendAll(node, ['before']);
    await gets(member, ['before']);
    frozen.freeze();
    const thawAtMs = performance.now() + 3_000;
    const text = 'x'.repeat(65_536);
    const count = 500;
    await Promise.all(
      numbers(1, count).map((n) => node.supervisor.topic(ROOM).append(`${n} ${text}`)),
    ).then((all) => assert.ok(all.every(({ outcome }) => outcome === 'kept')));
    await wait(thawAtMs - performance.now());
    assert.ok((await strict.slowConsumers()) > 0, 'it was cut off');
    frozen.thaw();
    await appendAll(node, ['after']);
    await until(() => member.messages.length >= count + 2, 'it has all', 20_000);
    const got = member.messages.map((message) => String(message).split(' ')[0]);
    assert.deepEqual(got, ['before', ...numbers(1, count).map(String), 'after']);
    assert.ok(member.recoveries.slice(1).every(({ recovered }) => recovered));
    assert.deepEqual(frozen.faults, []);
  });
});
