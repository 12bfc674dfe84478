/** Collects garbage. Twice: what finalizers release is garbage only then. */
export function collect(): void {
  globalThis.gc?.();
  globalThis.gc?.();
}

/** Bytes that are alive in the heap and outside of it. */
export function liveBytes(): number {
  collect();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external; // which counts the array buffers already
}
