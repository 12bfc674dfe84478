// Goal: while most servers of a cluster are frozen, nothing is confirmed, and nobody is told what is not true. Afterwards, what was
// appended again under its id is kept once, and nobody has missed anything. Method: three real servers of each version, of
// which two are frozen while two nodes append; one node begins at a server that is frozen.
import assert from 'node:assert/strict';
import { after, afterEach, describe, it } from 'node:test';
import type { NatsServerProgram } from '../../docs/examples/lobby/nats-server.ts';
import { crowdOf } from '../support/durable-crowd.ts';
import { connection, DurableRoom, gets, isTold, ROOM } from '../support/durable-room.ts';
import { JetStreamCluster } from '../support/jet-stream-cluster.ts';
import { natsServers } from '../support/nats-versions.ts';
import type { Service } from '../support/service.ts';
import { Stops } from '../support/stops.ts';
import { until } from '../support/until.ts';

/** Replicas need 2.10, as the guide says. */
const programs = (await natsServers()).filter(({ version }) => !version.startsWith('2.9.'));
const newest = programs.at(-1);
if (newest === undefined) throw new Error('there is no nats-server for replicas');

const stops = new Stops();
afterEach(() => stops.all());

/** The time between two appended numbers. Each of them is repeated while nothing is confirmed. */
const EVERY_MS = 50;

/** A frozen cluster must have been noticed after this. */
const NOTICED_MS = 30_000;

/** How long it may take until the cluster has leaders again and all nodes have noticed: their pauses have grown meanwhile. */
const BACK_MS = 90_000;

/** A node notices soon that an append is not confirmed. */
const hasty = { timeouts: { appendMs: 1_000 } };

/** Appends until that is confirmed. A cluster that has just started may need some seconds. */
async function untilKept({ supervisor }: Service): Promise<void> {
  const append = () => supervisor.topic(ROOM).append('first', { id: 'first' });
  while ((await append()).outcome === 'unconfirmed');
}

type Left = 'the leader' | 'a follower';

/** The server that goes on, and those that are frozen. */
async function choose(who: Left, cluster: JetStreamCluster, stream: string) {
  const leader = await cluster.leaderOf(stream);
  const [one, other] = cluster.servers.filter((server) => server !== leader);
  assert.ok(one && other);
  return who === 'the leader'
    ? { left: leader, frozen: [one, other] }
    : { left: one, frozen: [leader, other] };
}

/** A leader of another version has other answers to a message that it cannot keep yet. */
const casesOf = (program: NatsServerProgram): readonly Left[] =>
  program === newest ? ['the leader', 'a follower'] : ['the leader'];

for (const program of programs)
  describe(`a cluster of nats-server ${program.version} of which two servers of three are frozen`, {
    timeout: 280_000,
  }, async () => {
    const cluster = await JetStreamCluster.start(program);
    after(() => cluster.end());
    for (const who of casesOf(program))
      it(`confirms nothing until they are back, and nobody is told a lie, if ${who} is left`, async () => {
        const room = new DurableRoom({
          ...{ servers: cluster.urls, replicas: 3, retention: { messagesPerTopic: 20_000 } },
          // The node that begins at a frozen server finds the one that is left.
          connection: { ...connection, noRandomize: true },
        });
        stops.add(() => room.stop());
        await untilKept(await room.node({}, hasty));
        const { left, frozen } = await choose(who, cluster, room.name);
        const near = await room.node({ servers: left.url }, hasty);
        const far = await room.node({ servers: [...frozen, left].map(({ url }) => url) }, hasty);
        const crowd = await crowdOf(room, [near, far]);
        const appending = room.appending([near, far], EVERY_MS);
        await appending.more(10);
        const sleeper = await room.page(near);
        await until(() => sleeper.messages.length > 0, 'the sleeper has a message');
        sleeper.socket.terminate();
        await appending.more(10);

        for (const server of frozen) server.freeze();
        stops.add(() => frozen.map((server) => server.thaw()));
        const isUnconfirmed = (node: Service) => node.of('append.unconfirmed').length >= 5;
        await until(() => isUnconfirmed(near) && isUnconfirmed(far), 'both tell so', NOTICED_MS);
        const { count } = appending;
        // What a process has in its memory, it gives without the bus.
        const back = await room.page(near, sleeper.positions);
        await isTold(back, 1, 'resumed');
        // A process that has nothing must wait.
        const fresh = await room.node({ servers: left.url }, hasty);
        const waiting = room.dial(fresh, sleeper.positions);
        await fresh.when('connection.opened');
        await fresh.when('handler.errored', NOTICED_MS);
        assert.deepEqual(waiting.told, []);
        assert.equal(appending.count, count, 'nothing is confirmed');
        crowd.stands();

        for (const server of frozen) server.thaw();
        await appending.more(50, BACK_MS);
        const kept = await appending.stop();
        await crowd.get(kept, BACK_MS);
        const missed = kept.slice(kept.indexOf(Number(sleeper.messages.at(-1))) + 1);
        await gets(back, missed, BACK_MS);
        await gets(waiting, missed, BACK_MS);
        for (const member of [back, waiting]) await isTold(member, 1, 'resumed');
        for (const node of [near, far, fresh]) assert.deepEqual(node.of('topic.reset'), []);
      });
  });
