// Goal: on the wire a supervised socket behaves like plain ws, whatever bytes arrive. Method: send the
// same bytes, in the same chunks, to both through sockets in memory. What returns must be the same.
// MOORING_FUZZ_RUNS sets the number of runs, MOORING_FUZZ_SEED repeats them.
import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { type ServerOptions, WebSocketServer } from 'ws';
import { createSupervisor, type SupervisorEvent } from '../../src/index.ts';
import { VirtualClock } from '../../src/testing/virtual-clock.ts';
import { echoCodec } from '../support/echo-codec.ts';
import { opcode, StrictFrameReader } from '../support/frames.ts';
import { turns } from '../support/until.ts';

const runs = Number(process.env['MOORING_FUZZ_RUNS'] ?? 1_500);
// A push must not fail for what it has not changed, so CI uses the same bytes each time.
const fresh = process.env['CI'] ? 1 : randomInt(2 ** 31);
const seed = Number(process.env['MOORING_FUZZ_SEED'] ?? fresh);

/** Small, so that the runs reach them. */
const PAYLOAD_MAX = 4_096;
const FRAGMENTS_MAX = 8;
const CHUNKS_MAX = 4;
const PONGS_MAX = 60;

/** A socket without a network. What the other side does to it happens at once. */
class MemorySocket extends Duplex {
  readonly remoteAddress = '192.0.2.1';
  readonly written: Buffer[] = [];
  bytesRead = 0;
  bytesWritten = 0;
  #isEnded = false;

  override _read(): void {}

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.written.push(chunk);
    this.bytesWritten += chunk.length;
    done();
  }

  setTimeout(): void {}
  setNoDelay(): void {}

  arrive(bytes: Buffer): void {
    if (this.destroyed || this.#isEnded) return;
    this.bytesRead += bytes.length;
    // A copy, because unmasking happens in place.
    this.push(Buffer.from(bytes));
  }

  fin(): void {
    if (this.destroyed || this.#isEnded) return;
    this.#isEnded = true;
    this.push(null);
  }

  reset(): void {
    this.destroy(Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' }));
  }

  /** What was written behind the answer to the upgrade request. */
  get answer(): Buffer {
    const all = Buffer.concat(this.written);
    return all.subarray(all.indexOf('\r\n\r\n') + 4);
  }
}

/** Bytes, FIN or RST of the peer, a turn of the event loop, or an act of this side. */
type Step = Buffer | 'turn' | 'fin' | 'reset' | 'close' | 'terminate';

/** This side of the conversation. */
interface Side {
  close(code: number, reason: string): unknown;
  terminate(): unknown;
}

interface Script {
  /** Bytes that arrive in the same packet as the upgrade request. */
  readonly head: Buffer;
  readonly steps: readonly Step[];
}

/** How a conversation went. */
interface Outcome {
  /** Every returned byte. */
  readonly answer: string;
  readonly code: number;
  readonly reason: string;
  readonly clean: boolean;
  /** The code of the protocol error, if there was one. */
  readonly error: string | undefined;
  /** Whether this side gave up because of too many pings. */
  readonly isFlooded: boolean;
}

const request = {
  method: 'GET',
  url: '/ws',
  httpVersion: '1.1',
  headers: {
    host: 'chat.example',
    upgrade: 'websocket',
    connection: 'Upgrade',
    'sec-websocket-version': '13',
    'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
  },
} as unknown as IncomingMessage;

/** Plays the other side, and leaves at the end as a peer would. */
async function play(socket: MemorySocket, side: Side, { steps }: Script): Promise<void> {
  for (const step of steps) {
    if (typeof step !== 'string') socket.arrive(step);
    else if (step === 'turn') await turns();
    else {
      // A turn must end before its second answer is on its way.
      if (step === 'reset') await turns(3);
      act(socket, side, step);
    }
  }
  await turns();
  socket.fin();
  for (let turn = 0; turn < 20 && !socket.closed; turn += 1) await turns();
  assert.ok(socket.closed, 'the socket is closed without any timer');
}

function act(
  socket: MemorySocket,
  side: Side,
  step: 'fin' | 'reset' | 'close' | 'terminate',
): void {
  if (step === 'fin') socket.fin();
  else if (step === 'reset') socket.reset();
  else if (step === 'close') side.close(4000, 'ours');
  else side.terminate();
}

interface PlainOptions extends ServerOptions {
  maxFragments: number;
  maxBufferedChunks: number;
  maxPendingAutoPongs: number;
}

const plainOptions: PlainOptions = {
  noServer: true,
  clientTracking: false,
  perMessageDeflate: false,
  maxPayload: PAYLOAD_MAX,
  maxFragments: FRAGMENTS_MAX,
  maxBufferedChunks: CHUNKS_MAX,
  maxPendingAutoPongs: PONGS_MAX,
};
const plainServer = new WebSocketServer(plainOptions);

/** The result with plain ws and an echo. */
async function plain(script: Script): Promise<Outcome> {
  const socket = new MemorySocket();
  let error: string | undefined;
  let end = { code: 0, reason: '', clean: false };
  let side: Side | undefined;
  let isFlooded = false;
  plainServer.handleUpgrade(request, socket, Buffer.from(script.head), (ws) => {
    side = { close: ws.close.bind(ws), terminate: ws.terminate.bind(ws) };
    // The only other caller is ws itself, for one reason.
    ws.terminate = () => {
      isFlooded = true;
      side?.terminate();
    };
    ws.on('message', (payload, binary) => ws.send(payload, { binary }));
    ws.on('error', (thrown: NodeJS.ErrnoException) => {
      error = thrown.code;
    });
    ws.addEventListener('close', ({ code, reason, wasClean: clean }) => {
      end = { code, reason, clean };
    });
  });
  assert.ok(side, 'ws upgrades');
  await play(socket, side, script);
  isFlooded &&= error === undefined;
  return { answer: comparable(socket.answer), ...end, error, isFlooded };
}

/** The clock stands still, and the event loop turns. */
class TurningClock extends VirtualClock {
  override afterPoll(callback: () => void): void {
    setImmediate(callback);
  }
}

const clock = new TurningClock();
/** What happened in the current conversation: events, and the messages between them. */
let story: ('message' | SupervisorEvent)[] = [];
const supervisor = createSupervisor<undefined, unknown, unknown>({
  codec: echoCodec,
  clock,
  admission: { acceptsPerSecondMax: 2 ** 31 - 1 },
  limits: {
    payloadBytesMax: PAYLOAD_MAX,
    fragmentsMax: FRAGMENTS_MAX,
    bufferedChunksMax: CHUNKS_MAX,
  },
  onMessage: (connection, message) => {
    story.push('message');
    connection.send(message);
  },
});
/** How conversations ended. A fuzzer that reaches only one ending shows little. */
const limitCodes = new Set([1007, 1008, 1009]);
const causesSeen = new Set<string>();
supervisor.events$.subscribe((event) => story.push(event as SupervisorEvent));

/** The result with a supervised socket and an echo. */
async function supervised(script: Script): Promise<Outcome> {
  const socket = new MemorySocket();
  story = [];
  const upgrade = { request, socket: socket as unknown as Socket, head: Buffer.from(script.head) };
  supervisor.handleUpgrade(upgrade);
  const [side] = supervisor.connections;
  assert.ok(side, 'the supervisor upgrades');
  await play(socket, side, script);
  assertOneEnding();
  const last = story.at(-1);
  assert.ok(
    typeof last === 'object' && last.type === 'connection.closed',
    'the closed event is the last',
  );
  const { code, reason, clean, cause, error, sent } = last.verdict;
  causesSeen.add(cause);
  assert.equal(sent?.code, closeCodeIn(socket.answer), 'sent');
  const isTheirs = cause === 'protocol-error' || cause === 'message-limit';
  const protocolError = isTheirs ? (error as NodeJS.ErrnoException) : undefined;
  return {
    answer: comparable(socket.answer),
    ...{ code, reason, clean },
    error: protocolError?.code,
    isFlooded: cause === 'ping-flood',
  };
}

function closePayloadIn(answer: Buffer): Buffer | undefined {
  const reader = new StrictFrameReader();
  reader.push(answer);
  const last = reader.frames.at(-1);
  return last?.opcode === opcode.close ? last.payload : undefined;
}

function closeCodeIn(answer: Buffer): number | undefined {
  const payload = closePayloadIn(answer);
  return payload?.length === 0 ? 1005 : payload?.readUInt16BE();
}

/** A supervised socket names in the reason which limit was exceeded, and ws does not. */
function comparable(answer: Buffer): string {
  const payload = closePayloadIn(answer) ?? Buffer.alloc(0);
  const isLimit = payload.length >= 2 && limitCodes.has(payload.readUInt16BE());
  if (!isLimit) return answer.toString('hex');
  // Without the header of the frame, which contains the length of the reason.
  const before = answer.subarray(0, answer.length - payload.length - 2);
  return Buffer.concat([before, payload.subarray(0, 2)]).toString('hex');
}

/** One opening, one ending, nothing delivered after the gate shut, and no connection left behind. */
function assertOneEnding(): void {
  const told = story.map((entry) => (entry === 'message' ? entry : entry.type));
  const count = (type: string) => told.filter((other) => other === type).length;
  assert.equal(told[0], 'connection.opened', told.join());
  assert.deepEqual([count('connection.opened'), count('connection.closed')], [1, 1], told.join());
  const shut = told.findIndex((type) => /errored|closing|closed/.test(type));
  assert.ok(told.lastIndexOf('message') < shut, told.join());
  const { handshaking, open, errored, closing, failed } = supervisor.counts;
  assert.deepEqual({ handshaking, open, errored, closing, failed }, nobodyLeft);
  assert.deepEqual([...supervisor.connections], []);
  assert.equal(clock.timersPending, 0, 'every deadline is cancelled');
}

const nobodyLeft = { handshaking: 0, open: 0, errored: 0, closing: 0, failed: 0 };

// What a peer may send.

interface FrameParts {
  readonly fin: boolean;
  readonly rsv: number;
  readonly opcode: number;
  readonly payload: Uint8Array;
  readonly mask: Uint8Array | undefined;
  /** Added to the declared length. */
  readonly lie: number;
}

function frameOf({ fin, rsv, opcode, payload, mask, lie }: FrameParts): Buffer {
  const length = Math.max(0, payload.length + lie);
  const short = length < 126 ? length : length < 65_536 ? 126 : 127;
  const head = Buffer.alloc(2 + (short < 126 ? 0 : short === 126 ? 2 : 8));
  head[0] = (fin ? 0x80 : 0) | (rsv << 4) | opcode;
  head[1] = (mask ? 0x80 : 0) | short;
  if (short === 126) head.writeUInt16BE(length, 2);
  if (short === 127) head.writeBigUInt64BE(BigInt(length), 2);
  const body = payload.map((byte, index) => byte ^ (mask?.[index % 4] ?? 0));
  return Buffer.concat([head, mask ?? Buffer.alloc(0), body]);
}

const bytesOf = (text: fc.Arbitrary<string>) => text.map((given) => Buffer.from(given));
const text = bytesOf(fc.string({ unit: 'grapheme', maxLength: 60 }));
const bytes = fc.oneof(
  { weight: 8, arbitrary: fc.uint8Array({ maxLength: 40 }) },
  {
    weight: 1,
    arbitrary: fc.constantFrom(125, 126, 127, 4_095, 4_096, 4_097, 65_535, 65_536).map(zeros),
  },
);
const mask = fc.uint8Array({ minLength: 4, maxLength: 4 });
const reason = fc.oneof(bytesOf(fc.string({ maxLength: 123 })), fc.uint8Array({ maxLength: 130 }));
const code = fc.oneof(
  fc.constantFrom(999, 1000, 1001, 1004, 1005, 1006, 1011, 1014, 1015, 2999, 3000, 4999, 5000),
  fc.nat(65_535),
);
const closePayload = fc.oneof(
  fc.constantFrom(Buffer.alloc(0), uint16(1000), Buffer.concat([uint16(4001), Buffer.from('bye')])),
  fc.tuple(code, reason).map(([number, why]) => Buffer.concat([uint16(number), why])),
  fc.uint8Array({ maxLength: 3 }),
);

function zeros(length: number): Uint8Array {
  return new Uint8Array(length);
}

function uint16(value: number): Buffer {
  const buffer = Buffer.alloc(2);
  buffer.writeUInt16BE(value);
  return buffer;
}

function frames(
  opcode: number,
  payload: fc.Arbitrary<Uint8Array>,
  fin = true,
): fc.Arbitrary<Buffer> {
  const parts = { fin, rsv: 0, opcode, lie: 0 };
  return fc
    .tuple(payload, mask)
    .map(([given, key]) => frameOf({ ...parts, payload: given, mask: key }));
}

const control = fc.oneof(frames(9, bytes), frames(10, bytes));
const flood = fc
  .tuple(frames(9, fc.uint8Array({ maxLength: 2 })), fc.integer({ min: 58, max: 63 }))
  .map(([ping, count]) => Buffer.concat(Array.from({ length: count }, () => ping)));
/** A message in fragments, with control frames between them. */
const fragmented = fc
  .tuple(
    fc.oneof(frames(1, text, false), frames(2, bytes, false)),
    fc.array(fc.oneof(frames(0, text, false), control), { maxLength: FRAGMENTS_MAX }),
    fc.oneof(frames(0, text), frames(0, bytes)),
  )
  .map(([first, between, last]) => Buffer.concat([first, ...between, last]));
const anyFrame = fc
  .record({
    fin: fc.boolean(),
    rsv: fc.oneof(fc.constant(0), fc.nat(7)),
    opcode: fc.nat(15),
    payload: bytes,
    mask: fc.option(mask, { nil: undefined, freq: 8 }),
    lie: fc.oneof(fc.constant(0), fc.integer({ min: -3, max: 70_000 })),
  })
  .map(frameOf);

const frame = fc.oneof(
  { weight: 10, arbitrary: frames(1, text) },
  { weight: 4, arbitrary: frames(2, bytes) },
  { weight: 1, arbitrary: frames(1, bytes) },
  { weight: 5, arbitrary: fragmented },
  { weight: 4, arbitrary: control },
  { weight: 3, arbitrary: frames(8, closePayload) },
  { weight: 1, arbitrary: anyFrame },
  { weight: 1, arbitrary: flood },
);

/** What may go wrong with bytes in transit. */
const damage = fc.record(
  {
    flips: fc.array(fc.tuple(fc.nat(), fc.nat(7)), { minLength: 1, maxLength: 3 }),
    keep: fc.nat(),
  },
  { requiredKeys: [] },
);

function damaged(
  stream: Buffer,
  { flips = [], keep }: { flips?: [number, number][]; keep?: number },
) {
  const result = Buffer.from(stream);
  for (const [at, bit] of flips) {
    const index = at % Math.max(1, result.length);
    result[index] = (result[index] ?? 0) ^ (1 << bit);
  }
  return keep === undefined ? result : result.subarray(0, keep % (result.length + 1));
}

const ending = fc.constantFrom<Step>('fin', 'reset', 'close', 'terminate');

/** Cuts a stream at any places and inserts turns of the event loop and endings between the pieces. */
const script: fc.Arbitrary<Script> = fc
  .record({
    stream: fc.array(frame, { minLength: 1, maxLength: 6 }).map((all) => Buffer.concat(all)),
    damage: fc.oneof({ weight: 3, arbitrary: fc.constant({}) }, { weight: 1, arbitrary: damage }),
    cuts: fc.array(fc.nat(), { maxLength: 20 }),
    between: fc.array(fc.constantFrom<'turn' | 'none'>('turn', 'none'), { maxLength: 21 }),
    acts: fc.array(fc.tuple(fc.nat(20), ending), { maxLength: 2 }),
    hasHead: fc.boolean(),
  })
  .map(({ stream, damage: done, cuts, between, acts, hasHead }) => {
    const chunks = chopped(damaged(stream, done), cuts);
    const head = hasHead ? (chunks.shift() ?? Buffer.alloc(0)) : Buffer.alloc(0);
    const steps = chunks.flatMap((chunk, index): Step[] =>
      between[index] === 'turn' ? [chunk, 'turn'] : [chunk],
    );
    for (const [at, step] of acts) steps.splice(at % (steps.length + 1), 0, step);
    return { head, steps };
  });

function chopped(stream: Buffer, cuts: readonly number[]): Buffer[] {
  const places = cuts.map((cut) => cut % (stream.length + 1)).sort((one, other) => one - other);
  const chunks = [0, ...places].map((from, index) => stream.subarray(from, places[index]));
  return chunks.filter((chunk) => chunk.length > 0);
}

describe('a supervised socket and plain ws', () => {
  it('return the same bytes, and end the same way, for any bytes of a peer', async (t) => {
    t.diagnostic(`MOORING_FUZZ_SEED=${seed} MOORING_FUZZ_RUNS=${runs}`);
    const errorsSeen = new Set<string | undefined>();
    let echoes = 0;
    const property = fc.asyncProperty(script, async (given) => {
      const expected = await plain(given);
      assert.deepEqual(await supervised(given), expected);
      errorsSeen.add(expected.error);
      if (expected.answer.length > 20) echoes += 1;
    });
    await fc.assert(property, { seed, numRuns: runs });
    t.diagnostic(`${echoes} with echoes; ${[...causesSeen]}; ${[...errorsSeen]}`);
    for (const cause of [
      'peer-close',
      'protocol-error',
      'tcp-fin',
      'tcp-reset',
      'close',
      'terminate',
    ]) {
      assert.ok(causesSeen.has(cause) || runs < 1_000, `${cause} was reached`);
    }
  });
});
