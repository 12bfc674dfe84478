import type { InspectionEvent } from 'xstate';
import { guarded } from '../core/guard.ts';

/** Sees every step of every chart. */
export type Inspect = (event: InspectionEvent) => void;

/** What `createActor` is told, so that whatever an inspector throws goes no further. */
export function inspected(inspect: Inspect | undefined, report: (error: Error) => void) {
  if (inspect === undefined) return {};
  return { inspect: (event: InspectionEvent) => void guarded(() => inspect(event), report) };
}
