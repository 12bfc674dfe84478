import type { SeededRandom } from '../seeded-random.ts';
import type { LogFaults } from './scripted-log.ts';

/** The parameters of one simulated log with several processes. */
export interface LogPlan {
  readonly processes: number;
  readonly topics: readonly string[];
  readonly forMs: number;
  readonly isStrict: boolean;
  readonly faults: LogFaults;
  /** When everything works again, and when the last message is appended. */
  readonly healAtMs: number;
  readonly quietAtMs: number;
  /** Bursts of messages, and how many messages a burst has at most. */
  readonly bursts: number;
  readonly burstMax: number;
  readonly readers: number;
  readonly outages: number;
  readonly rollBacks: number;
  readonly expirations: number;
  /** How often a topic is not needed in a process for a while. */
  readonly leaves: number;
  /** What all rings of a process may hold, in bytes. */
  readonly ringBytesMax: number;
}

/** Draws all parameters of one simulated log. */
export function chooseLogPlan(random: SeededRandom): LogPlan {
  const sometimes = (probability: number, most: number) =>
    random.chance(probability) ? random.integer(1, most) : 0;
  const rate = (probability: number, most: number) =>
    random.chance(probability) ? most * random.next() : 0;
  const isLoud = random.chance(0.02);
  const healAtMs = random.integer(3_000, 30_000);
  return {
    processes: random.integer(1, 3),
    topics: random.chance(0.5) ? ['a'] : ['a', 'b'],
    forMs: random.pick([8_000, 20_000, 60_000]),
    isStrict: random.chance(0.3),
    faults: {
      loses: rate(0.5, 0.4),
      doubles: rate(0.4, 0.3),
      disorders: rate(0.4, 0.5),
      fails: rate(0.4, 0.4),
      staleTails: rate(0.3, 0.5),
      staleReads: rate(0.3, 0.5),
      hangs: rate(0.2, 0.1),
      slowMs: random.pick([1, 20, 200, 1_000]),
    },
    healAtMs,
    quietAtMs: healAtMs + 3_000,
    bursts: isLoud ? 3 : random.integer(2, 25),
    burstMax: isLoud ? 500 : random.integer(1, 12),
    readers: random.integer(0, 12),
    outages: sometimes(0.5, 4),
    rollBacks: sometimes(0.35, 2),
    expirations: sometimes(0.3, 3),
    leaves: sometimes(0.4, 4),
    ringBytesMax: random.chance(0.3) ? random.integer(300, 6_000) : 1_000_000,
  };
}
