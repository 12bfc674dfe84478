import * as defaults from '../../../src/core/defaults.ts';
import { median } from '../row.ts';
import type { Stage } from '../stage.ts';
import { type Figures, figure, type Workload } from '../workload.ts';

const MEMBERS = 1_000;
const PER_TICK = 50;
const EVERY_MS = 20;
const TICKS = 1_000;
const WARM_UP_TICKS = 100;
const WITHIN_MS = 100_000;

const MIB = 1_048_576;

/** The outbox of the slow member, and some tolerance for the heap. */
const BUDGET_BYTES = defaults.limits.outboxHighBytes + 8 * MIB;

const p99 = 'p99 µs';
const growth = 'grown MiB';

const paced = { perTick: PER_TICK, pauseMs: 0, everyMs: EVERY_MS, isStamped: true };

/** One member that does not read must not affect the others. */
export const slowReader: Workload = {
  name: 'slow-reader',
  about:
    '50,000 messages of 128 bytes go to 1,000 members, 50 messages every 20 ms. One member stops reading, ' +
    'and Mooring closes it after 15 s, which is the default. The figures are p99 of the time from publishing to ' +
    'reading, as the other members see it, and the growth of the resident memory. Each is compared with ' +
    'the same run without the slow member. The budget is the outbox of that member, 1 MiB, and 8 MiB more.',
  subjects: {
    'with a slow reader': { program: 'mooring' },
    'without a slow reader': { program: 'mooring' },
  },
  rows: [
    {
      name: 'slow-reader-p99',
      unit: 'µs',
      peerName: 'mooring without',
      needs: ['with a slow reader', 'without a slow reader'],
      target: 1.2,
      pairs: (taken) => ({
        ours: figure(taken, 'with a slow reader', p99),
        peer: figure(taken, 'without a slow reader', p99),
      }),
    },
    {
      name: 'slow-reader-rss',
      unit: 'MiB',
      peerName: 'budget of 9 MiB',
      needs: ['with a slow reader', 'without a slow reader'],
      target: 1,
      pairs(taken) {
        const without = median(figure(taken, 'without a slow reader', growth));
        const ours = figure(taken, 'with a slow reader', growth).map((grown) =>
          Math.max(0, grown - without),
        );
        return { ours, peer: ours.map(() => BUDGET_BYTES / MIB) };
      },
    },
  ],
  async measure(stage, subject) {
    await stage.connect(MEMBERS);
    await stage.stream({ ...paced, ticks: WARM_UP_TICKS }, { withinMs: WITHIN_MS });
    await stage.server.ask('collect');
    const hasSlow = subject.startsWith('with a');
    if (hasSlow) await stage.readers.ask('stopReading');
    return watched(stage, hasSlow ? MEMBERS - 1 : MEMBERS);
  },
};

async function watched(stage: Stage, reading: number): Promise<Figures> {
  await stage.readers.ask('delays');
  await stage.server.ask('watchMemory');
  await stage.stream({ ...paced, ticks: TICKS }, { reading, withinMs: WITHIN_MS });
  const delays = await stage.readers.ask('delays');
  const bytes = await stage.server.ask('grownBytes');
  return { [p99]: delays.p99, [growth]: bytes / MIB };
}
