import { setTimeout as sleep } from 'node:timers/promises';
import type { NatsServer } from '../../support/nats-server.ts';
import { eventually } from '../../support/until.ts';
import { startNats, stopEngine } from '../engines/engines.ts';
import { median } from '../row.ts';
import { Stage } from '../stage.ts';
import { type Figures, figure, type Taken, type Workload, within } from '../workload.ts';

const SOCKETS = 2_000;
const EACH = 50;
const TOPICS = SOCKETS * EACH;

/** How long the engine is away, and how long the node is watched after everything is heard again. */
const AWAY_MS = 1_000;
const SETTLE_MS = 1_000;

const MEGABYTE = 1_000_000;
const BUDGET_MB = 150;
const BUDGET_MS = 200;

const shared = 'mooring';
const alone = 'mooring alone';

const live = 'live MB';
const resident = 'resident MB';
const pause = 'pause ms';
const subscribing = 'ms until the engine has all topics';
const again = 'ms until all is heard again';

/** What it costs to be interested in many topics. */
export const busInterest: Workload = {
  name: 'bus-interest',
  about:
    'The 2,000 sockets of a node join 50 topics each that nobody else is in, so it hears 100,000 topics of a ' +
    'nats-server. `bus-interest` is the number of bytes that are alive in the node after garbage collection, inside and ' +
    'outside the heap, beyond those before the first topic. Then the nats-server is killed, and starts again after a ' +
    'second. `bus-pause` is the longest time from then on for which the event loop of the node was blocked, with a ' +
    'precision of 10 ms.',
  roundsMax: 3,
  subjects: {
    [shared]: { program: 'mooring', bus: 'nats-server' },
    [alone]: { program: 'mooring' },
  },
  rows: [
    {
      ...within({ name: 'bus-interest', unit: 'MB', budget: BUDGET_MB }, live, shared),
      needs: [shared, alone],
      note: (taken) =>
        `the resident memory grows by ${textOf(taken, shared, resident)} MB. Without a bus, the same topics take ` +
        `${textOf(taken, alone, live)} MB. The engine has all topics after ${textOf(taken, shared, subscribing)} ms`,
    },
    {
      ...within({ name: 'bus-pause', unit: 'ms', budget: BUDGET_MS }, pause, shared),
      note: (taken) =>
        `all topics are heard again ${textOf(taken, shared, again)} ms after the server accepts connections`,
    },
  ],
  async measure({ name, setup }) {
    if (setup.bus === undefined) return withStage(new Stage(name, setup), joined);
    const nats = await startNats();
    try {
      return await withStage(new Stage(name, { ...setup, busUrl: nats.url }), async (stage) => {
        const figures = await joined(stage, () => untilHeard(nats));
        return { ...figures, ...(await returned(stage, nats)) };
      });
    } finally {
      await stopEngine(nats);
    }
  },
};

async function withStage(stage: Stage, work: (stage: Stage) => Promise<Figures>): Promise<Figures> {
  try {
    return await work(stage);
  } finally {
    await stage.stop();
  }
}

/** Lets every connection join its topics. */
async function joined(stage: Stage, untilAll = async () => {}): Promise<Figures> {
  const { server } = stage;
  await stage.connect(SOCKETS);
  const liveBefore = await server.ask('liveBytes');
  const residentBefore = await server.ask('residentBytes');
  const begunAt = performance.now();
  await server.ask('joinOwnTopics', EACH);
  await untilAll();
  const passedMs = performance.now() - begunAt;
  return {
    [subscribing]: passedMs,
    [live]: ((await server.ask('liveBytes')) - liveBefore) / MEGABYTE,
    [resident]: ((await server.ask('residentBytes')) - residentBefore) / MEGABYTE,
  };
}

/** Lets the engine go and come back. */
async function returned(stage: Stage, nats: NatsServer): Promise<Figures> {
  const { server } = stage;
  await server.ask('watchPauses');
  await nats.kill();
  await sleep(AWAY_MS);
  await nats.restart();
  const begunAt = performance.now();
  await untilHeard(nats);
  const passedMs = performance.now() - begunAt;
  await sleep(SETTLE_MS);
  return { [again]: passedMs, [pause]: await server.ask('watchedPauseMs') };
}

async function untilHeard(nats: NatsServer): Promise<void> {
  await eventually(async () => (await nats.subscriptions()) >= TOPICS, 'all topics are heard');
}

function textOf(taken: Taken, subject: string, name: string): string {
  return median(figure(taken, subject, name)).toFixed(0);
}
