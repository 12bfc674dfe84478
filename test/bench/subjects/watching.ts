import { until } from '../../support/until.ts';

/** How long one condition may take to become true. */
const WITHIN_MS = 50_000;

/** Waits, within the measured process, until there are this many. */
export async function untilCount(
  isReached: () => boolean,
  count: number,
  what: string,
): Promise<void> {
  await until(isReached, `${count} are ${what}`, WITHIN_MS);
}

/** CPU that this process has used so far. */
export function cpuMicros(): number {
  const { user, system } = process.cpuUsage();
  return user + system;
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
