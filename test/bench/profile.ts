// Measures where a server spends its time, and writes docs/internals/performance.md. Run it on a quiet machine with
// `npm run profile`; it takes about a minute.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { root } from '../package/repository.ts';
import { killChildren } from './child.ts';
import type { Setup } from './orders.ts';
import { type Measured, page, type Scenario } from './profile-page.ts';
import { Stage } from './stage.ts';
import { sendFlood } from './workloads/flood.ts';

const PAGE = 'docs/internals/performance.md';
const MEMBERS = 1_000;
const CROWD = 4_000;
const TICKS = 150;
const BURST = 16;
const PAUSE_MS = 5;
const HEARTBEAT_MS = 1_000;
const HEARTBEATS = 4;
const FLOODING = 200;
const FLOOD = 3_000;
/** Before the measurement, so that V8 has compiled what is measured. */
const WARM_UPS = 2;

/** What a scenario does. */
interface Work {
  /** How many operations the work has. */
  readonly operations: number;
  readonly heartbeatMs?: number;
  /** Runs once. */
  readonly begin?: (stage: Stage) => Promise<unknown>;
  /** Runs each time before the work, and is not measured. */
  readonly prepare?: (stage: Stage) => Promise<unknown>;
  readonly work: (stage: Stage) => Promise<unknown>;
}

const scenarios: Readonly<Record<Scenario, Work>> = {
  single: publishing(1),
  burst: publishing(BURST),
  accept: {
    operations: CROWD,
    async work(stage) {
      await stage.connect(CROWD);
      await stage.end(CROWD, 'close');
    },
  },
  reset: {
    operations: CROWD,
    prepare: (stage) => stage.connect(CROWD),
    work: (stage) => stage.end(CROWD, 'reset'),
  },
  flood: {
    operations: FLOODING * FLOOD,
    begin: (stage) => stage.connect(FLOODING),
    work: (stage) => sendFlood(stage, FLOOD),
  },
  heartbeat: {
    operations: HEARTBEATS * CROWD,
    heartbeatMs: HEARTBEAT_MS,
    begin: (stage) => stage.connect(CROWD),
    work: () => sleep(HEARTBEATS * HEARTBEAT_MS),
  },
};

function publishing(perTick: number): Work {
  return {
    operations: perTick * MEMBERS * TICKS,
    begin: (stage) => stage.connect(MEMBERS),
    work: (stage) => stage.stream({ perTick, ticks: TICKS, pauseMs: PAUSE_MS }),
  };
}

async function measured(scenario: Scenario): Promise<Measured> {
  const { operations, heartbeatMs, begin, prepare, work } = scenarios[scenario];
  const setup: Setup = {
    program: 'mooring',
    ...(heartbeatMs !== undefined && { heartbeatMs }),
    ...(scenario === 'flood' && { handler: 'count' }),
  };
  const stage = new Stage(`profile: ${scenario}`, setup);
  try {
    await begin?.(stage);
    for (let time = 0; time < WARM_UPS; time += 1) {
      await prepare?.(stage);
      await work(stage);
    }
    await prepare?.(stage);
    await stage.server.ask('profile');
    const micros = (await stage.cpuOf(() => work(stage))) / operations;
    console.log(`${scenario}: ${micros.toFixed(2)} µs`);
    return { scenario, micros, figures: await stage.server.ask('profiled') };
  } finally {
    await stage.stop();
  }
}

process.on('exit', killChildren);
const results: Measured[] = [];
for (const scenario of Object.keys(scenarios) as Scenario[]) results.push(await measured(scenario));
writeFileSync(join(root, PAGE), page(results));
