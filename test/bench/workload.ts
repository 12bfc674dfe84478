import { busyReason } from './busy.ts';
import type { Calibration } from './calibration.ts';
import { reasonAgainst } from './engines/engines.ts';
import type { Setup } from './orders.ts';
import {
  type BenchRow,
  type Curve,
  compare,
  type LeftOut,
  median,
  type Pairs,
  type Target,
} from './row.ts';
import { bunBinary, Stage } from './stage.ts';

/** The measurements of one round of one subject, by the name of the figure. */
export type Figures = Readonly<Record<string, number>>;

/** The measurements of all rounds, by subject. */
export type Taken = ReadonlyMap<string, readonly Figures[]>;

/** How a row is computed from the measurements. */
export interface RowPlan {
  readonly name: string;
  readonly unit: string;
  readonly peerName: string;
  /** The names of the subjects that it compares. */
  readonly needs: readonly string[];
  pairs(taken: Taken): Pairs;
  /** @default none */
  readonly target?: Target;
  note?(taken: Taken): string;
  /** How far apart the rounds of the peer may be before the machine counts as busy. @default 0.15 */
  readonly spreadMax?: number;
}

/** Work that each of several subjects performs. */
export interface Workload {
  readonly name: string;
  /** The description for the page. */
  readonly about: string;
  readonly subjects: Readonly<Record<string, Setup>>;
  readonly rows: readonly RowPlan[];
  /** Whether it runs only when its full name is given. @default false */
  readonly isOnRequest?: boolean;
  /** A limit on the rounds, for slow work that is only drawn. */
  readonly roundsMax?: number;
  measure(stage: Stage, subject: string): Promise<Figures>;
  /** The curves to draw. */
  curves?(taken: Taken): readonly Curve[];
}

/** The results of a workload. */
export interface Outcome {
  readonly rows: readonly BenchRow[];
  readonly leftOut: readonly LeftOut[];
  readonly curves: readonly Curve[];
  /** The name of the workload that was drawn, if it was. */
  readonly drawn?: string;
}

/** How to run a workload. */
export interface RunPlan {
  readonly rounds: number;
  readonly rows: readonly RowPlan[];
  /** Called with the result of each round. */
  progress(line: string): void;
  /** Called before each round. */
  calibrate(): Promise<Calibration>;
  /** The least time that a calibration of this run has taken, in milliseconds. */
  fastestMs(): number;
  /** Whether to keep the rows that a busy machine has measured. */
  readonly isAnyway: boolean;
}

/**
 * Measures all subjects of a workload in turn, round after round.
 *
 * A temporary slowdown of the machine affects all of them. The order rotates, so that no subject is always
 * the first.
 */
export async function runWorkload(workload: Workload, plan: RunPlan): Promise<Outcome> {
  const { leftOut, rows } = await available(workload, plan.rows);
  const names = subjectsOf(workload, rows);
  const taken = new Map<string, Figures[]>(names.map((name) => [name, []]));
  const rounds = Math.min(plan.rounds, workload.roundsMax ?? plan.rounds);
  const calibrations: Calibration[] = [];
  for (let round = 0; round < rounds; round += 1) {
    calibrations.push(await plan.calibrate());
    for (let turn = 0; turn < names.length; turn += 1) {
      const name = names[(round + turn) % names.length] ?? '';
      const figures = await measureOnce(workload, name);
      taken.get(name)?.push(figures);
      plan.progress(progressLine(workload.name, name, { round, rounds, figures }));
    }
  }
  const judged = rows.map((row) => judge(row, taken, { ...plan, calibrations }));
  const { curves, busy } = drawn(workload, taken, { ...plan, calibrations });
  return {
    rows: judged.filter((row) => 'ours' in row),
    leftOut: [...leftOut, ...judged.filter((row) => 'reason' in row), ...busy],
    curves,
    ...(curves.length > 0 && { drawn: workload.name }),
  };
}

type Judging = Pick<RunPlan, 'isAnyway' | 'fastestMs'> & {
  readonly calibrations: readonly Calibration[];
};

/** The curves of a workload, unless the machine was too busy to draw them. */
function drawn(
  { name, curves }: Workload,
  taken: Taken,
  { isAnyway, fastestMs, calibrations }: Judging,
): { curves: readonly Curve[]; busy: readonly LeftOut[] } {
  if (curves === undefined) return { curves: [], busy: [] };
  const signs = { peer: [], peerName: '', calibrations, fastestMs: fastestMs() };
  const reason = busyReason(signs);
  if (reason === null || isAnyway) return { curves: curves(taken), busy: [] };
  return { curves: [], busy: [{ name, reason, isBusy: true }] };
}

/** The row, unless the machine was too busy to measure it. */
function judge(row: RowPlan, taken: Taken, run: Judging): BenchRow | LeftOut {
  const { name, unit, peerName, spreadMax } = row;
  const { peer } = row.pairs(taken);
  // Others may take time away, but not memory.
  const calibrations = unit === 'B' || unit === 'MiB' ? [] : run.calibrations;
  const signs = { peer, peerName, spreadMax, calibrations, fastestMs: run.fastestMs() };
  const reason = busyReason(signs);
  if (reason === null) return rowOf(row, taken);
  if (!run.isAnyway) return { name, reason, isBusy: true };
  const { note, ...measured } = rowOf(row, taken);
  return { ...measured, note: note === undefined ? reason : `${note}; ${reason}` };
}

async function measureOnce(workload: Workload, name: string): Promise<Figures> {
  const setup = workload.subjects[name];
  if (setup === undefined) throw new Error(`${workload.name} has no subject ${name}`);
  const stage = new Stage(`${workload.name}: ${name}`, setup);
  try {
    return await workload.measure(stage, name);
  } finally {
    await stage.stop();
  }
}

/** A workload without rows exists for its curves. */
function subjectsOf(workload: Workload, rows: readonly RowPlan[]): readonly string[] {
  if (workload.rows.length === 0) return Object.keys(workload.subjects);
  return Object.keys(workload.subjects).filter((name) =>
    rows.some(({ needs }) => needs.includes(name)),
  );
}

async function available(
  { subjects }: Workload,
  rows: readonly RowPlan[],
): Promise<{ rows: readonly RowPlan[]; leftOut: readonly LeftOut[] }> {
  const measurable: RowPlan[] = [];
  const leftOut: LeftOut[] = [];
  for (const row of rows) {
    const reason = await missingFor(row.needs.map((name) => subjects[name]));
    if (reason === null) measurable.push(row);
    else leftOut.push({ name: row.name, reason });
  }
  return { rows: measurable, leftOut };
}

/** What some subjects need and this machine does not have. */
async function missingFor(setups: readonly (Setup | undefined)[]): Promise<string | null> {
  if (bunBinary() === '' && setups.some((setup) => setup?.program === 'bun'))
    return 'BENCH_BUN does not name a Bun binary';
  for (const setup of setups) {
    const reason = setup?.bus === undefined ? null : await reasonAgainst(setup.bus);
    if (reason !== null) return reason;
  }
  return null;
}

function rowOf(plan: RowPlan, taken: Taken): BenchRow {
  const { name, unit, peerName } = plan;
  const row = compare({ name, unit, peerName }, plan.pairs(taken), plan.target);
  return plan.note === undefined ? row : { ...row, note: plan.note(taken) };
}

/** One figure of one subject, round by round. */
export function figure(taken: Taken, subject: string, name: string): readonly number[] {
  return (taken.get(subject) ?? []).map((figures) => figures[name] ?? Number.NaN);
}

function progressLine(
  workload: string,
  subject: string,
  { round, rounds, figures }: { round: number; rounds: number; figures: Figures },
): string {
  const shown = Object.entries(figures).map(
    ([name, value]) => `${name} ${Number(value.toPrecision(4))}`,
  );
  return `${workload} ${round + 1}/${rounds}  ${subject}: ${shown.join(', ')}`;
}

/** A row that compares two figures of Mooring with each other, beside the same comparison for ws. */
export function flat(
  head: { name: string; unit: string; peerName: string; target: number },
  many: string,
  few: string,
): RowPlan {
  return {
    ...head,
    needs: ['mooring', 'ws'],
    pairs: (taken) => ({
      ours: figure(taken, 'mooring', many),
      peer: figure(taken, 'mooring', few),
    }),
    note: (taken) =>
      `ws: ${(median(figure(taken, 'ws', many)) / median(figure(taken, 'ws', few))).toFixed(2)}`,
  };
}

/** The median of a figure that is measured several times: a garbage collection may fall into any of them. */
export async function medianOf(times: number, take: () => Promise<number>): Promise<number> {
  const values: number[] = [];
  for (let time = 0; time < times; time += 1) values.push(await take());
  return median(values);
}

/** The name of the subject whose connections get their actors on demand. */
export const onDemand = 'mooring, actors on demand';

/** A row that compares the same figure of two subjects. */
export function versus(
  head: { name: string; unit: string; target?: Target; spreadMax?: number },
  name: string,
  [ours, peer]: readonly [ours: string, peer: string],
): RowPlan {
  return {
    ...head,
    peerName: peer,
    needs: [ours, peer],
    pairs: (taken) => ({ ours: figure(taken, ours, name), peer: figure(taken, peer, name) }),
  };
}

/** A row with a budget instead of a peer. */
export function within(
  { budget, ...head }: { name: string; unit: string; budget: number },
  name: string,
  subject: string,
): RowPlan {
  return {
    ...{ ...head, peerName: `budget of ${budget} ${head.unit}`, needs: [subject], target: 1 },
    pairs(taken) {
      const ours = figure(taken, subject, name);
      return { ours, peer: ours.map(() => budget) };
    },
  };
}
