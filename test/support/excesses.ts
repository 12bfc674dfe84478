import type { Limits } from '../../src/index.ts';
import { type FrameSpec, opcode } from './frames.ts';

const { text, binary, continuation, ping } = opcode;

function fragmented(count: number, payload: string): FrameSpec[] {
  return Array.from({ length: count }, (_, index) => ({
    opcode: index === 0 ? text : continuation,
    fin: index === count - 1,
    payload,
  }));
}

/** Only the header of a frame that declares this many bytes. */
function header(declaredLength: number | bigint): FrameSpec[] {
  return [{ opcode: text, declaredLength }];
}

/** A message that exceeds the limits, whichever side sends it, and the result. */
export interface Excess {
  readonly title: string;
  readonly limits?: Partial<Limits>;
  readonly frames: readonly FrameSpec[];
  readonly error: string;
  readonly sent: number;
}

const tooLong = { error: 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH', sent: 1009 };
/** The code of ws for too many pieces. */
export const tooMany = { error: 'WS_ERR_TOO_MANY_BUFFERED_PARTS', sent: 1008 };
const tooWide = { error: 'WS_ERR_UNSUPPORTED_DATA_PAYLOAD_LENGTH', sent: 1009 };

export const excesses: readonly Excess[] = [
  {
    title: 'a text above payloadBytesMax',
    limits: { payloadBytesMax: 10 },
    frames: [{ opcode: text, payload: '"12345678"x' }],
    ...tooLong,
  },
  {
    title: 'a binary above payloadBytesMax',
    limits: { payloadBytesMax: 10 },
    frames: [{ opcode: binary, payload: Buffer.alloc(11) }],
    ...tooLong,
  },
  {
    title: 'a header that declares a byte more than the default of 1 MiB',
    frames: header(1_048_577),
    ...tooLong,
  },
  { title: 'a header that declares 2^40 bytes', frames: header(2n ** 40n), ...tooLong },
  { title: 'a length of 2^53', frames: header(2n ** 53n), ...tooWide },
  { title: 'a length of 2^64-1', frames: header(2n ** 64n - 1n), ...tooWide },
  {
    title: 'fragments that are too long together',
    limits: { payloadBytesMax: 10 },
    frames: [
      { opcode: text, payload: '"12345', fin: false },
      { opcode: continuation, payload: '67890', fin: false },
    ],
    ...tooLong,
  },
  {
    title: 'fragments that are too long together, with a ping between them',
    limits: { payloadBytesMax: 10 },
    frames: [
      { opcode: binary, payload: Buffer.alloc(10), fin: false },
      { opcode: ping },
      { opcode: continuation, payload: Buffer.alloc(1) },
    ],
    ...tooLong,
  },
  { title: '1,025 fragments, one above the default', frames: fragmented(1_025, '1'), ...tooMany },
  {
    title: '65 fragments of a message that may have 1,000 bytes',
    limits: { payloadBytesMax: 1_000 },
    frames: fragmented(65, '1'),
    ...tooMany,
  },
  {
    title: 'more fragments than fragmentsMax, each of them empty',
    limits: { fragmentsMax: 3 },
    frames: fragmented(4, ''),
    ...tooMany,
  },
];
