import { guarded } from '../core/guard.ts';
import type { Inspect, InspectionEvent } from '../core/inspection.ts';

/**
 * What `createActor` is told. An inspector runs inside the transitions of every chart: what it throws would be their crash,
 * and is reported instead.
 */
export function inspected(inspect: Inspect | undefined, report: (error: Error) => void) {
  if (inspect === undefined) return {};
  return { inspect: (event: InspectionEvent) => void guarded(() => inspect(event), report) };
}
