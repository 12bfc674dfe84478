import type { AnyStateMachine } from 'xstate';
import { guarded } from '../core/guard.ts';
import type { InspectionEvent, Inspector } from '../core/inspection.ts';

/**
 * Returns the option `inspect` of `createActor`. An inspector runs inside the transitions of every chart: what it throws
 * would crash them, and is reported instead.
 */
export function inspected(inspector: Inspector | undefined, report: (error: Error) => void) {
  if (inspector === undefined) return {};
  const see = (event: InspectionEvent) =>
    typeof inspector === 'function' ? inspector(event) : inspector.next?.(event);
  return { inspect: (event: InspectionEvent) => void guarded(() => see(event), report) };
}

/**
 * Returns the machine as an inspector gets it: without its descriptions. The Stately inspector sends the whole definition for
 * each actor, and they are a third of it (measured): 2 kB for each connection.
 */
export function undescribed<Machine extends AnyStateMachine>(machine: Machine): Machine {
  return Object.create(machine, { config: { value: withoutDescriptions(machine.config) } });
}

function withoutDescriptions(part: unknown): unknown {
  if (Array.isArray(part)) return part.map(withoutDescriptions);
  if (typeof part !== 'object' || part === null) return part;
  const entries = Object.entries(part).filter(
    ([name]) => name !== 'description' && name !== 'meta',
  );
  return Object.fromEntries(entries.map(([name, value]) => [name, withoutDescriptions(value)]));
}
