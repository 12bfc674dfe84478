import type { Stage } from '../stage.ts';
import { flat, medianOf, onDemand, versus, type Workload } from '../workload.ts';

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
    'connection, from the TCP handshake until nothing is left of the connection.',
  subjects: {
    mooring: { program: 'mooring' },
    [onDemand]: { program: 'mooring', actors: 'on-demand' },
    ws: { program: 'ws' },
  },
  rows: [
    versus({ name: 'accept', unit, target: 1.4 }, cost, ['mooring', 'ws']),
    versus({ name: 'accept-on-demand', unit, target: 1.3 }, cost, [onDemand, 'ws']),
  ],
  async measure(stage) {
    await warmUp(stage);
    return { [cost]: await comeAndGo(stage, MANY) };
  },
};

/** Whether it costs more when others are there. */
export const acceptFlat: Workload = {
  name: 'accept-flat',
  about:
    '1,000 clients connect and close in the same way beside 14,000 open connections. The peer is 1,000 ' +
    'clients that have the server for themselves.',
  subjects: { mooring: { program: 'mooring' }, ws: { program: 'ws' } },
  rows: [
    flat({ name: 'accept-flat', unit, peerName: 'mooring alone', target: 1.1 }, crowded, alone),
  ],
  async measure(stage) {
    await warmUp(stage);
    const few = await medianOf(TIMES, () => comeAndGo(stage, BATCH));
    await stage.connect(CROWD);
    return { [alone]: few, [crowded]: await medianOf(TIMES, () => comeAndGo(stage, BATCH)) };
  },
};

async function warmUp(stage: Stage): Promise<void> {
  for (let times = 0; times < 2; times += 1) await comeAndGo(stage, WARM_UP);
}

/** CPU for each of several connections that come and go, in microseconds. */
export async function comeAndGo(stage: Stage, count: number): Promise<number> {
  const micros = await stage.cpuOf(async () => {
    await stage.connect(count);
    await stage.end(count, 'close');
  });
  return micros / count;
}
