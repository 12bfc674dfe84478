/** Collects garbage. Twice, because what finalizers release is garbage only then. */
export function collect(): void {
  globalThis.gc?.();
  globalThis.gc?.();
}

/** Live bytes in the heap and outside it. */
export function liveBytes(): number {
  collect();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external; // which already includes the array buffers
}
