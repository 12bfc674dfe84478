import type { PoolOptions } from '../../../src/client/pool/pool-options.ts';
import { chooseFate, type Fate, heartbeat } from '../dialed/fate.ts';
import type { SeededRandom } from '../seeded-random.ts';

/** How an upstream treats the clients that dial it, for a while. */
export type Mood = 'any' | 'well' | 'down' | 'refuses' | 'busy' | 'flaps';

const moods: readonly [Mood, ...Mood[]] = [
  'any',
  'any',
  'well',
  'down',
  'refuses',
  'busy',
  'flaps',
];

export function chooseMood(random: SeededRandom): Mood {
  return random.pick(moods);
}

/** A fate, before it is known where the attempt goes. */
export function choosePoolFate(random: SeededRandom): Fate {
  return { ...chooseFate(random), lingersMs: random.pick([0, 0, 0, 0, 5, 200, 5_000]) };
}

/**
 * An end that takes as long as possible: the socket closes when nothing waits for it any more, and ws reports
 * nothing.
 */
export function lateEnd(random: SeededRandom, { timeouts }: PoolNumbers): Partial<Fate> {
  const closesAfterMs = timeouts.forcedMs + random.integer(0, 8);
  return { answers: false, lingersMs: 60_000, closesAfterMs };
}

/** How the mood of an upstream changes the fate of an attempt. */
export function fateBy(mood: Mood, random: SeededRandom): Partial<Fate> {
  switch (mood) {
    case 'any':
      return {};
    case 'well':
      return { attempt: 'opens', end: 'never', answers: true, isStill: false };
    case 'down':
      return { attempt: random.pick(['refused', 'refused', 'hangs']) };
    case 'refuses':
      return { attempt: 'rejected', status: random.pick([401, 403, 404, 404, 410]) };
    case 'busy':
      return random.chance(0.5)
        ? { attempt: 'rejected', status: 503, retryAfterMs: random.integer(100, 4_000) }
        : { attempt: 'opens', end: 'close', closeCode: random.pick([1012, 1013]) };
    case 'flaps':
      return { attempt: 'opens', end: random.pick(['reset', 'fin']), endsAfterMs: 20 };
  }
}

/** The numbers among the options of a simulated pool. The rules need some of them. */
export function chooseNumbers(random: SeededRandom) {
  const between = (low: number, high: number) => random.integer(low, high);
  return {
    size: between(1, 5),
    circuit: {
      failuresMax: between(1, 5),
      minMs: between(100, 1_000),
      maxMs: between(1_000, 8_000),
    },
    backoff: {
      minMs: between(5, 300),
      maxMs: between(300, 3_000),
      slowMs: 3_000,
      stableMs: random.pick([50, 300, 1_500]),
    },
    timeouts: {
      ...{ handshakeMs: 2_000, welcomeMs: 1_000, closeMs: 1_000, stalledMs: 3_000 },
      ...{
        erroredMs: random.pick([100, 1_000, 1_000]),
        forcedMs: random.pick([81, 90, 97, between(100, 1_100)]),
      },
    },
  } satisfies PoolOptions;
}

export type PoolNumbers = ReturnType<typeof chooseNumbers>;

/** How members find out that their peers are gone, and how much they buffer for them. */
export function chooseWatch(random: SeededRandom): PoolOptions {
  const between = (low: number, high: number) => random.integer(low, high);
  const says = {
    message: heartbeat.message,
    expects: (payload: unknown) => payload === heartbeat.answer,
    always: random.chance(0.5),
  };
  return {
    heartbeat: {
      ...{ intervalMs: between(300, 5_000), graceMs: between(200, 3_000) },
      ...(random.chance(0.3) && says),
    },
    ...(random.chance(0.2) && { silentMs: between(500, 5_000) }),
    limits: random.chance(0.3) ? { outboxHighBytes: 30_000, outboxLowBytes: 10_000 } : {},
  };
}
