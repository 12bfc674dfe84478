import type { SameKeyPolicy } from '../../../src/server/supervisor-types.ts';
import type { SeededRandom } from '../seeded-random.ts';
import type { BusFaults } from './simulated-bus.ts';
import type { LinkPlan } from './simulated-link.ts';

/** The parameters of one simulated service of several processes. */
export interface NodesPlan {
  readonly nodes: number;
  /** When everything is healed, and when all keys must have been settled. */
  readonly healAtMs: number;
  readonly quietAtMs: number;
  /** How often something is done, each time a few things in a row. */
  readonly bursts: number;
  readonly sameKey: SameKeyPolicy;
  readonly outboxHighBytes: number;
  /** Members are slow, and messages are long. */
  readonly isLoud: boolean;
  readonly faults: BusFaults;
  /** Links go down, fill up, and are cut from each other, so often. */
  readonly outages: number;
  readonly fillings: number;
  readonly cuts: number;
  /** Processes that crash, drain, and are added while the service runs. */
  readonly crashes: number;
  readonly drains: number;
  readonly additions: number;
  /** The probability that the application acts where it is called. */
  readonly restless: number;
}

/** The longest time that a message takes from one node to another. It includes one turn for everything else. */
const SETTLE_MS = 4_000;

function chooseFaults(random: SeededRandom): BusFaults {
  const none = { loses: 0, doubles: 0, disorders: 0 };
  const draw = random.next();
  if (draw < 0.6) return none;
  if (draw < 0.75) return { ...none, loses: 0.3 * random.next() };
  if (draw < 0.88) return { ...none, doubles: 0.3 * random.next() };
  return { ...none, doubles: 0.1, disorders: 0.3 * random.next() };
}

/** Draws all parameters of one simulated service. */
export function chooseNodesPlan(random: SeededRandom): NodesPlan {
  const healAtMs = random.integer(1_000, 8_000);
  const isLoud = random.chance(0.3);
  const sometimes = (probability: number, most: number) =>
    random.chance(probability) ? random.integer(1, most) : 0;
  return {
    nodes: random.integer(2, 4),
    healAtMs,
    quietAtMs: healAtMs + SETTLE_MS,
    bursts: random.integer(10, isLoud ? 80 : 40),
    sameKey: random.chance(0.7) ? 'newest' : 'many',
    outboxHighBytes: isLoud ? random.integer(1_500, 4_000) : 1_048_576,
    isLoud,
    faults: chooseFaults(random),
    outages: sometimes(0.6, 4),
    fillings: sometimes(0.3, 3),
    cuts: sometimes(0.4, 4),
    crashes: sometimes(0.2, 1),
    drains: sometimes(0.3, 2),
    additions: sometimes(0.3, 2),
    restless: random.chance(0.4) ? 0 : 0.2 * random.next(),
  };
}

/** Draws how the link of one process behaves. */
export function chooseLinkPlan(random: SeededRandom): LinkPlan {
  const slowMs = random.pick([2, 20, 20, 200]);
  const draw = random.next();
  return {
    outMs: random.integer(0, slowMs),
    inMs: random.integer(0, slowMs),
    subscribeMs: random.chance(0.5) ? 0 : random.integer(1, 100),
    payloadBytesMax: random.chance(0.3) ? 2_500 : 1_048_576,
    leaving: draw < 0.6 ? 'promptly' : random.pick(['slowly', 'never', 'rejects', 'throws']),
    isCareless: random.chance(0.3),
  };
}
