import * as defaults from '../../src/core/defaults.ts';
import type { HeartbeatOptions, Limits, OverRatePolicy, Timeouts } from '../../src/core/limits.ts';
import type { AdmissionOptions, InvalidMessagePolicy } from '../../src/server/options.ts';
import type { SameKeyPolicy } from '../../src/server/supervisor-types.ts';
import type { SeededRandom } from './seeded-random.ts';

/** The parameters of one simulated service. */
export interface SimulationPlan {
  readonly connections: number;
  /** Over how long a time the peers connect, in milliseconds. */
  readonly comeWithinMs: number;
  /** When the drain begins, in milliseconds. */
  readonly drainAtMs: number;
  readonly withinMs: number;
  readonly drainPerSecond: number;
  readonly timeouts: Timeouts;
  readonly heartbeat: HeartbeatOptions;
  readonly tickMs: number;
  readonly limits: Partial<Limits> & Pick<Limits, 'outboxHighBytes' | 'outboxLowBytes'>;
  readonly admission: Partial<AdmissionOptions>;
  readonly invalidMessages: InvalidMessagePolicy;
  readonly overRate: OverRatePolicy;
  readonly sameKey: SameKeyPolicy;
  /** Whether some peers negotiate the beat. */
  readonly hasBeats: boolean;
  /** Acts of the application on its own initiative. */
  readonly acts: number;
  /** Publications to all connections in close succession. */
  readonly loud: number;
  /** The probabilities that a handler acts, and that it throws. */
  readonly restless: number;
  readonly throwing: number;
  readonly slow: number;
  /** The probabilities that a socket closes slowly, or never reports its close. */
  readonly stuck: number;
  /** How often peers send, as the mean gap in milliseconds. */
  readonly gapMs: number;
  readonly stalls: number;
  readonly latenessMs: number;
}

/** Mostly a few connections, now and then a crowd. */
function crowd(random: SeededRandom): number {
  const draw = random.next();
  if (draw < 0.65) return random.integer(1, 2);
  if (draw < 0.96) return random.integer(3, 6);
  if (draw < 0.999) return random.integer(7, 20);
  return random.integer(150, 400);
}

/** With many messages, a peer that does not read should be given up before its heartbeat is. */
function chooseTimeouts(random: SeededRandom, isLoud: boolean): Timeouts {
  if (!isLoud && random.chance(0.3)) return { ...defaults.timeouts };
  const between = (lowMs: number, highMs: number) => random.integer(lowMs, highMs);
  return {
    handshakeMs: between(800, 4_000),
    welcomeMs: between(800, 4_000),
    closeMs: between(800, 3_000),
    erroredMs: between(800, 3_000),
    forcedMs: between(800, 2_000),
    messageMs: defaults.timeouts.messageMs,
    stalledMs: between(800, isLoud ? 2_000 : 5_000),
    pausedMs: 5_000,
    requestMs: defaults.timeouts.requestMs,
  };
}

function chooseHeartbeat(random: SeededRandom, isLoud: boolean): HeartbeatOptions {
  if (random.chance(isLoud ? 0.5 : 0.1)) return { ...defaults.heartbeat };
  return { intervalMs: random.integer(1_000, 8_000), graceMs: random.integer(1_000, 5_000) };
}

/** The timeouts of a supervisor. */
function tickOf(timeouts: Timeouts, heartbeat: HeartbeatOptions): number {
  const shortestMs = Math.min(...Object.values(timeouts), ...Object.values(heartbeat));
  return Math.max(5, Math.min(100, Math.ceil(shortestMs / 8)));
}

function chooseLimits(random: SeededRandom): SimulationPlan['limits'] {
  const isTight = random.chance(0.6);
  const outboxHighBytes = isTight ? random.integer(500, 12_000) : 1_048_576;
  return {
    outboxHighBytes,
    outboxLowBytes: Math.floor(outboxHighBytes * random.next()) + 1,
    ...(random.chance(0.3) && { messagesPerSecondMax: 20, messageBurstMax: 20 }),
    ...(random.chance(0.2) && { topicsMax: 2 }),
  };
}

/** Derived like `overRateOf`, not drawn, so that old seeds give the same runs. */
function intakeLimits(drainAtMs: number): Partial<Limits> {
  return drainAtMs % 3 === 0 ? { inFlightMax: 2 } : {};
}

function overRateOf(drainAtMs: number): OverRatePolicy {
  return drainAtMs % 2 === 0 ? 'close' : 'pause';
}

function sameKeyOf(drainAtMs: number): SameKeyPolicy {
  return drainAtMs % 7 === 6 ? 'newest' : 'many';
}

function chooseAdmission(random: SeededRandom, connections: number): Partial<AdmissionOptions> {
  return {
    ...(random.chance(0.15) && { connectionsMax: random.integer(1, connections) }),
    ...(random.chance(0.15) && { connectionsPerAddressMax: random.integer(1, connections) }),
    ...(random.chance(0.1) && { acceptsPerSecondMax: 1 }),
    ...(random.chance(0.2) && { hosts: ['service.example'] }),
  };
}

/** Draws all parameters of one simulated service. */
export function choosePlan(random: SeededRandom): SimulationPlan {
  const connections = crowd(random);
  const isCrowded = connections > 24;
  const isLoud = !isCrowded && random.chance(0.2);
  const timeouts = chooseTimeouts(random, isLoud);
  const heartbeat = chooseHeartbeat(random, isLoud);
  const drainAtMs = random.integer(4_000, isCrowded ? 15_000 : 40_000);
  return {
    connections,
    drainAtMs,
    comeWithinMs: random.integer(1, drainAtMs + 500),
    withinMs: random.chance(0.4) ? random.integer(1, 400) : random.integer(200, 6_000),
    drainPerSecond: random.chance(0.5) ? 500 : random.integer(1, 20),
    timeouts,
    heartbeat,
    tickMs: tickOf(timeouts, heartbeat),
    limits: { ...chooseLimits(random), ...intakeLimits(drainAtMs) },
    admission: chooseAdmission(random, connections),
    invalidMessages: random.pick(['reply', 'ignore', 'close']),
    overRate: overRateOf(drainAtMs),
    sameKey: sameKeyOf(drainAtMs),
    hasBeats: drainAtMs % 4 === 1,
    acts: random.integer(0, 10),
    loud: isLoud ? random.integer(10, 40) : 0,
    restless: random.chance(0.4) ? 0 : 0.25 * random.next(),
    throwing: random.chance(0.5) ? 0 : 0.25 * random.next(),
    slow: random.chance(0.4) ? 0 : 0.5 * random.next(),
    stuck: random.chance(0.1) ? 0.6 : 0.02,
    gapMs: random.integer(300, 8_000),
    stalls: random.chance(0.6) ? 0 : random.integer(1, 3),
    latenessMs: random.chance(0.7) ? 0 : random.integer(1, 150),
  };
}
