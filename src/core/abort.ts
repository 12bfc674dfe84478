import { runEach } from './run-each.ts';

/** Who waits for a signal. One listener for all of them: Node.js warns of a leak from the eleventh on. */
const waiting = new WeakMap<AbortSignal, Set<() => void>>();

/** Calls `aborted` when the signal aborts, until what it returns is called. One that has aborted already calls nobody. */
export function whenAborted(signal: AbortSignal, aborted: () => void): () => void {
  const known = waiting.get(signal);
  const all = known ?? new Set();
  if (known === undefined) waiting.set(signal, all);
  // It is added again when all have left meanwhile.
  if (all.size === 0) signal.addEventListener('abort', notifyAll);
  all.add(aborted);
  return () => {
    if (all.delete(aborted) && all.size === 0) signal.removeEventListener('abort', notifyAll);
  };
}

function notifyAll(event: Event): void {
  runEach([...(waiting.get(event.target as AbortSignal) ?? [])], (aborted) => aborted());
}
