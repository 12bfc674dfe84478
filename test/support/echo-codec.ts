import type { Codec } from '../../src/index.ts';

/** A message as it arrived: the echo has the same bytes and the same opcode. */
export interface Echo {
  readonly payload: Buffer;
  readonly isBinary: boolean;
}

/** Text and binary alike, so that both can be echoed unchanged. */
export const echoCodec: Codec = {
  name: 'echo',
  encode: (message) => {
    const { payload, isBinary } = message as Echo;
    return isBinary ? payload : payload.toString('utf8');
  },
  decode: (payload, isBinary) => ({ payload, isBinary }),
};
