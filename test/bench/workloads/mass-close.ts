import { median } from '../row.ts';
import type { Stage } from '../stage.ts';
import { figure, type Taken, versus, type Workload } from '../workload.ts';

const WARM_UP = 5_000;
const FEW = 1_000;
const MANY = 10_000;
const TIMES = 5;

const unit = 'µs';
const few = 'µs each of 1,000';
const many = 'µs each of 10,000';

/** What it costs when everybody is lost at once. */
export const massClose: Workload = {
  name: 'mass-close',
  about:
    '10,000 connections are reset by their clients at the same moment. Server CPU for each until nothing is ' +
    'left of them. `mass-close-flat` compares that with 1,000 that are reset at once.',
  subjects: {
    mooring: { program: 'mooring' },
    ws: { program: 'ws' },
  },
  rows: [
    versus({ name: 'mass-close', unit, target: 1.3 }, many, ['mooring', 'ws']),
    {
      name: 'mass-close-flat',
      unit,
      peerName: 'mooring with 1,000',
      needs: ['mooring', 'ws'],
      target: 1.15,
      pairs: (taken) => ({
        ours: figure(taken, 'mooring', many),
        peer: figure(taken, 'mooring', few),
      }),
      note: (taken) => `ws: ${growth(taken, 'ws').toFixed(2)}`,
    },
  ],
  async measure(stage) {
    for (let times = 0; times < 2; times += 1) await lose(stage, WARM_UP);
    const costs: number[] = [];
    for (let times = 0; times < TIMES; times += 1) costs.push(await lose(stage, FEW));
    return { [few]: median(costs), [many]: await lose(stage, MANY) };
  },
};

/** How much dearer a loss is when it is one of many. */
function growth(taken: Taken, subject: string): number {
  return median(figure(taken, subject, many)) / median(figure(taken, subject, few));
}

async function lose(stage: Stage, count: number): Promise<number> {
  await stage.connect(count);
  return (await stage.cpuOf(() => stage.end(count, 'reset'))) / count;
}
