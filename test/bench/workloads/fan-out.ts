import { versus, type Workload } from '../workload.ts';

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
