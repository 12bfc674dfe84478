import { type Machine, thisMachine } from './machine.ts';
import { type BenchRow, type Curve, type LeftOut, merged } from './row.ts';
import type { Outcome, RowPlan, Workload } from './workload.ts';

/** All measurements, as written to a file. */
export interface Results {
  readonly machine: Machine;
  readonly rows: readonly BenchRow[];
  readonly leftOut: readonly LeftOut[];
  readonly curves: readonly Curve[];
}

/** Nothing yet. */
export function noResults(): Results {
  return { machine: thisMachine(), rows: [], leftOut: [], curves: [] };
}

/**
 * Adds the results of a workload. They replace earlier results of the same rows and curves.
 *
 * A row that the machine was too busy to measure leaves its earlier result in place.
 */
export function withOutcome(results: Results, { rows, curves, ...outcome }: Outcome): Results {
  const leftOut = outcome.leftOut.filter(
    ({ name, isBusy }) => isBusy !== true || !isIn(results.rows, name),
  );
  const stillOut = merged(results.leftOut, leftOut).filter(
    ({ name }) => name !== outcome.drawn && !isIn(rows, name),
  );
  const isDrawn = (name: string) => curves.some(({ plot }) => plot === name);
  const kept = results.rows.filter(({ name }) => !isIn(leftOut, name));
  return {
    machine: thisMachine(),
    rows: merged(kept, rows),
    leftOut: stillOut,
    curves: [...results.curves.filter(({ plot }) => !isDrawn(plot)), ...curves],
  };
}

/** The parts of a workload to be measured. */
export interface Selection {
  readonly workload: Workload;
  readonly rows: readonly RowPlan[];
}

/** The rows with these names. */
export function selectNamed(
  workloads: readonly Workload[],
  names: readonly string[],
): readonly Selection[] {
  return workloads
    .map((workload) => ({
      workload,
      rows: workload.rows.filter(({ name }) => names.includes(name)),
    }))
    .filter(({ rows }) => rows.length > 0);
}

/** Everything whose name begins like this: a workload with all its rows, or single rows. */
export function select(workloads: readonly Workload[], only = ''): readonly Selection[] {
  return workloads
    .filter(({ name, isOnRequest }) => isOnRequest !== true || only.startsWith(name))
    .map((workload) => ({ workload, rows: rowsOf(workload, only) }))
    .filter(({ workload, rows }) => rows.length > 0 || isPicture(workload, only));
}

/** The full name of a row means only this row, even if other names begin with it. */
function rowsOf({ name, rows }: Workload, only: string): readonly RowPlan[] {
  const exact = rows.filter((row) => row.name === only);
  if (exact.length > 0 && name !== only) return exact;
  return name.startsWith(only) ? rows : rows.filter((row) => row.name.startsWith(only));
}

function isPicture({ name, rows }: Workload, only: string): boolean {
  return rows.length === 0 && name.startsWith(only);
}

function isIn(rows: readonly { readonly name: string }[], name: string): boolean {
  return rows.some((row) => row.name === name);
}
