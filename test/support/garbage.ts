import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { turns, until } from './until.ts';

setFlagsFromString('--expose-gc');
const gc = runInNewContext('gc') as () => void;

/** Collects garbage until none of these objects is left, or fails. */
export async function untilCollected(refs: readonly WeakRef<object>[]): Promise<void> {
  await until(
    () => {
      gc();
      return refs.every((ref) => ref.deref() === undefined);
    },
    'everything is collected',
    5_000,
  );
}

/**
 * Bytes of the heap that are in use after collections.
 *
 * One is not enough: since Node.js 22, long keys of unreachable objects are freed only in the next
 * collection.
 */
export async function heapUsed(): Promise<number> {
  for (let collections = 0; collections < 3; collections += 1) {
    await turns(2);
    gc();
  }
  return process.memoryUsage().heapUsed;
}
