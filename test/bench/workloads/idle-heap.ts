import { setTimeout as pause } from 'node:timers/promises';
import type { Stage } from '../stage.ts';
import { onDemand, versus, type Workload } from '../workload.ts';

const WARM_UP = 500;
const CONNECTIONS = 15_000;
/** Longer than a message to all takes to leave. */
const SETTLED_MS = 1_000;
/** What Mooring may need beyond ws for its records, with and without actors. */
const ALLOWANCE = { bytesBeyond: 2_048 };
/** What a member of a durable topic may need beyond one of another topic. */
const ALLOWANCE_DURABLE = { bytesBeyond: 32 };
const ALLOWANCE_ON_DEMAND = { bytesBeyond: 1_126 };

const member = 'a topic';
const durableMember = 'mooring, durable topic';

const unit = 'B';
const cost = 'bytes a connection';

/** What an idle connection costs. */
export const idleHeap: Workload = {
  name: 'idle-heap',
  about:
    '15,000 connections are open and silent. Each has a message handler and is in no topic; membership in ' +
    'one topic takes about 190 bytes more. The figure is the number of bytes for each connection that are ' +
    'alive after garbage collection, inside and outside the heap. In `idle-heap-durable`, each is a Mooring client that ' +
    'is in a topic and has got one message, and the figures are those of a durable topic and of another one.',
  subjects: {
    mooring: { program: 'mooring', isMember: false },
    [onDemand]: { program: 'mooring', isMember: false, actors: 'on-demand' },
    [member]: { program: 'mooring', isHeaded: true },
    [durableMember]: { program: 'mooring', isHeaded: true, isDurable: true },
    ws: { program: 'ws' },
    'Socket.IO': { program: 'socket.io' },
  },
  rows: [
    versus({ name: 'idle-heap', unit, target: ALLOWANCE }, cost, ['mooring', 'ws']),
    versus({ name: 'idle-heap-on-demand', unit, target: ALLOWANCE_ON_DEMAND }, cost, [
      onDemand,
      'ws',
    ]),
    versus({ name: 'idle-heap-durable', unit, target: ALLOWANCE_DURABLE }, cost, [
      durableMember,
      member,
    ]),
    versus({ name: 'idle-heap-socket.io', unit, target: 0.5 }, cost, ['mooring', 'Socket.IO']),
  ],
  async measure(stage) {
    await stage.connect(WARM_UP);
    await publishOnce(stage);
    await stage.end(WARM_UP, 'close');
    const before = await stage.server.ask('liveBytes');
    await stage.connect(CONNECTIONS);
    await publishOnce(stage);
    const after = await stage.server.ask('liveBytes');
    return { [cost]: (after - before) / CONNECTIONS };
  },
};

/** Lets the members of a topic be like others: what was sent to each alone has left. */
async function publishOnce({ server, setup }: Stage): Promise<void> {
  if (setup.isHeaded !== true) return;
  await server.ask('publish', { perTick: 1, ticks: 1, pauseMs: 0 });
  await pause(SETTLED_MS);
}
