import { median } from '../row.ts';
import type { Stage } from '../stage.ts';
import { figure, versus, type Workload } from '../workload.ts';

const MEMBERS = 2_000;
const CPU_MS = 1_200;

const unit = 'µs';
const cost = 'µs a delivery';

/** Messages that are published together are joined. */
export const burst: Workload = {
  name: 'burst',
  about:
    '16 messages of 128 bytes go to 2,000 members in each turn of the event loop. The figure is server CPU ' +
    'for each delivered message. Mooring encodes each message as JSON once. ws sends a ready-made string ' +
    'in the broadcast loop of its README, Bun publishes one natively, and Socket.IO emits an event whose ' +
    'packet has the same length.',
  subjects: {
    mooring: { program: 'mooring' },
    ws: { program: 'ws' },
    Bun: { program: 'bun' },
    'Socket.IO': { program: 'socket.io' },
  },
  rows: [
    versus({ name: 'burst-ws', unit, target: 0.06 }, cost, ['mooring', 'ws']),
    versus({ name: 'burst-bun', unit, target: 1.15 }, cost, ['mooring', 'Bun']),
    versus({ name: 'burst-socket.io', unit, target: 0.05 }, cost, ['mooring', 'Socket.IO']),
  ],
  async measure(stage) {
    await stage.connect(MEMBERS);
    return { [cost]: await stage.deliveryMicros(16, CPU_MS) };
  },
};

const JOINED_PER_TICK = 16;
const JOINED_TICKS = 12;
const JOINED_WARM_UPS = 3;
const JOINED_TIMES = 8;

const bare = 'bare µs a delivery';

/** The same beside what it cannot undercut. */
export const burstJoined: Workload = {
  name: 'burst-joined',
  about:
    'The server publishes as in `burst`, in turn with a plain loop that writes the same bytes, joined ' +
    'beforehand, to the same sockets in the same process. The figure is server CPU for each delivery.',
  subjects: { mooring: { program: 'mooring', hasBare: true } },
  rows: [
    {
      name: 'burst-joined',
      unit,
      peerName: 'bare joined write',
      needs: ['mooring'],
      target: 1.08,
      pairs: (taken) => ({
        ours: figure(taken, 'mooring', cost),
        peer: figure(taken, 'mooring', bare),
      }),
    },
  ],
  async measure(stage) {
    await stage.connect(MEMBERS);
    const ours: number[] = [];
    const peers: number[] = [];
    for (let time = 0; time < JOINED_WARM_UPS + JOINED_TIMES; time += 1) {
      // Each is as often the first of the two.
      const isBareFirst = time % 2 === 0;
      for (const isBare of [isBareFirst, !isBareFirst]) {
        const micros = await joinedMicros(stage, isBare);
        if (time >= JOINED_WARM_UPS) (isBare ? peers : ours).push(micros);
      }
    }
    return { [cost]: median(ours), [bare]: median(peers) };
  },
};

async function joinedMicros(stage: Stage, isBare: boolean): Promise<number> {
  const stream = { perTick: JOINED_PER_TICK, ticks: JOINED_TICKS, isBare };
  const micros = await stage.ticksMicros(stream);
  return micros / (JOINED_PER_TICK * JOINED_TICKS * MEMBERS);
}

/** A single message has nothing to be joined with. */
export const single: Workload = {
  name: 'single',
  about:
    'One message of 128 bytes goes to 2,000 members in each turn. The figure is server CPU for each ' +
    'delivered message. The lower limit is a bare `socket.write` of a prepared frame to each socket.',
  subjects: {
    mooring: { program: 'mooring' },
    ws: { program: 'ws' },
    'bare socket.write': { program: 'bare' },
  },
  rows: [
    versus({ name: 'single-ws', unit, target: 0.78 }, cost, ['mooring', 'ws']),
    versus({ name: 'single-bare', unit, target: 1.02 }, cost, ['mooring', 'bare socket.write']),
  ],
  async measure(stage) {
    await stage.connect(MEMBERS);
    return { [cost]: await stage.deliveryMicros(1, CPU_MS) };
  },
};
