import type { Stage } from '../stage.ts';
import { actorsOnDemand, flat, medianOf, versus, type Workload } from '../workload.ts';

const WARM_UP = 5_000;
const MANY = 5_000;
const BATCH = 1_000;
const CROWD = 14_000;
const TIMES = 5;

const unit = 'µs';
const cost = 'µs a connection';
const alone = 'with none there';
const crowded = 'with 14,000 there';

/** What connecting and leaving cost. */
export const accept: Workload = {
  name: 'accept',
  about:
    '5,000 clients connect and then close, with the closing handshake. The figure is server CPU for each ' +
    'connection, from the TCP handshake until nothing is left of the connection. `accept-flat` compares ' +
    '1,000 connections that come and go beside 14,000 open ones with 1,000 that have the server for ' +
    'themselves.',
  subjects: {
    mooring: { program: 'mooring' },
    'actors on demand': { program: 'mooring', actors: 'on-demand' },
    ws: { program: 'ws' },
  },
  rows: [
    versus({ name: 'accept', unit, target: 1.2 }, cost, ['mooring', 'ws']),
    flat({ name: 'accept-flat', unit, peerName: 'mooring alone', target: 1.1 }, crowded, alone),
    actorsOnDemand({ name: 'accept', unit }, cost),
  ],
  async measure(stage) {
    for (let times = 0; times < 2; times += 1) await comeAndGo(stage, WARM_UP);
    const figures: Record<string, number> = { [cost]: await comeAndGo(stage, MANY) };
    figures[alone] = await medianOf(TIMES, () => comeAndGo(stage, BATCH));
    await stage.connect(CROWD);
    figures[crowded] = await medianOf(TIMES, () => comeAndGo(stage, BATCH));
    return figures;
  },
};

/** CPU for each of several connections that come and go, in microseconds. */
export async function comeAndGo(stage: Stage, count: number): Promise<number> {
  const micros = await stage.cpuOf(async () => {
    await stage.connect(count);
    await stage.end(count, 'close');
  });
  return micros / count;
}
