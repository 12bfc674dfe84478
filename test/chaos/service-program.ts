/** One node of a run of chaos: a service with durable topics that appends all the time. */
import { natsBus } from '../../src/bus/nats/index.ts';
import { createSupervisor, listen } from '../../src/index.ts';
import type { NodeReport, NodeStart, NodeTask } from './chaos-node.ts';
import { plants } from './plants.ts';

const { servers, topics, everyMs, port, plant } = JSON.parse(process.argv[2] ?? '') as NodeStart;
if (plant !== null) plants[plant]?.();

const report = (message: NodeReport) => void (process.connected && process.send?.(message));

const retention = { forMs: 600_000, messagesPerTopic: 100_000 };
const connection = { pingInterval: 500, maxPingOut: 2 };
const supervisor = createSupervisor({
  bus: natsBus({ servers, name: 'chaos', retention, connection }),
  durable: () => true,
  heartbeat: { intervalMs: 500, graceMs: 500 },
  authenticate: ({ url = '' }) => ({ topics: new URL(url, 'ws://x').searchParams.getAll('topic') }),
  onOpen(opened) {
    for (const topic of opened.peer.topics) opened.join(topic);
  },
});
supervisor.events$.subscribe((event) => {
  if (event.type === 'connection.crashed' || event.type === 'handler.errored')
    report({ fault: `${event.type}: ${event.error}` });
});
process.on('warning', (warning) => report({ fault: String(warning) }));

const name = `${process.pid}.${process.hrtime.bigint().toString(36)}`;
let count = 0;
let pending = 0;
let isCalm = false;
let isDraining = false;

/** Appends until the bus confirms it, and every fifth message once more. */
async function append(topic: string): Promise<void> {
  count += 1;
  const id = `${name}.${count}`;
  const isRepeated = count % 5 === 0;
  pending += 1;
  for (let left = isRepeated ? 2 : 1; left > 0 && !isDraining; ) {
    const appended = await supervisor.topic(topic).append({ topic, id }, { id });
    if (appended.outcome === 'unconfirmed') continue;
    report({ kept: [topic, id, appended.position] });
    left -= 1;
  }
  pending -= 1;
}

const timer = setInterval(() => {
  if (!isCalm) void append(topics[Math.floor(Math.random() * topics.length)] ?? '');
}, everyMs);

const listener = await listen(supervisor, { port, path: '/ws' });
report({ port: listener.port });

// The run has ended, however it did.
process.on('disconnect', () => process.exit());
process.on('message', async (task: NodeTask) => {
  if (task === 'calm') isCalm = true;
  if (task === 'last') for (const topic of topics) void append(topic);
  if (task === 'drain') {
    isDraining = true;
    clearInterval(timer);
    await supervisor.drain({ withinMs: 1_500 });
    await listener.close();
    process.disconnect();
  } else report({ pending });
});
