import type { Appends } from '../orders.ts';

/** Appends message after message. Whenever one is kept, the next one takes its place. */
export async function appending(
  { count, inFlight }: Appends,
  append: () => Promise<boolean> | undefined,
): Promise<number> {
  let begun = 0;
  const work = async () => {
    while (begun < count) {
      begun += 1;
      if (!(await append())) throw new Error('a message was not kept');
    }
  };
  const startedAt = performance.now();
  await Promise.all(Array.from({ length: inFlight }, work));
  return performance.now() - startedAt;
}
