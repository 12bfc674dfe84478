import { setTimeout as sleep } from 'node:timers/promises';
import { onDemand, versus, type Workload } from '../workload.ts';

const WARM_UP = 500;
const CONNECTIONS = 5_000;
/** What Mooring may need beyond ws for its records and for dialing again, with and without actors. */
const ALLOWANCE = { bytesBeyond: 5_120 };
const ALLOWANCE_ON_DEMAND = { bytesBeyond: 3_584 };

/** Longer than a connection of Mooring must be open to count as stable. */
const SETTLE_MS = 6_000;

const unit = 'B';
const cost = 'bytes a connection';

/** What a client with an idle connection costs. */
export const dialedHeap: Workload = {
  name: 'dialed-heap',
  about:
    '5,000 clients of one process are open and silent, each with a listener for messages. The figure is ' +
    'the number of bytes for each client that are alive in that process after garbage collection, inside ' +
    'and outside the heap. The clients of ws share the listeners that they need to dial again.',
  subjects: {
    mooring: { program: 'mooring', isMember: false, dialer: 'mooring' },
    [onDemand]: { program: 'mooring', isMember: false, dialer: 'mooring', actors: 'on-demand' },
    ws: { program: 'mooring', isMember: false, dialer: 'ws' },
  },
  rows: [
    versus({ name: 'dialed-heap', unit, target: ALLOWANCE }, cost, ['mooring', 'ws']),
    versus({ name: 'dialed-heap-on-demand', unit, target: ALLOWANCE_ON_DEMAND }, cost, [
      onDemand,
      'ws',
    ]),
  ],
  async measure(stage) {
    await stage.dial(WARM_UP);
    const before = await stage.dialers.ask('liveBytes');
    await stage.dial(CONNECTIONS);
    await sleep(SETTLE_MS);
    const after = await stage.dialers.ask('liveBytes');
    return { [cost]: (after - before) / CONNECTIONS };
  },
};
