import { connectionLogic } from '../../src/connection/connection-logic.ts';

type StateValue = string | { [state: string]: StateValue };

/** Whose connections are looked at; tests that look at states have one connection at a time. */
let newest: string[] | undefined;

// With an inspector other code would run than in production: the states are seen where the chart is remembered.
const { start, transition } = connectionLogic;
connectionLogic.start = (snapshot, scope) => {
  enter(snapshot.value);
  start?.(snapshot, scope);
};
connectionLogic.transition = (snapshot, fact, scope) => {
  const next = transition(snapshot, fact, scope);
  if (next !== snapshot) enter(next.value);
  return next;
};

/** Notes in `states` from now on what the charts of connections enter. */
export function watchStates(states: string[]): void {
  newest = states;
}

function enter(value: StateValue): void {
  const state = coarse(value);
  if (newest?.at(-1) !== state) newest?.push(state);
}

/** `closing.peer`, but only `open` for the parallel state. */
function coarse(value: StateValue): string {
  if (typeof value === 'string') return value;
  const [[state, inner] = ['', '']] = Object.entries(value);
  return state === 'open' ? state : `${state}.${coarse(inner)}`;
}
