const POLL_MS = 3;
const ASK_MS = 20;

/** Waits until `condition` holds. Fails with `label` when it does not within `withinMs`. */
export async function until(
  condition: () => boolean,
  label: string,
  withinMs = 10_000,
): Promise<void> {
  const deadline = performance.now() + withinMs;
  while (!condition()) {
    if (performance.now() > deadline)
      throw new Error(`waited ${withinMs} ms in vain until ${label}`);
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

/** The same for a condition that must be requested, from another process or a browser. */
export async function eventually(
  ask: () => Promise<boolean>,
  label: string,
  withinMs = 40_000,
): Promise<void> {
  const deadline = performance.now() + withinMs;
  while (!(await ask())) {
    if (performance.now() > deadline)
      throw new Error(`waited ${withinMs} ms in vain until ${label}`);
    await new Promise((resolve) => setTimeout(resolve, ASK_MS));
  }
}

/** Lets the event loop turn `turns` times, for faults that appear only in a poll phase. */
export async function turns(count = 1): Promise<void> {
  for (let turn = 0; turn < count; turn += 1) {
    await new Promise((resolve) => setImmediate(resolve));
  }
}
