import type { InspectionEvent } from '../../src/core/inspection.ts';

type StateValue = string | { [state: string]: StateValue };

/**
 * An inspector that records in `states` what the charts of connections enter. Tests that use it have one
 * connection at a time.
 */
export function noteStates(states: string[]): (event: InspectionEvent) => void {
  return (event) => {
    if (event.type !== '@xstate.snapshot') return;
    const { logic } = event.actorRef as unknown as { logic: { config: { id: string } } };
    if (logic.config.id !== 'connection') return;
    const state = coarse((event.snapshot as { value: StateValue }).value);
    if (states.at(-1) !== state) states.push(state);
  };
}

/** `closing.peer`, but only `open` for the parallel state. */
function coarse(value: StateValue): string {
  if (typeof value === 'string') return value;
  const [[state, inner] = ['', '']] = Object.entries(value);
  return state === 'open' ? state : `${state}.${coarse(inner)}`;
}
