import { until } from '../../support/until.ts';

/** How long one condition may take to become true. */
const WITHIN_MS = 50_000;

/** Waits, within the measured process, until there are this many. */
export async function untilCount(
  isReached: () => boolean,
  count: number,
  what: string,
): Promise<void> {
  await untilTrue(isReached, `${count} are ${what}`);
}

/** Waits, within the measured process, until something holds. */
export async function untilTrue(holds: () => boolean, label: string): Promise<void> {
  await until(holds, label, WITHIN_MS);
}

/** CPU that this process has used so far. */
export function cpuMicros(): number {
  const { user, system } = process.cpuUsage();
  return user + system;
}

/** How long a turn of repeated work takes. */
const TURN_MS = 10;

/** Repeats some work for a while. Returns the CPU of one, in microseconds. */
export async function repeated(work: (() => void) | undefined, forMs: number): Promise<number> {
  if (work === undefined) throw new Error('this subject does not do such work');
  const startedAt = performance.now();
  const before = cpuMicros();
  let times = 0;
  while (performance.now() - startedAt < forMs) {
    const turnEndsAt = performance.now() + TURN_MS;
    do {
      for (let count = 0; count < 10; count += 1) work();
      times += 10;
    } while (performance.now() < turnEndsAt);
    await new Promise((resolve) => setImmediate(resolve));
  }
  return (cpuMicros() - before) / times;
}

/** Turns the event loop without rest and records the longest turn. */
export function longestPauseMs(withinMs: number): Promise<number> {
  return new Promise((resolve) => {
    const startedAt = performance.now();
    let turnedAt = startedAt;
    let longestMs = 0;
    const turn = () => {
      const now = performance.now();
      longestMs = Math.max(longestMs, now - turnedAt);
      turnedAt = now;
      if (now - startedAt < withinMs) setImmediate(turn);
      else resolve(longestMs);
    };
    setImmediate(turn);
  });
}

const LOOK_MS = 50;

/** Samples the resident memory repeatedly. */
export class MemoryWatch {
  readonly #atStart = process.memoryUsage.rss();
  #highest = this.#atStart;
  readonly #timer = setInterval(() => this.#look(), LOOK_MS);

  /** Ends the watch. Returns the maximum growth of memory. */
  grownBytes(): number {
    clearInterval(this.#timer);
    this.#look();
    return this.#highest - this.#atStart;
  }

  #look(): void {
    this.#highest = Math.max(this.#highest, process.memoryUsage.rss());
  }
}
