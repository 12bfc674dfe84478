import { setTimeout as sleep } from 'node:timers/promises';
import { median } from '../row.ts';
import type { Stage } from '../stage.ts';
import { figure, type Taken, versus, type Workload } from '../workload.ts';

const CONNECTIONS = 15_000;
const INTERVAL_MS = 2_000;
const WINDOW_MS = 2 * INTERVAL_MS;
const PAUSE_WINDOW_MS = 1.2 * INTERVAL_MS;
const SETTLE_MS = INTERVAL_MS / 2;
const CHATTER_MS = INTERVAL_MS / 2;
const PAUSE_BUDGET_MS = 10;

const idle = 'idle ms/s';
const pause = 'pause ms';
const busy = 'busy ms/s';

/** What it costs to know which peers are alive. */
export const heartbeat: Workload = {
  name: 'heartbeat',
  about:
    '15,000 connections answer pings. The interval is shortened from 25 s to 2 s, and the ticks of the ' +
    'timer wheel to 20 ms accordingly. The figure is server CPU per second, compared with the heartbeat of ' +
    'the README of ws at the same interval. `heartbeat-pause` is the longest time for which the event loop ' +
    'was blocked.',
  subjects: {
    mooring: { program: 'mooring', heartbeatMs: INTERVAL_MS },
    ws: { program: 'ws', heartbeatMs: INTERVAL_MS },
  },
  rows: [
    versus({ name: 'heartbeat', unit: 'ms/s', target: 1 }, idle, ['mooring', 'ws']),
    {
      name: 'heartbeat-pause',
      unit: 'ms',
      peerName: 'budget of 10 ms',
      needs: ['mooring', 'ws'],
      target: 1,
      pairs(taken) {
        const ours = figure(taken, 'mooring', pause);
        return { ours, peer: ours.map(() => PAUSE_BUDGET_MS) };
      },
      note: (taken) => `ws: ${median(figure(taken, 'ws', pause)).toFixed(0)} ms`,
    },
  ],
  async measure(stage) {
    await stage.connect(CONNECTIONS);
    await sleep(SETTLE_MS);
    const cpu = await cpuMsPerSecond(stage, WINDOW_MS);
    const longestMs = await stage.server.ask('longestPauseMs', PAUSE_WINDOW_MS);
    return { [idle]: cpu, [pause]: longestMs };
  },
};

/** What it costs when the traffic shows already which peers are alive. */
export const heartbeatTraffic: Workload = {
  name: 'heartbeat-traffic',
  about:
    'The same connections, but every client sends a message each second, so no client needs a ping. The ' +
    'figure is the CPU beyond that of the same traffic without a heartbeat.',
  subjects: {
    mooring: { program: 'mooring', heartbeatMs: INTERVAL_MS },
    'mooring without': { program: 'mooring', heartbeatMs: 0 },
    ws: { program: 'ws', heartbeatMs: INTERVAL_MS },
    'ws without': { program: 'ws', heartbeatMs: 0 },
  },
  rows: [
    {
      name: 'heartbeat-traffic',
      unit: 'ms/s',
      peerName: 'ws',
      needs: ['mooring', 'mooring without', 'ws', 'ws without'],
      target: 0.2,
      // A difference of two figures, each of which may vary.
      spreadMax: 0.4,
      pairs: (taken) => ({ ours: extra(taken, 'mooring'), peer: extra(taken, 'ws') }),
    },
  ],
  async measure(stage) {
    await stage.connect(CONNECTIONS);
    await stage.readers.ask('chatter', CHATTER_MS);
    await sleep(SETTLE_MS);
    return { [busy]: await cpuMsPerSecond(stage, WINDOW_MS) };
  },
};

async function cpuMsPerSecond(stage: Stage, windowMs: number): Promise<number> {
  const micros = await stage.cpuOf(() => sleep(windowMs));
  return micros / windowMs;
}

/** What the heartbeat adds to the traffic. A negative value is noise. */
function extra(taken: Taken, subject: string): readonly number[] {
  const without = figure(taken, `${subject} without`, busy);
  return figure(taken, subject, busy).map((cost, round) =>
    Math.max(0, cost - (without[round] ?? Number.NaN)),
  );
}
