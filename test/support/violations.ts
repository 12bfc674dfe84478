import { closePayload, type FrameSpec, opcode } from './frames.ts';

/** Frames that break the protocol whichever side sends them, and the results. */
export interface Violation {
  readonly title: string;
  readonly frames: readonly FrameSpec[];
  /** The name that ws gives it, and the close code that the peer gets. */
  readonly error: string;
  readonly sent: number;
}

const invalidUtf8 = Buffer.from([0x63, 0xc3, 0x28]);
const euro = Buffer.from('€');

const reservedBits: Violation[] = [
  ['RSV1 on text', opcode.text, 4, 'WS_ERR_UNEXPECTED_RSV_1'] as const,
  ['RSV1 on a ping', opcode.ping, 4, 'WS_ERR_UNEXPECTED_RSV_1'] as const,
  ['RSV1 on a close frame', opcode.close, 4, 'WS_ERR_UNEXPECTED_RSV_1'] as const,
  ['RSV2', opcode.text, 2, 'WS_ERR_UNEXPECTED_RSV_2_3'] as const,
  ['RSV3', opcode.binary, 1, 'WS_ERR_UNEXPECTED_RSV_2_3'] as const,
  ['all of RSV', opcode.text, 7, 'WS_ERR_UNEXPECTED_RSV_2_3'] as const,
].map(([title, code, rsv, error]) => ({
  title,
  frames: [{ opcode: code, rsv, payload: '' }],
  error,
  sent: 1002,
}));

const controls: Violation[] = (['ping', 'pong', 'close'] as const).flatMap((name) => [
  {
    title: `fragmented ${name}`,
    frames: [{ opcode: opcode[name], fin: false }],
    error: 'WS_ERR_EXPECTED_FIN',
    sent: 1002,
  },
  {
    title: `${name} of 126 B`,
    frames: [{ opcode: opcode[name], payload: Buffer.alloc(126, 0x61) }],
    error: 'WS_ERR_INVALID_CONTROL_PAYLOAD_LENGTH',
    sent: 1002,
  },
]);

const opcodes: Violation[] = [3, 4, 5, 6, 7, 11, 12, 13, 14, 15].map((code) => ({
  title: `opcode ${code.toString(16).toUpperCase()}`,
  frames: [{ opcode: code, payload: 'hi' }],
  error: 'WS_ERR_INVALID_OPCODE',
  sent: 1002,
}));

const fragments: Violation[] = [
  {
    title: 'stray continuation',
    frames: [{ opcode: opcode.continuation, payload: 'hi' }],
    error: 'WS_ERR_INVALID_OPCODE',
    sent: 1002,
  },
  {
    title: 'new text within a fragmented message',
    frames: [
      { opcode: opcode.text, payload: 'one', fin: false },
      { opcode: opcode.text, payload: 'two' },
    ],
    error: 'WS_ERR_INVALID_OPCODE',
    sent: 1002,
  },
  {
    title: 'new binary within a fragmented message',
    frames: [
      { opcode: opcode.text, payload: 'one', fin: false },
      { opcode: opcode.binary, payload: 'two', fin: false },
    ],
    error: 'WS_ERR_INVALID_OPCODE',
    sent: 1002,
  },
];

const closeCodes: Violation[] = [0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65_535].map(
  (code) => ({
    title: `bad close code ${code}`,
    frames: [{ opcode: opcode.close, payload: closePayload(code, 'why') }],
    error: 'WS_ERR_INVALID_CLOSE_CODE',
    sent: 1002,
  }),
);

const texts: Violation[] = [
  { title: 'invalid UTF-8', frames: [{ opcode: opcode.text, payload: invalidUtf8 }] },
  {
    title: 'a lone surrogate in UTF-8',
    frames: [{ opcode: opcode.text, payload: Buffer.from([0xed, 0xa0, 0x80]) }],
  },
  {
    title: 'invalid UTF-8 split over two fragments',
    frames: [
      { opcode: opcode.text, payload: invalidUtf8.subarray(0, 2), fin: false },
      { opcode: opcode.continuation, payload: invalidUtf8.subarray(2) },
    ],
  },
  {
    title: 'a character that the last fragment leaves unfinished',
    frames: [
      { opcode: opcode.text, payload: 'price: ', fin: false },
      { opcode: opcode.continuation, payload: euro.subarray(0, 2) },
    ],
  },
  {
    title: 'invalid UTF-8 in a close reason',
    frames: [{ opcode: opcode.close, payload: closePayload(1000, invalidUtf8) }],
  },
].map((text) => ({ ...text, error: 'WS_ERR_INVALID_UTF8', sent: 1007 }));

const oneByteClose: Violation = {
  title: 'close payload of one byte',
  frames: [{ opcode: opcode.close, payload: Buffer.from([3]) }],
  error: 'WS_ERR_INVALID_CONTROL_PAYLOAD_LENGTH',
  sent: 1002,
};

export const violations: readonly Violation[] = [
  ...reservedBits,
  ...controls,
  ...opcodes,
  ...fragments,
  ...closeCodes,
  ...texts,
  oneByteClose,
];
