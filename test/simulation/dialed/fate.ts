import type { SeededRandom } from '../seeded-random.ts';

/** How an attempt proceeds, and how its connection ends. */
export interface Fate {
  readonly attempt: 'opens' | 'refused' | 'rejected' | 'hangs';
  /** The status of the answer that rejects it. */
  readonly status: number;
  /** The `Retry-After` of that answer, in milliseconds. `undefined` if there is none. */
  readonly retryAfterMs: number | undefined;
  readonly afterMs: number;
  readonly end: 'reset' | 'fin' | 'close' | 'violation' | 'silence' | 'never';
  readonly endsAfterMs: number;
  readonly closeCode: number;
  /** Whether the server answers pings, and close frames. */
  readonly answers: boolean;
  /** Whether the line passes nothing for a long time. */
  readonly isStill: boolean;
  /** How long the socket takes to close once it is destroyed. Infinite if it never reports that. */
  readonly closesAfterMs: number;
  /** How long after that ws takes to report that it has closed. */
  readonly lingersMs: number;
  /** How often the server sends, as a gap in milliseconds. 0 for never. */
  readonly speaksEveryMs: number;
}

/** A heartbeat of the client, and the answer of a live server. */
export const heartbeat = { message: '"are you there?"', answer: '"yes"' };

export function isAlive({ answers, end }: Fate): boolean {
  return answers && end !== 'silence';
}

export function chooseFate(random: SeededRandom): Fate {
  const slowness = random.pick([50, 50, 50, 900]);
  return {
    attempt: random.pick(['opens', 'opens', 'opens', 'opens', 'refused', 'rejected', 'hangs']),
    status: random.pick([401, 403, 404, 410, 429, 503]),
    retryAfterMs: random.chance(0.3) ? 1_000 : undefined,
    afterMs: random.integer(1, 300),
    end: random.pick(['reset', 'reset', 'fin', 'close', 'violation', 'silence', 'never']),
    endsAfterMs: random.integer(0, random.pick([50, 3_000, 20_000])),
    closeCode: random.pick([1000, 1001, 1008, 1012, 1012, 1013, 1013, 3000, 4403]),
    answers: random.chance(0.9),
    isStill: random.chance(0.15),
    closesAfterMs: random.chance(0.03) ? Number.POSITIVE_INFINITY : random.integer(0, slowness),
    lingersMs: 0,
    speaksEveryMs: random.chance(0.5) ? random.integer(20, 2_000) : 0,
  };
}
