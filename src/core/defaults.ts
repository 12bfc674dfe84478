import type { Retention } from './bus-log.ts';
import type { HeartbeatOptions, Limits, Timeouts } from './limits.ts';

// The numeric options of both sides, with their defaults and bounds. Import the module as a namespace, `defaults`, so that a
// page bundles only the sections that it uses.

export const timeouts: Readonly<Timeouts> = {
  handshakeMs: 10_000,
  welcomeMs: 10_000,
  closeMs: 5_000,
  erroredMs: 2_000,
  forcedMs: 2_000,
  stalledMs: 15_000,
  pausedMs: 60_000,
  messageMs: 60_000,
  requestMs: 10_000,
};

/** The time that only a supervisor has. */
export const supervisorTimeouts = { appendMs: 10_000 };

export const heartbeat: Readonly<HeartbeatOptions> = { intervalMs: 25_000, graceMs: 10_000 };

export const limits: Readonly<Limits> = {
  payloadBytesMax: 1_048_576,
  fragmentsMax: 1_024,
  bufferedChunksMax: 2_048,
  depthMax: 64,
  valuesMax: 8_000,
  messagesPerSecondMax: 1_000,
  messageBurstMax: 2_000,
  invalidPerMinuteMax: 60,
  inFlightMax: 1_024,
  inFlightBytesMax: 4_194_304,
  outboxHighBytes: 1_048_576,
  outboxLowBytes: 262_144,
  topicsMax: 10_000,
  requestsMax: 1_000,
};

/** The limits that are wider for a client, which asked for the data that it gets. */
export const clientLimits = {
  valuesMax: 200_000,
  messagesPerSecondMax: 100_000,
  messageBurstMax: 200_000,
  invalidPerMinuteMax: 60_000,
};

export const client = { queueMax: 10_000, queueBytesMax: 16_777_216, queueFlushPerSecond: 500 };
export const backoff = { minMs: 500, maxMs: 20_000, slowMs: 30_000, stableMs: 5_000 };
export const restarts = { max: 100, withinMs: 600_000 };
export const pool = { size: 4 };
export const circuit = { failuresMax: 5, minMs: 1_000, maxMs: 30_000 };

export const admission = {
  connectionsMax: 50_000,
  connectionsPerAddressMax: 20_000,
  acceptsPerSecondMax: 5_000,
  /** The IPv6 prefix that one customer usually gets (RFC 6177). */
  ipv6PrefixBits: 64,
  unfinishedBytesMax: 67_108_864,
};

export const listen = { port: 0 };
export const retention: Readonly<Retention> = { forMs: 600_000, messagesPerTopic: 1_000 };
export const memoryBus = { bytesMax: 67_108_864 };
export const drain = { withinMs: 30_000, perSecond: 500 };

/** The smallest and the largest value of a number. */
export type Bounds = readonly [min: number, max: number];

/**
 * The largest number. ws coerces its limits with `| 0`, which would turn a larger number into "no limit", and a native timer
 * with a longer delay fires at once.
 */
export const INTEGER_MAX = 2_147_483_647;

/** The bounds of the numbers that are not from 1 to {@link INTEGER_MAX}. */
export const bounds: Readonly<Record<string, Bounds>> = {
  ipv6PrefixBits: [1, 128],
  port: [0, 65_535],
};
