import { setTimeout as sleep } from 'node:timers/promises';
import { median } from '../row.ts';
import { versus, type Workload } from '../workload.ts';

const WARM_UP = 500;
const CONNECTIONS = 5_000;
/** What Mooring may need beyond ws for its records and for dialing again: 4 KiB. */
const ALLOWANCE_BYTES = 4_096;

/** Longer than a connection of Mooring must be open to count as stable. */
const SETTLE_MS = 6_000;

const cost = 'bytes a connection';

/** What a client with an idle connection costs. */
export const dialedHeap: Workload = {
  name: 'dialed-heap',
  about:
    '5,000 clients of one process are open and silent, each with a listener for messages. The figure is ' +
    'the number of bytes for each client that are alive in that process after garbage collection, inside ' +
    'and outside the heap. The clients of ws share the listeners that they need to dial again. The target ' +
    'allows 4 KiB more than ws.',
  subjects: {
    mooring: { program: 'mooring', isMember: false, dialer: 'mooring' },
    ws: { program: 'mooring', isMember: false, dialer: 'ws' },
  },
  rows: [
    versus(
      {
        name: 'dialed-heap',
        unit: 'B',
        target: ({ peer }) => 1 + ALLOWANCE_BYTES / median(peer),
      },
      cost,
      ['mooring', 'ws'],
    ),
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
