import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { turns, until } from './until.ts';

setFlagsFromString('--expose-gc');
const gc = runInNewContext('gc') as () => void;

/** Collects garbage until nothing of all this is left, or fails. */
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

/** Bytes of the heap that are in use after a collection. */
export async function heapUsed(): Promise<number> {
  await turns(2);
  gc();
  return process.memoryUsage().heapUsed;
}
