import { setTimeout as sleep } from 'node:timers/promises';
import { median } from '../row.ts';
import { figure, type Taken, versus, type Workload } from '../workload.ts';
import { comeAndGo } from './accept.ts';

const WARM_UP = 5_000;
const CLIENTS = 2_000;

/** Halfway between two attempts of the loop that waits a second, as it is on average. */
const AWAY_MS = 2_500;

/** Longer than a connection of Mooring must be open for its failures to be forgotten. */
const SETTLE_MS = 6_000;

const cpu = 'µs a client';
const pause = 'pause ms';
const half = 'half open ms';
const all = 'all open ms';

/** What a crowd does to a server that returns. */
export const storm: Workload = {
  name: 'storm',
  about:
    'A server leaves 2,000 open clients without a word and listens again after 2.5 s. Clients of Mooring dial after a ' +
    'random part of a time that begins at 500 ms and doubles up to 20 s; those of ws in the loop that is written ' +
    'around it everywhere, a second after whatever happened. The server is the same, and nobody sends pings. Server ' +
    'CPU for each client, from when it listens until all are open; those that come one by one cost it a wake-up each. ' +
    '`storm-pause` is the longest time for which the event loop of the server did not turn meanwhile, to 10 ms, which ' +
    'is what its other clients would feel; all dial from one process, which takes more than half a second for so many, ' +
    'and a herd from as many machines would come at once. `storm-open` is how long it takes until the last one is ' +
    'open. That is long, because whoever has failed a few times may wait for seconds: the price of not coming all ' +
    'at once.',
  subjects: {
    mooring: { program: 'mooring', dialer: 'mooring', heartbeatMs: 0 },
    ws: { program: 'mooring', dialer: 'ws', heartbeatMs: 0 },
  },
  rows: [
    versus({ name: 'storm', unit: 'µs' }, cpu, ['mooring', 'ws']),
    versus({ name: 'storm-pause', unit: 'ms' }, pause, ['mooring', 'ws']),
    {
      ...versus({ name: 'storm-open', unit: 'ms' }, all, ['mooring', 'ws']),
      note: (taken) =>
        `half of them after ${halfText(taken, 'mooring')}, with ws after ${halfText(taken, 'ws')}`,
    },
  ],
  async measure(stage) {
    for (let times = 0; times < 2; times += 1) await comeAndGo(stage, WARM_UP);
    await stage.dial(CLIENTS);
    await sleep(SETTLE_MS);
    await stage.leave();
    await sleep(AWAY_MS);
    await stage.server.ask('watchPauses');
    let comeback = { halfMs: Number.NaN, allMs: Number.NaN };
    const micros = await stage.cpuOf(async () => {
      comeback = await stage.comeBack();
    });
    const pauseMs = await stage.server.ask('watchedPauseMs');
    const { halfMs, allMs } = comeback;
    return { [cpu]: micros / CLIENTS, [pause]: pauseMs, [half]: halfMs, [all]: allMs };
  },
};

function halfText(taken: Taken, subject: string): string {
  return `${median(figure(taken, subject, half)).toFixed(0)} ms`;
}
