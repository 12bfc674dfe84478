import type { Stage } from '../stage.ts';
import { flat, type Workload } from '../workload.ts';

const MEMBERS = 500;
const CONNECTIONS = 10_000;
const PER_SECOND = 500;
const EVERY_MS = 10;
const WARM_UP_TICKS = 200;
const TICKS = 800;

const quiet = 'p99 µs, nobody comes or goes';
const busy = 'p99 µs, 500 come and go a second';

/** Those who come and go must not delay the others. */
export const churn: Workload = {
  name: 'churn',
  about:
    '10,000 connections are open. 500 of them are members of a topic, which gets a message of 128 bytes 100 times a ' +
    'second. 500 other clients connect and close each second. The figure is the p99 of the time from publishing to ' +
    'reading, as the members see it. The peer is the same server while nobody comes or goes.',
  subjects: {
    mooring: { program: 'mooring', membersMax: MEMBERS },
    ws: { program: 'ws', membersMax: MEMBERS },
  },
  rows: [
    {
      ...flat({ name: 'churn', unit: 'µs', peerName: 'mooring without', target: 1.2 }, busy, quiet),
      // A percentile of a few seconds varies more than a sum.
      spreadMax: 0.3,
    },
  ],
  async measure(stage) {
    await stage.connect(MEMBERS);
    // From here on, the delays of the members are watched.
    await stage.readers.ask('delays');
    await stage.connect(CONNECTIONS - MEMBERS);
    await withChurn(stage, WARM_UP_TICKS);
    await stage.server.ask('collect');
    await stage.readers.ask('delays');
    await broadcast(stage, TICKS);
    const before = await stage.readers.ask('delays');
    await withChurn(stage, TICKS);
    const during = await stage.readers.ask('delays');
    return { [quiet]: before.p99, [busy]: during.p99 };
  },
};

function broadcast(stage: Stage, ticks: number): Promise<void> {
  const stream = { perTick: 1, ticks, pauseMs: 0, everyMs: EVERY_MS, isStamped: true };
  return stage.stream(stream, { reading: MEMBERS });
}

async function withChurn(stage: Stage, ticks: number): Promise<void> {
  const forMs = ticks * EVERY_MS;
  await Promise.all([broadcast(stage, ticks), stage.churn({ perSecond: PER_SECOND, forMs })]);
}
