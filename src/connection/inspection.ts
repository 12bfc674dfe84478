import type { AnyStateMachine } from 'xstate';
import { guarded } from '../core/guard.ts';
import type { InspectedActor, InspectionEvent, Inspector } from '../core/inspection.ts';

/**
 * Returns the option `inspect` of `createActor`. An inspector runs inside the transitions of every chart: what it throws
 * would crash them, and is reported instead.
 *
 * When a chart ignores a fact, XState sends the last snapshot again; that is left out.
 */
export function inspected(inspector: Inspector | undefined, report: (error: Error) => void) {
  if (inspector === undefined) return {};
  const see = (event: InspectionEvent) =>
    typeof inspector === 'function' ? inspector(event) : inspector.next?.(event);
  const snapshots = new WeakMap<InspectedActor, unknown>();
  const isRepeated = (event: InspectionEvent) => {
    if (event.type !== '@xstate.snapshot') return false;
    const before = snapshots.get(event.actorRef);
    snapshots.set(event.actorRef, event.snapshot);
    return before === event.snapshot;
  };
  return {
    inspect(event: InspectionEvent): void {
      if (!isRepeated(event)) guarded(() => see(event), report);
    },
  };
}

/** Parts of the definition of a chart that drawing it does not need: descriptions, and the parameters of orders. */
const dispensable: ReadonlySet<string> = new Set(['description', 'meta', 'params']);

/**
 * Returns the machine as an inspector gets it. The Stately inspector sends the whole definition for each actor, and 40 % of
 * it is dispensable (measured): 2.7 kB for each connection.
 */
export function abridged<Machine extends AnyStateMachine>(machine: Machine): Machine {
  return Object.create(machine, { config: { value: withoutDispensable(machine.config) } });
}

function withoutDispensable(part: unknown): unknown {
  if (Array.isArray(part)) return part.map(withoutDispensable);
  if (typeof part !== 'object' || part === null) return part;
  const entries = Object.entries(part).filter(([name]) => !dispensable.has(name));
  return Object.fromEntries(entries.map(([name, value]) => [name, withoutDispensable(value)]));
}
