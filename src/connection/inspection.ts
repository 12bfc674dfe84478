import type { InspectionEvent } from 'xstate';
import { guarded } from '../core/guard.ts';

/** Sees every step of every chart. */
export type Inspect = (event: InspectionEvent) => void;

/**
 * What `createActor` is told. An inspector runs inside the transitions of every chart: what it throws would be their crash,
 * and is reported instead.
 */
export function inspected(inspect: Inspect | undefined, report: (error: Error) => void) {
  if (inspect === undefined) return {};
  return { inspect: (event: InspectionEvent) => void guarded(() => inspect(event), report) };
}
