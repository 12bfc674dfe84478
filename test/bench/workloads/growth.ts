import { plots } from '../panels.ts';
import { type Curve, median } from '../row.ts';
import type { Stage } from '../stage.ts';
import { type Figures, figure, medianOf, type Taken, type Workload } from '../workload.ts';

const TOPICS = [1, 10, 100, 1_000];
const TOPIC_MEMBERS = 500;
const DELIVERY_CPU_MS = 500;

const SIZES = [100, 500, 1_000, 5_000, 10_000];
const WORK_MS = 300;
const TIMES = 3;

const LEAVING = [1_000, 2_000, 5_000, 10_000];
const WARM_UP = 5_000;

const inTopics = 'mooring, many topics';
const leaving = 'mooring, leaving';
const wsLeaving = 'ws, leaving';

/** Costs that could grow with something else than their own number. This is for the picture and has no rows. */
export const growth: Workload = {
  name: 'growth',
  about:
    'What could cost more in a large service, for the second picture. 500 members of a topic get a message each turn ' +
    'while they are in 1 to 1,000 topics. Members of a topic of 100 to 10,000 leave it and join it again, one after the other. A ' +
    'message is published with a `where` that accepts none of 100 to 10,000 members. 1,000 to 10,000 members ' +
    'of a topic are reset at the same moment.',
  subjects: {
    mooring: { program: 'mooring' },
    [inTopics]: { program: 'mooring' },
    [leaving]: { program: 'mooring' },
    [wsLeaving]: { program: 'ws' },
  },
  rows: [],
  roundsMax: 3,
  measure(stage, subject) {
    if (subject === inTopics) return topicsFigures(stage);
    return subject === 'mooring' ? memberFigures(stage) : leavingFigures(stage);
  },
  curves: (taken) => [
    curveOf(taken, plots.topics, inTopics, TOPICS),
    curveOf(taken, plots.join, 'mooring', SIZES),
    curveOf(taken, plots.where, 'mooring', SIZES),
    curveOf(taken, plots.leaving, leaving, LEAVING),
    curveOf(taken, plots.leaving, wsLeaving, LEAVING),
  ],
};

async function topicsFigures(stage: Stage): Promise<Figures> {
  await stage.connect(TOPIC_MEMBERS);
  const figures: Record<string, number> = {};
  for (const topics of TOPICS) {
    await stage.server.ask('joinTopics', topics);
    figures[nameOf(plots.topics, topics)] = await medianOf(TIMES, () =>
      stage.deliveryMicros(1, DELIVERY_CPU_MS),
    );
  }
  return figures;
}

async function memberFigures(stage: Stage): Promise<Figures> {
  const figures: Record<string, number> = {};
  for (const size of SIZES) {
    await stage.connect(size - stage.connections);
    figures[nameOf(plots.join, size)] = await workMicros(stage, 'join');
    figures[nameOf(plots.where, size)] = (await workMicros(stage, 'where')) / size;
  }
  return figures;
}

/** The first time compiles it. */
async function workMicros(stage: Stage, work: 'join' | 'where'): Promise<number> {
  const run = () => stage.server.ask('workMicros', { work, forMs: WORK_MS });
  await run();
  return medianOf(TIMES, run);
}

async function leavingFigures(stage: Stage): Promise<Figures> {
  const figures: Record<string, number> = {};
  for (let times = 0; times < 2; times += 1) await lose(stage, WARM_UP);
  for (const count of LEAVING) {
    figures[nameOf(plots.leaving, count)] = await medianOf(TIMES, () => lose(stage, count));
  }
  return figures;
}

/** CPU for each of several connections that are reset at the same moment, in microseconds. */
async function lose(stage: Stage, count: number): Promise<number> {
  await stage.connect(count);
  return (await stage.cpuOf(() => stage.end(count, 'reset'))) / count;
}

function nameOf(plot: string, size: number): string {
  return `${plot} ${size}`;
}

function curveOf(taken: Taken, plot: string, subject: string, sizes: readonly number[]): Curve {
  const points = sizes.map(
    (size) => [size, median(figure(taken, subject, nameOf(plot, size)))] as const,
  );
  const [name = subject] = subject.split(',');
  return { plot, subject: name, points };
}
