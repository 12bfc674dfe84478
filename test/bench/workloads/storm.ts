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
    'A server drops 2,000 open clients without a close frame and listens again after 2.5 s. Clients of ' +
    'Mooring dial after a random part of a time that begins at 500 ms and doubles up to 20 s. Clients of ' +
    'ws use the usual loop, which dials one second after each ending. The server is the same for both, and ' +
    'sends no pings. The figure is server CPU for each client, from the moment at which the server listens ' +
    'until all clients are open; clients that come one by one cost the server a wake-up each. ' +
    '`storm-pause` is the longest time for which the event loop of the server was blocked meanwhile, with ' +
    'a precision of 10 ms. Other clients of the server would notice such a pause. All clients dial from ' +
    'one process, which takes more than half a second for 2,000; clients on 2,000 machines would all dial ' +
    'at once. `storm-open` is the time until the last client is open. It is long because a client that has ' +
    'failed several times may wait for seconds: that is the price of spreading the attempts.',
  subjects: {
    mooring: { program: 'mooring', dialer: 'mooring', heartbeatMs: 0 },
    ws: { program: 'mooring', dialer: 'ws', heartbeatMs: 0 },
  },
  rows: [
    versus({ name: 'storm', unit: 'µs', spreadMax: 0.3 }, cpu, ['mooring', 'ws']),
    // Pauses are measured in steps of 10 ms.
    versus({ name: 'storm-pause', unit: 'ms', spreadMax: 2 }, pause, ['mooring', 'ws']),
    {
      ...versus({ name: 'storm-open', unit: 'ms' }, all, ['mooring', 'ws']),
      note: (taken) =>
        `half of the clients are open after ${halfText(taken, 'mooring')}, with ws after ${halfText(taken, 'ws')}`,
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
