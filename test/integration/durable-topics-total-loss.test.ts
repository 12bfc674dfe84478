// Goal: if the bus gets an older disk while every process starts anew, nobody is left who knows what was lost. This shows who is
// told so even then, and who is not. Method: a real server that is rolled back, nodes as processes that are killed with it, and a
// program that appends without Mooring.
import { after, afterEach, describe, it } from 'node:test';
import { connect, headers } from '@nats-io/transport-node';
import { ChaosNode } from '../chaos/chaos-node.ts';
import { DurableRoom, gets, isTold, numbers, ROOM } from '../support/durable-room.ts';
import { JetStreamServer } from '../support/jet-stream-server.ts';
import { newestNatsServer } from '../support/nats-versions.ts';
import { Stops } from '../support/stops.ts';

const program = await newestNatsServer();
const server = await JetStreamServer.start(program);
after(() => server.end());

const stops = new Stops();
afterEach(() => stops.all());

/** Two processes, which append nothing by themselves. */
async function startNodes(): Promise<readonly [ChaosNode, ChaosNode]> {
  const start = { servers: server.url, topics: [], everyMs: 1_000_000, port: 0, plant: null };
  const nodes = [new ChaosNode(start, () => {}), new ChaosNode(start, () => {})] as const;
  for (const node of nodes) {
    stops.add(() => node.kill());
    await node.untilUp();
  }
  return nodes;
}

/** Appends numbers, and waits until the server has each. */
async function append(first: number, last: number): Promise<void> {
  const nats = await connect({ servers: server.url });
  for (const number of numbers(first, last)) {
    const named = headers();
    named.set('Nats-Msg-Id', `room%2F1/${number}`);
    const options = { headers: named, timeout: 5_000 };
    await nats.request('chaos.1.in.room%2F1', JSON.stringify(number), options);
  }
  await nats.close();
}

const memberAt = ({ port }: ChaosNode) => ({ url: `ws://127.0.0.1:${port}/ws?topic=${ROOM}` });

describe('a bus that has lost messages when no process is left', { timeout: 60_000 }, () => {
  it('is found out by members that have them, and by nobody else', async () => {
    let nodes = await startNodes();
    const room = new DurableRoom({ servers: server.url });
    stops.add(() => room.stop());
    const dialed = { restarts: { max: 100_000 } };
    const live = [
      await room.client(() => memberAt(nodes[0]).url, dialed),
      await room.client(() => memberAt(nodes[1]).url, dialed),
    ];
    const behind = await room.page(memberAt(nodes[0]));
    await append(1, 3);
    for (const member of [...live, behind]) await gets(member, [1, 2, 3]);
    behind.socket.terminate();
    await server.remember();
    await append(4, 13);
    const ahead = await room.page(memberAt(nodes[1]), behind.positions);
    for (const member of live) await gets(member, numbers(1, 13));
    await gets(ahead, numbers(4, 13));
    ahead.socket.terminate();

    await Promise.all([server.kill(), ...nodes.map((node) => node.kill())]);
    await server.rollBack();
    nodes = await startNodes();
    // Their position has a number that the stream has not given yet.
    for (const { recoveries } of live) await isTold({ told: recoveries }, 2, 'reset');
    await append(14, 40);
    // Now it has, to another message. The tag tells them apart.
    const told = await room.page(memberAt(nodes[0]), ahead.positions);
    await isTold(told, 1, 'reset');
    // The message at this position was not lost, and nothing shows that others after it were: 4 to 13 are missing.
    const untold = await room.page(memberAt(nodes[1]), behind.positions);
    await isTold(untold, 1, 'resumed');
    await gets(untold, numbers(14, 40));
    await append(41, 41);
    await gets(untold, numbers(14, 41));
    await gets(told, [41]);
    for (const member of live) await gets(member, [...numbers(1, 13), ...numbers(14, 41)]);
  });
});
