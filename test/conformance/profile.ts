import type { HeartbeatOptions, Limits, Timeouts } from '../../src/core/limits.ts';
import { echoCodec } from '../support/echo-codec.ts';

/** The highest value of every option that is a number. */
const HIGHEST = 2 ** 31 - 1;

/**
 * The options of a conformance run, for a server and for a client.
 *
 * The suite sends messages of 16 MiB, some of them in 65,536 fragments or in packets of 64 bytes, and a
 * thousand messages at once. It counts each returned frame, so a ping of a heartbeat would be one too many.
 */
export const profile = {
  codec: echoCodec,
  limits: {
    payloadBytesMax: 2 ** 24,
    fragmentsMax: HIGHEST,
    bufferedChunksMax: HIGHEST,
    messagesPerSecondMax: HIGHEST,
    messageBurstMax: HIGHEST,
    outboxHighBytes: HIGHEST,
  } satisfies Partial<Limits>,
  timeouts: { messageMs: HIGHEST } satisfies Partial<Timeouts>,
  heartbeat: { intervalMs: HIGHEST } satisfies Partial<HeartbeatOptions>,
};
