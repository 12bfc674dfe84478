// Goal: the case families of the Autobahn test suite, on real sockets. Method: send each case to plain ws and
// to a supervised socket with the same limits, both with an echo. What returns and how it ends must be the
// same. Some cases also specify the expected result.
import assert from 'node:assert/strict';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { type ServerOptions, WebSocketServer } from 'ws';
import { attach, createSupervisor } from '../../src/index.ts';
import { echoCodec } from '../support/echo-codec.ts';
import { buildFrame, closePayload, type Frame, type FrameSpec, opcode } from '../support/frames.ts';
import { RawPeer } from '../support/raw-peer.ts';
import { until } from '../support/until.ts';

/** What the peer does: the bytes that it sends, split into packets of `chop` bytes. */
interface Case {
  readonly id: string;
  readonly frames: readonly FrameSpec[];
  readonly chop?: number;
  /** What must arrive: messages and pongs by their text, then the close code. */
  readonly expected?: readonly (string | number)[];
}

const { text, binary, continuation, close, ping, pong } = opcode;
const frame = (
  code: number,
  payload: FrameSpec['payload'] = '',
  rest: Partial<FrameSpec> = {},
) => ({
  opcode: code,
  payload,
  ...rest,
});
/** Ends every case: the side that is still open then closes normally. */
const goodbye = frame(close, closePayload(1000));

/** A message in pieces, each with its own payload. */
function pieces(code: number, payloads: readonly (string | Buffer)[]): FrameSpec[] {
  return payloads.map((payload, index) =>
    frame(index === 0 ? code : continuation, payload, { fin: index === payloads.length - 1 }),
  );
}

function halves(payload: string | Buffer, at: number): [Buffer, Buffer] {
  const bytes = Buffer.from(payload);
  return [bytes.subarray(0, at), bytes.subarray(at)];
}

/** Numbers cases as the suite does: `6.2.1`, `6.2.2`, … */
function family(prefix: string, cases: readonly Omit<Case, 'id'>[]): Case[] {
  return cases.map((one, index) => ({ ...one, id: `${prefix}.${index + 1}` }));
}

const lengths = [0, 125, 126, 127, 128, 65_535, 65_536];

const framing: Case[] = [
  ...family(
    '1.1',
    lengths.map((length) => ({ frames: [frame(text, '*'.repeat(length))] })),
  ),
  { id: '1.1.8', frames: [frame(text, '*'.repeat(65_536))], chop: 997 },
  ...family(
    '1.2',
    lengths.map((length) => ({ frames: [frame(binary, Buffer.alloc(length, 0xfe))] })),
  ),
  { id: '1.2.8', frames: [frame(binary, Buffer.alloc(65_536, 0xfe))], chop: 997 },
];

const bytes125 = Buffer.alloc(125, 0xfe);
const pings = family('2', [
  { frames: [frame(ping)], expected: ['', 1000] },
  { frames: [frame(ping, 'Hello, world!')], expected: ['Hello, world!', 1000] },
  { frames: [frame(ping, Buffer.of(0, 0xff, 0xfe, 0xfd, 0xfc, 0xfb, 0, 0xff))] },
  { frames: [frame(ping, bytes125)] },
  { frames: [frame(ping, Buffer.alloc(126, 0xfe))], expected: [1002] },
  { frames: [frame(ping, bytes125)], chop: 1 },
  { frames: [frame(pong)], expected: [1000] },
  { frames: [frame(pong, 'unsolicited pong payload')], expected: [1000] },
  {
    frames: [frame(pong, 'unsolicited'), frame(ping, 'ping payload')],
    expected: ['ping payload', 1000],
  },
  { frames: Array.from({ length: 10 }, (_, index) => frame(ping, `payload-${index}`)) },
  { frames: Array.from({ length: 10 }, (_, index) => frame(ping, `payload-${index}`)), chop: 1 },
]);

const hello = frame(text, 'Hello, world!');
const reserved = family('3', [
  { frames: [frame(text, 'x', { rsv: 1 })], expected: [1002] },
  { frames: [hello, frame(text, 'x', { rsv: 2 }), frame(ping)], expected: ['Hello, world!', 1002] },
  { frames: [hello, frame(text, 'x', { rsv: 3 }), frame(ping)], chop: 3 },
  { frames: [hello, frame(text, 'x', { rsv: 4 }), frame(ping)], chop: 1 },
  { frames: [frame(binary, Buffer.alloc(8), { rsv: 5 })], expected: [1002] },
  { frames: [frame(ping, 'x', { rsv: 6 })], expected: [1002] },
  { frames: [frame(close, '', { rsv: 7 })], expected: [1002] },
]);

const opcodes = [3, 4, 5, 6, 7, 11, 12, 13, 14, 15].flatMap((code) => [
  { id: `4.${code}.1`, frames: [frame(code)], expected: [1002] },
  { id: `4.${code}.2`, frames: [frame(code, 'reserved opcode payload')], expected: [1002] },
  {
    id: `4.${code}.3`,
    frames: [hello, frame(code), frame(ping)],
    expected: ['Hello, world!', 1002],
  },
  { id: `4.${code}.4`, frames: [hello, frame(code, 'x'), frame(ping)], chop: 1 },
]);

const twoParts = pieces(text, ['fragment1', 'fragment2']) as [FrameSpec, FrameSpec];
const between = (...middle: FrameSpec[]) => [twoParts[0], ...middle, twoParts[1]];
const whole = 'fragment1fragment2';
const fragmentation = family('5', [
  {
    frames: [frame(ping, 'fragment1', { fin: false }), frame(continuation, 'fragment2')],
    expected: [1002],
  },
  {
    frames: [frame(pong, 'fragment1', { fin: false }), frame(continuation, 'fragment2')],
    expected: [1002],
  },
  ...[undefined, 1, 2, 5].map((chop) => ({
    frames: twoParts,
    expected: [whole, 1000],
    ...(chop && { chop }),
  })),
  ...[undefined, 1].map((chop) => ({
    frames: between(frame(ping, 'ping payload')),
    expected: ['ping payload', whole, 1000],
    ...(chop && { chop }),
  })),
  { frames: [frame(continuation, 'non-continuation payload'), hello], expected: [1002] },
  { frames: [frame(continuation, 'x', { fin: false }), hello], expected: [1002] },
  { frames: [frame(continuation, 'x', { fin: false }), hello], chop: 1, expected: [1002] },
  { frames: between(frame(text, 'new message')), expected: [1002] },
  { frames: between(frame(binary, 'new message')), chop: 1, expected: [1002] },
  { frames: between(frame(close, closePayload(1000, 'mid'))), expected: [1000] },
  { frames: pieces(text, ['a', '', 'b', '', 'c', '']), expected: ['abc', 1000] },
  { frames: pieces(text, ['', '', '']), expected: ['', 1000] },
  {
    frames: pieces(text, ['f1', 'f2', 'f3', 'f4', 'f5']).flatMap((part) => [
      part,
      frame(ping, 'p'),
    ]),
    expected: ['p', 'p', 'p', 'p', 'f1f2f3f4f5', 'p', 1000],
  },
  {
    frames: [...twoParts, ...twoParts, frame(continuation, 'stray')],
    expected: [whole, whole, 1002],
  },
]);

const greek = 'κόσμε';
const scripts = [
  'Hello-µ@ßöäüàá-UTF-8!!',
  greek,
  '日本語',
  '👩‍👩‍👧',
  '\u0000',
  '\ufeffBOM',
  '\u{10ffff}',
];
const valid = scripts.flatMap((given, index) => {
  const parts = [...Buffer.from(given)].map((byte) => Buffer.of(byte));
  return [
    { id: `6.1.${index}.1`, frames: [frame(text, given)], expected: [given, 1000] },
    { id: `6.1.${index}.2`, frames: pieces(text, parts), expected: [given, 1000] },
    { id: `6.1.${index}.3`, frames: [frame(text, given)], chop: 1, expected: [given, 1000] },
  ];
});

/** Sequences that are not UTF-8: overlong, surrogates, beyond the last code point, cut short, stray. */
const malformed = [
  'ceba e1bdb9 cf83 cebc ceb5 eda080 656469746564',
  ...[
    'c0af',
    'c080',
    'c1bf',
    'e08080',
    'e09fbf',
    'f0808080',
    'f08fbfbf',
    'f8808080af',
    'fc80808080af',
  ],
  ...['eda080', 'edad80', 'edafbf', 'edb080', 'edbfbf', 'eda080edb080', 'edafbfedbfbf'],
  ...['f4908080', 'f7bfbfbf', 'f8888080', 'fbbfbfbfbf', 'fe', 'ff', 'fefeffff'],
  ...['80', 'bf', '80bf80', 'c2', 'e0a0', 'e2', 'f0', 'f0908d', 'cebae1bdb9cf83cebcceb5f4'],
].map((hex) => Buffer.from(hex.replaceAll(' ', ''), 'hex'));
const invalid = malformed.flatMap((bytes, index) => [
  { id: `6.2.${index}.1`, frames: [frame(text, bytes)], expected: [1007] },
  {
    id: `6.2.${index}.2`,
    frames: pieces(text, halves(bytes, bytes.length >> 1)),
    expected: [1007],
  },
  { id: `6.2.${index}.3`, frames: [frame(text, bytes), hello], chop: 1, expected: [1007] },
  { id: `6.2.${index}.4`, frames: [frame(binary, bytes)] },
]);
/** Text that is cut in two at any place. The ping in between shows that no side fails before the message is whole. */
const failFast = Array.from({ length: 17 }, (_, at) => {
  const bytes = Buffer.concat([
    Buffer.from(greek),
    Buffer.from('f4908080', 'hex'),
    Buffer.from('end'),
  ]);
  const [first, last] = pieces(text, halves(bytes, at + 1)) as [FrameSpec, FrameSpec];
  return {
    id: `6.4.${at + 1}`,
    frames: [first, frame(ping, 'not yet'), last],
    expected: ['not yet', 1007],
  };
});

const closing = family('7.1', [
  { frames: [hello, goodbye], expected: ['Hello, world!', 1000] },
  { frames: [goodbye, goodbye], expected: [1000] },
  { frames: [goodbye, frame(ping)], expected: [1000] },
  { frames: [goodbye, hello], expected: [1000] },
  { frames: [twoParts[0], goodbye, twoParts[1]], expected: [1000] },
  { frames: [frame(text, '*'.repeat(262_144)), goodbye, frame(ping)] },
]);
const closePayloads = family('7.3', [
  { frames: [frame(close)], expected: [1005] },
  { frames: [frame(close, 'a')], expected: [1002] },
  { frames: [frame(close, closePayload(1000))], expected: [1000] },
  { frames: [frame(close, closePayload(1000, 'Hello World!'))], expected: [1000] },
  { frames: [frame(close, closePayload(1000, '*'.repeat(123)))], expected: [1000] },
  { frames: [frame(close, closePayload(1000, '*'.repeat(124)))], expected: [1002] },
  { frames: [frame(close, closePayload(1000, '€'.repeat(41)))], chop: 1, expected: [1000] },
  { frames: [frame(close, closePayload(1000, Buffer.from('eda080', 'hex')))], expected: [1007] },
  { frames: [frame(close, closePayload(1000, Buffer.from('cebae1bd', 'hex')))], expected: [1007] },
]);
const goodCodes = [
  1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999,
];
const badCodes = [0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535];
const closeCodes = [...goodCodes, ...badCodes].map((code) => ({
  id: `7.7.${code}`,
  frames: [frame(close, closePayload(code, `reason ${code}`))],
  expected: [goodCodes.includes(code) ? code : 1002],
}));

const PAYLOAD_MAX = 1_048_576;
const limits = [
  ...[65_536, 262_144, PAYLOAD_MAX].flatMap((length, index) => [
    { id: `9.1.${index + 1}`, frames: [frame(text, '*'.repeat(length))] },
    { id: `9.2.${index + 1}`, frames: [frame(binary, Buffer.alloc(length, 1))], chop: 16_384 },
  ]),
  ...[64, 256, 1_024].map((size, index) => ({
    id: `9.3.${index + 1}`,
    frames: pieces(
      text,
      Array.from({ length: 64 }, () => '*'.repeat(size)),
    ),
  })),
  { id: '9.4.1', frames: [frame(text, '*'.repeat(PAYLOAD_MAX + 1))], expected: [1009] },
  { id: '9.4.2', frames: pieces(binary, ['*'.repeat(PAYLOAD_MAX), '*']), expected: [1009] },
  { id: '9.4.3', frames: [frame(text, '', { declaredLength: 2n ** 62n })], expected: [1009] },
  {
    id: '9.4.4',
    frames: pieces(
      text,
      Array.from({ length: 65 }, () => 'x'),
    ),
    expected: [1008],
  },
  { id: '9.7.1', frames: Array.from({ length: 500 }, () => frame(text, '*'.repeat(16))) },
  {
    id: '9.8.1',
    frames: Array.from({ length: 500 }, () => frame(binary, '*'.repeat(64))),
    chop: 1_000,
  },
];

const misc = family('10', [
  { frames: [frame(text, '*'.repeat(65_536))], chop: 1_300 },
  { frames: [frame(text, 'unmasked', { masked: false })], expected: [1002] },
  { frames: [hello, frame(ping, '', { masked: false })], expected: ['Hello, world!', 1002] },
  { frames: [frame(text), frame(binary), frame(text)], expected: ['', '', '', 1000] },
  { frames: Array.from({ length: 50 }, (_, index) => frame(text, `${index}`)), chop: 1 },
]);

const families: Readonly<Record<string, readonly Case[]>> = {
  '1 framing': framing,
  '2 pings and pongs': pings,
  '3 reserved bits': reserved,
  '4 opcodes': opcodes,
  '5 fragmentation': fragmentation,
  '6 UTF-8': [...valid, ...invalid, ...failFast],
  '7 closing': [...closing, ...closePayloads, ...closeCodes],
  '9 limits': limits,
  '10 the rest': misc,
};

/** How a case ended, on both sides. */
interface Outcome {
  /** Opcode and payload of every returned frame. */
  readonly frames: readonly string[];
  /** What the peer received: the texts of messages and pongs, then the code of the close frame. */
  readonly seen: readonly (string | number | undefined)[];
  readonly end: { code: number; reason: string; clean: boolean };
}

/** A server, and how its connections ended, by the path that they requested. */
interface Subject {
  readonly port: number;
  readonly ends: Map<string, Outcome['end']>;
}

const CHUNKS_MAX = 2 ** 31 - 1;
const plainOptions: ServerOptions & { maxBufferedChunks: number; maxFragments: number } = {
  noServer: true,
  perMessageDeflate: false,
  maxPayload: PAYLOAD_MAX,
  maxFragments: 64,
  maxBufferedChunks: CHUNKS_MAX,
};

function attachPlain(server: Server, subject: Subject): void {
  const plain = new WebSocketServer(plainOptions);
  server.on('upgrade', (request, socket, head) => {
    plain.handleUpgrade(request, socket, head, (ws) => {
      ws.on('message', (payload, isBinary) => ws.send(payload, { binary: isBinary }));
      ws.on('error', () => {});
      ws.addEventListener('close', ({ code, reason, wasClean: clean }) => {
        subject.ends.set(request.url ?? '', { code, reason, clean });
      });
    });
  });
}

function attachSupervised(server: Server, subject: Subject): void {
  const supervisor = createSupervisor<undefined, unknown, unknown>({
    codec: echoCodec,
    limits: {
      payloadBytesMax: PAYLOAD_MAX,
      fragmentsMax: 64,
      bufferedChunksMax: CHUNKS_MAX,
      outboxHighBytes: 2 ** 31 - 1,
    },
    // Far away, so that a busy machine changes nothing.
    timeouts: { closeMs: 60_000, erroredMs: 60_000, forcedMs: 60_000 },
    onMessage: (connection, message) => void connection.send(message),
    onClose: ({ path }, { code, reason, clean }) => {
      subject.ends.set(path, { code, reason, clean });
    },
  });
  attach(server, supervisor);
}

/** How many cases run at the same time. */
const AT_ONCE = 10;

const servers: Server[] = [];

async function serve(attachTo: (server: Server, subject: Subject) => void): Promise<Subject> {
  const server = createServer();
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const subject: Subject = { port: (server.address() as AddressInfo).port, ends: new Map() };
  attachTo(server, subject);
  return subject;
}

/** Sends the bytes of a case, waits for the end, and returns the result. */
async function run({ port, ends }: Subject, { id, frames, chop }: Case): Promise<Outcome> {
  const path = `/${id}`;
  const peer = await RawPeer.open(port, { path });
  const bytes = Buffer.concat([...frames, goodbye].map(buildFrame));
  const size = chop ?? bytes.length;
  for (let at = 0; at < bytes.length; at += size) peer.socket.write(bytes.subarray(at, at + size));
  await until(() => peer.closed && ends.has(path), 'both sides have closed');
  const answers = peer.frames.filter((answer) => answer.opcode !== close);
  return {
    frames: peer.frames.map((answer) => `${answer.opcode} ${comparable(answer)}`),
    seen: [...answers.map(({ payload }) => payload.toString()), peer.closeFrame?.code],
    end: ends.get(path) ?? { code: 0, reason: '', clean: false },
  };
}

/** A supervised socket names in the reason which limit was exceeded, and ws does not. */
function comparable({ opcode: kind, payload }: Frame): string {
  const isLimit = kind === close && payload.length > 2 && limitCodes.has(payload.readUInt16BE());
  return (isLimit ? payload.subarray(0, 2) : payload).toString('base64');
}

const limitCodes = new Set([1007, 1008, 1009]);

describe('the cases of Autobahn, with plain ws and supervised', () => {
  let plain: Subject;
  let supervised: Subject;

  before(async () => {
    plain = await serve(attachPlain);
    supervised = await serve(attachSupervised);
  });

  after(() => {
    for (const server of servers) {
      server.close();
      server.closeAllConnections();
    }
  });

  for (const [title, cases] of Object.entries(families)) {
    it(`${title}: ${cases.length} cases end alike`, async () => {
      for (let at = 0; at < cases.length; at += AT_ONCE) {
        await Promise.all(cases.slice(at, at + AT_ONCE).map(assertAlike));
      }
    });
  }

  async function assertAlike(one: Case): Promise<void> {
    const [expected, outcome] = await Promise.all([run(plain, one), run(supervised, one)]);
    assert.deepEqual(outcome, expected, one.id);
    if (one.expected) assert.deepEqual(outcome.seen, one.expected, one.id);
  }

  it('are the families of the suite', () => {
    const ids = Object.values(families).flatMap((cases) => cases.map(({ id }) => id));
    assert.equal(new Set(ids).size, ids.length, 'each case has its own number');
    assert.ok(ids.length >= 300, `${ids.length} cases`);
  });
});
