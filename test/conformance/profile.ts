import type { HeartbeatOptions, Limits, Timeouts } from '../../src/core/limits.ts';
import type { Codec } from '../../src/index.ts';

/** A message as it came: what is sent back has the same bytes and the same opcode. */
export interface Echo {
  readonly payload: Buffer;
  readonly isBinary: boolean;
}

const echoCodec: Codec = {
  name: 'echo',
  encode: (message) => {
    const { payload, isBinary } = message as Echo;
    return isBinary ? payload : payload.toString('utf8');
  },
  decode: (payload, isBinary) => ({ payload, isBinary }),
};

/** The highest value of every option that is a number. */
const HIGHEST = 2 ** 31 - 1;

/**
 * The options of a conformance run, for a server and for a client.
 *
 * The suite sends messages of 16 MiB, some of them in 65,536 fragments or in packets of 64 bytes, a thousand messages at once,
 * and counts each frame that comes back: a ping of a heartbeat is one too many.
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
