// Measures Mooring against its peers, each figure in the same run as that of the peer.
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { root } from '../package/repository.ts';
import { type Calibration, Calibrator } from './calibration.ts';
import { killChildren } from './child.ts';
import { killEngines } from './engines/engines.ts';
import { type BenchOptions, parseBenchOptions } from './options.ts';
import { benchmarksPage, PAGE } from './page.ts';
import { pictures } from './panels.ts';
import { drawPlots } from './plot.ts';
import {
  noResults,
  type Results,
  type Selection,
  select,
  selectNamed,
  withOutcome,
} from './results.ts';
import { tableText } from './table.ts';
import { runWorkload } from './workload.ts';
import { mainRows, workloads } from './workloads/index.ts';

const REFUSED = 2;
const INTERRUPTED = 130;

// However this process ends, no child and no folder of test/bench/run.sh is left behind.
process.on('exit', () => {
  killChildren();
  killEngines();
  const compiled = join(import.meta.dirname, '../..');
  if (basename(compiled) === `bench-${process.pid}`) rmSync(compiled, { recursive: true });
});
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => process.exit(INTERRUPTED));
}

const options = orRefuse(() => parseBenchOptions(process.argv.slice(2)));
let results = orRefuse(() => before(options));
const selections = orRefuse(() => selected(options));
const calibrator = new Calibrator();
let fastestMs = Number.POSITIVE_INFINITY;
let measured = 0;
let unmeasured = 0;
await calibrator.warmUp();
for (const selection of selections) await measure(selection);
report();

/** Runs code that may fail because of wrong arguments. */
function orRefuse<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    console.error(error instanceof Error ? error.message : String(error));
    process.exit(REFUSED);
  }
}

function before({ from }: BenchOptions): Results {
  if (from === undefined) return noResults();
  try {
    return JSON.parse(readFileSync(from, 'utf8')) as Results;
  } catch (error) {
    throw new Error(`--from cannot read '${from}': ${(error as Error).message}`);
  }
}

/** Earlier measurements are repeated only when they are named. */
function selected({ only, from, quick }: BenchOptions): readonly Selection[] {
  if (quick) return selectNamed(workloads, mainRows);
  if (only === undefined && from !== undefined) return [];
  const selection = select(workloads, only);
  if (selection.length > 0) return selection;
  throw new Error(`--only names no row and no workload: '${only}'`);
}

/** A failed measurement is reported and does not prevent the others. */
async function measure({ workload, rows }: Selection): Promise<void> {
  const { rounds, anyway: isAnyway } = options;
  const plan = { rounds, rows, progress: console.log, calibrate, fastestMs: () => fastestMs };
  try {
    const outcome = await runWorkload(workload, { ...plan, isAnyway });
    results = withOutcome(results, outcome);
    const busy = outcome.leftOut.filter(({ isBusy }) => isBusy);
    for (const { name, reason } of busy) console.log(`${name} not measured: ${reason}`);
    measured += outcome.rows.length + outcome.curves.length;
    unmeasured += busy.length;
  } catch (error) {
    console.error(`${workload.name} FAILED: ${(error as Error).message}`);
    process.exitCode = 1;
  }
}

async function calibrate(): Promise<Calibration> {
  const calibration = await calibrator.run();
  fastestMs = Math.min(fastestMs, calibration.slowestMs);
  return calibration;
}

function report(): void {
  console.log(`\n${tableText(results.rows, results.leftOut)}`);
  // A run that was too busy for some rows has still measured the others.
  if (measured === 0 && unmeasured > 0) process.exitCode = 1;
  if (options.json !== undefined) writeJson(options.json);
  if (options.write) writePage();
}

function writeJson(path: string): void {
  writeFileSync(path, `${JSON.stringify(results, null, 2)}\n`);
}

/** A page with missing rows would hide what was not measured. */
function writePage(): void {
  const leftOut = results.leftOut.filter(({ isBusy }) => isBusy !== true);
  const told = new Set([...results.rows, ...leftOut].map(({ name }) => name));
  const expected = workloads.filter(({ isOnRequest }) => isOnRequest !== true);
  const names = expected.flatMap(({ rows }) => rows.map(({ name }) => name));
  const missing = names.filter((name) => !told.has(name));
  const drawn = new Set(results.curves.map(({ plot }) => plot));
  const plots = pictures.flatMap(({ panels }) => panels.map(({ plot }) => plot));
  missing.push(...plots.filter((plot) => !drawn.has(plot)).map((plot) => `picture of ${plot}`));
  if (missing.length > 0) {
    console.error(`--write needs everything, and there is no ${missing.join(', ')}`);
    process.exitCode = 1;
    return;
  }
  writeFileSync(join(root, PAGE), benchmarksPage(results, workloads));
  for (const picture of pictures) {
    writeFileSync(join(root, picture.path), drawPlots(results.curves, picture));
  }
}
