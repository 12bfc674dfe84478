/** The process of measured clients: its parent makes it dial, and dial again. */
import { until } from '../../support/until.ts';
import { carryOut } from '../lines.ts';
import type { Comeback, DialerOrders, Setup } from '../orders.ts';
import { collect, liveBytes } from '../subjects/memory.ts';
import type { Dialer } from './dialer.ts';
import { mooring } from './mooring.ts';
import { ws } from './ws.ts';

/** How many clients dial at the same time. The next ones wait. */
const DIALING_MAX = 100;

const WITHIN_MS = 110_000;

const dialer = dialerOf(JSON.parse(process.argv[2] ?? '{}') as Setup);
let dialed = 0;

carryOut<DialerOrders>({
  dial,
  untilBack,
  collect,
  liveBytes,
});

function dialerOf(setup: Setup): Dialer {
  if (setup.dialer === undefined) throw new Error('nobody dials here');
  return setup.dialer === 'mooring' ? mooring(setup) : ws();
}

async function dial({ port, count }: { port: number; count: number }): Promise<void> {
  for (let left = count; left > 0; left -= DIALING_MAX) {
    const batch = Math.min(left, DIALING_MAX);
    for (let made = 0; made < batch; made += 1) dialer.dial(`ws://127.0.0.1:${port}/ws`);
    dialed += batch;
    await untilOpen(dialed);
  }
}

async function untilBack(): Promise<Comeback> {
  const startedAt = performance.now();
  await untilOpen(dialed / 2);
  const halfMs = performance.now() - startedAt;
  await untilOpen(dialed);
  return { halfMs, allMs: performance.now() - startedAt };
}

async function untilOpen(count: number): Promise<void> {
  await until(() => dialer.open() >= count, `${count} are open`, WITHIN_MS);
}
