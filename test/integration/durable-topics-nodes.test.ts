// Goal: a process that is killed or frozen costs its members no message: they go on at the others. Method: three nodes as processes
// on a real nats-server, and a fourth one that appends all the time.
import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import { ChaosNode } from '../chaos/chaos-node.ts';
import {
  DurableRoom,
  gets,
  isTold,
  numbers,
  ROOM,
  type RoomClient,
} from '../support/durable-room.ts';
import { JetStreamServer } from '../support/jet-stream-server.ts';
import { newestNatsServer } from '../support/nats-versions.ts';
import { Stops } from '../support/stops.ts';
import { until } from '../support/until.ts';

const newest = await newestNatsServer();

const stops = new Stops();
afterEach(() => stops.all());

const NODES = 3;
const CLIENTS = 12;

/** Clients find out within a second that a node is frozen, and try another one after two. */
const quick = {
  heartbeat: { intervalMs: 500, graceMs: 500 },
  timeouts: { handshakeMs: 2_000, closeMs: 500 },
  restarts: { max: 100_000 },
};

/** Nodes with their members, on a server of their own. The first of the nodes is the one that fails. */
async function scene() {
  const server = await JetStreamServer.start(newest);
  stops.add(() => server.end());
  const start = { servers: server.url, topics: [], everyMs: 1_000_000, port: 0, plant: null };
  const nodes = numbers(1, NODES).map(() => new ChaosNode(start, () => {}));
  for (const node of nodes) {
    stops.add(() => node.kill());
    await node.untilUp();
  }
  const retention = { forMs: 600_000, messagesPerTopic: 100_000 };
  const room = new DurableRoom({ servers: server.url, name: 'chaos', retention });
  stops.add(() => room.stop());
  const urlOf = ({ port }: ChaosNode) => `ws://127.0.0.1:${port}/ws?topic=${ROOM}`;
  const member = (n: number) =>
    room.client(() => {
      const up = nodes.filter(({ isUp }) => isUp);
      return urlOf(up[n % up.length] as ChaosNode);
    }, quick);
  const members: RoomClient[] = [];
  for (const n of numbers(0, CLIENTS - 1)) members.push(await member(n));
  const affected = members.filter((_, n) => n % NODES === 0);
  const appending = room.appending([await room.node()]);
  await appending.more(100);
  const [failing] = nodes as [ChaosNode];
  return { room, nodes, failing, urlOf, members, affected, appending };
}

/** All have the same messages, once and in order, and nobody was told otherwise. */
async function assertWhole(
  { members, nodes }: Awaited<ReturnType<typeof scene>>,
  kept: readonly number[],
): Promise<void> {
  for (const member of members) {
    await gets(member, kept);
    assert.ok(member.recoveries.slice(1).every(({ cause }) => cause === 'resumed'));
  }
  assert.deepEqual(
    nodes.flatMap(({ faults }) => faults),
    [],
  );
}

const areBack = (affected: readonly RoomClient[]) =>
  until(() => affected.every(({ recoveries }) => recoveries.length > 1), 'all are back', 20_000);

describe('a process with members of durable topics', { timeout: 60_000 }, () => {
  it('is killed: its members go on at the others, and miss nothing', async () => {
    const all = await scene();
    await all.failing.kill();
    await areBack(all.affected);
    await all.appending.more(100);
    await assertWhole(all, await all.appending.stop());
  });

  it('is frozen: its members go on at the others, and when it is back, it goes on as well', async () => {
    const all = await scene();
    const { failing, urlOf, room, affected, appending } = all;
    const sleeper = await room.page({ url: urlOf(failing) });
    await until(() => sleeper.messages.length > 0, 'it has a message');
    sleeper.socket.terminate();
    failing.freeze();
    await areBack(affected);
    await appending.more(100);
    failing.thaw();
    const back = await room.page({ url: urlOf(failing) }, sleeper.positions);
    await isTold(back, 1, 'resumed');
    await appending.more(100);
    const kept = await appending.stop();
    await gets(back, kept.slice(kept.indexOf(Number(sleeper.messages.at(-1))) + 1));
    await assertWhole(all, kept);
  });
});
