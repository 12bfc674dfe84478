import { plots } from '../panels.ts';
import { type Curve, median } from '../row.ts';
import type { Stage } from '../stage.ts';
import { type Figures, figure, medianOf, type Taken, type Workload } from '../workload.ts';
import { comeAndGo } from './accept.ts';

const SIZES = [500, 1_000, 2_000, 4_000, 8_000];
const CPU_MS = 500;
const NEWCOMERS = 1_000;
const TIMES = 3;
const WARM_UP_TIMES = 8;

/** The suffix of the name of a subject whose connections come and go. */
const COMING = 'coming and going';

/** Costs that do not depend on the number of connections. This is for the pictures and has no rows. */
export const scaling: Workload = {
  name: 'scaling',
  about: 'The costs above at other numbers of connections, for the picture.',
  subjects: {
    mooring: { program: 'mooring' },
    ws: { program: 'ws' },
    'bare socket.write': { program: 'bare' },
    // Separate processes: a garbage collection discards code that was compiled for connections that are gone.
    [`mooring ${COMING}`]: { program: 'mooring' },
    [`ws ${COMING}`]: { program: 'ws' },
  },
  rows: [],
  roundsMax: 3,
  measure: (stage, subject) =>
    subject.endsWith(COMING) ? acceptFigures(stage) : fanOutFigures(stage),
  curves: (taken) =>
    [...taken.keys()].flatMap((subject) =>
      [plots.burst, plots.single, plots.accept]
        .map((plot) => curveOf(taken, plot, subject))
        .filter(({ points }) => points.length > 0),
    ),
};

async function fanOutFigures(stage: Stage): Promise<Figures> {
  const figures: Record<string, number> = {};
  for (const size of SIZES) {
    await stage.connect(size - stage.connections);
    figures[nameOf(plots.burst, size)] = await stage.deliveryMicros(16, CPU_MS);
    figures[nameOf(plots.single, size)] = await stage.deliveryMicros(1, CPU_MS);
  }
  return figures;
}

async function acceptFigures(stage: Stage): Promise<Figures> {
  const figures: Record<string, number> = {};
  for (let times = 0; times < WARM_UP_TIMES; times += 1) await comeAndGo(stage, NEWCOMERS);
  for (const size of [0, ...SIZES]) {
    await stage.connect(size - stage.connections);
    figures[nameOf(plots.accept, size)] = await medianOf(TIMES, () => comeAndGo(stage, NEWCOMERS));
  }
  return figures;
}

function nameOf(plot: string, size: number): string {
  return `${plot} ${size}`;
}

function curveOf(taken: Taken, plot: string, subject: string): Curve {
  const points = [0, ...SIZES].map(
    (size) => [size, median(figure(taken, subject, nameOf(plot, size)))] as const,
  );
  const name = subject.replace(` ${COMING}`, '');
  return { plot, subject: name, points: points.filter(([, cost]) => Number.isFinite(cost)) };
}
