/** The program of a {@link NodeProcess}: a service that publishes all the time, to members here and in other processes. */
import { natsBus } from '../../src/bus/nats/index.ts';
import { createSupervisor, listen, systemClock } from '../../src/index.ts';
import type { NodeCensus, NodeOrder, NodeTask } from './node-process.ts';

const { servers, topics, everyMs } = JSON.parse(process.argv[2] ?? '') as NodeOrder;
const moves: string[] = [];
const faults: string[] = [];
const sent: Record<string, number> = {};
let untrue = 0;

const connection = { pingInterval: 500, maxPingOut: 2 };
const supervisor = createSupervisor({
  bus: natsBus({ servers, name: 'chaos', connection }),
  authenticate: ({ url = '' }) => ({ topics: new URL(url, 'ws://x').searchParams.getAll('topic') }),
  onOpen(opened) {
    for (const topic of opened.peer.topics) opened.join(topic);
    opened.send({ id: opened.id });
  },
});
supervisor.events$.subscribe((event) => {
  if (event.type === 'bus.up' || event.type === 'bus.down') moves.push(event.type);
  if (event.type === 'handler.errored' || event.type === 'connection.crashed')
    faults.push(`${event.type}: ${event.error}`);
});
process.on('warning', (warning) => faults.push(`warning: ${warning}`));

const node = `${process.pid} ${systemClock.wallNow()}`;
let turn = 0;
const timer = setInterval(() => {
  turn += 1;
  publish(topics[turn % topics.length] ?? '');
}, everyMs);

function publish(topic: string, isLast = false): void {
  const number = (sent[topic] ?? 0) + 1;
  sent[topic] = number;
  const { forwarded } = supervisor.topic(topic).publish({ node, topic, number, isLast });
  if (forwarded && supervisor.bus !== 'up') untrue += 1;
}

const listener = await listen(supervisor, { path: '/ws' });
const { port } = listener;

function report(): void {
  const { bus } = supervisor;
  process.send?.({ port, bus, moves, faults, untrue } satisfies NodeCensus);
}

process.on('message', async (task: NodeTask) => {
  if (task === 'calm') clearInterval(timer);
  if (task === 'last')
    for (const topic of topics) for (let left = 20; left > 0; left -= 1) publish(topic, true);
  if (task === 'drain') {
    await supervisor.drain({ withinMs: 2_000 });
    await listener.close();
    report();
    process.disconnect();
    return;
  }
  report();
});
report();
