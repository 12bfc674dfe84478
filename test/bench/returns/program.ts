/** The process of clients that come back: its parent takes their servers away. */
import { setTimeout as sleep } from 'node:timers/promises';
import { until } from '../../support/until.ts';
import { carryOut } from '../lines.ts';
import type { ReturnOrders, Setup, Survival } from '../orders.ts';
import { Balancer } from './balancer.ts';
import { move } from './moves.ts';
import { mooring, type Survivor, socketIo } from './survivor.ts';

const WITHIN_MS = 40_000;
/** As long as nothing comes, everything has come. */
const QUIET_MS = 2_000;

const { program } = JSON.parse(process.argv[2] ?? '{}') as Setup;
const survivors: Survivor[] = [];
const balancer = new Balancer();

carryOut<ReturnOrders>({ move, gather, divert: (port) => balancer.divert(port), survived });

async function gather({ port, count }: { port: number; count: number }): Promise<void> {
  const url = await balancer.listen(port);
  const dial = program === 'socket.io' ? socketIo : mooring;
  for (let made = 0; made < count; made += 1) survivors.push(dial(url));
  await untilOpen();
}

async function survived(published: number): Promise<Survival> {
  await untilOpen();
  for (let before = -1; before < received(); await sleep(QUIET_MS)) before = received();
  return {
    recovered: survivors.filter(({ isRecovered }) => isRecovered).length,
    missed: sum(({ heard }) => published - heard.size),
    doubled: sum(({ doubled }) => doubled),
  };
}

function received(): number {
  return sum(({ heard, doubled }) => heard.size + doubled);
}

function sum(of: (survivor: Survivor) => number): number {
  return survivors.reduce((before, survivor) => before + of(survivor), 0);
}

async function untilOpen(): Promise<void> {
  const areOpen = () => survivors.every((survivor) => survivor.isOpen());
  await until(areOpen, 'all are open', WITHIN_MS);
}
