import type { Stage } from '../stage.ts';
import { flat, medianOf, onDemand, versus, type Workload } from '../workload.ts';

const WARM_UP = 5_000;
const FEW = 1_000;
const MANY = 10_000;
const TIMES = 5;

const unit = 'µs';
const few = 'µs each of 1,000';
const many = 'µs each of 10,000';

/** What the loss of all connections at once costs. */
export const massClose: Workload = {
  name: 'mass-close',
  about:
    '10,000 clients reset their connections at the same moment. The figure is server CPU for each ' +
    'connection until nothing is left of it. `mass-close-flat` compares this with 1,000 connections that ' +
    'are reset at once.',
  subjects: {
    mooring: { program: 'mooring' },
    [onDemand]: { program: 'mooring', actors: 'on-demand' },
    ws: { program: 'ws' },
  },
  rows: [
    versus({ name: 'mass-close', unit, target: 1.35 }, many, ['mooring', 'ws']),
    versus({ name: 'mass-close-on-demand', unit, target: 1.15 }, many, [onDemand, 'ws']),
    flat(
      { name: 'mass-close-flat', unit, peerName: 'mooring with 1,000', target: 1.15 },
      many,
      few,
    ),
  ],
  async measure(stage) {
    for (let times = 0; times < 2; times += 1) await lose(stage, WARM_UP);
    const usual = await medianOf(TIMES, () => lose(stage, FEW));
    return { [few]: usual, [many]: await lose(stage, MANY) };
  },
};

async function lose(stage: Stage, count: number): Promise<number> {
  await stage.connect(count);
  return (await stage.cpuOf(() => stage.end(count, 'reset'))) / count;
}
