// Goal: a peer that breaks the protocol, or floods, ends its connection once with the right verdict, whichever side
// dialed. A peer that keeps to the limits is served. Method: section E of the situations, on real sockets, with a
// raw peer.
import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { Limits } from '../../src/index.ts';
import { fillBacklog } from '../support/backlog.ts';
import { describeBothSides } from '../support/both-sides.ts';
import { byError, sent } from '../support/closings.ts';
import { type Excess, excesses, tooMany } from '../support/excesses.ts';
import { closePayload, type FrameSpec, opcode } from '../support/frames.ts';
import type { Pair } from '../support/pair.ts';
import { turns, until } from '../support/until.ts';
import { faultless, protocolError, violationFrame, violationVerdict } from '../support/verdicts.ts';
import { violations } from '../support/violations.ts';

const timeouts = { closeMs: 300, erroredMs: 200, forcedMs: 200 };

const text = (payload: string, fin = true): FrameSpec => ({ opcode: opcode.text, payload, fin });

const bytesOf = ({ peer }: Pair, ...frames: readonly FrameSpec[]) =>
  Buffer.concat(frames.map((spec) => peer.frame(spec)));

const write = (pair: Pair, ...frames: readonly FrameSpec[]) =>
  pair.peer.socket.write(bytesOf(pair, ...frames));

/** A text frame with a mask where there must be none, or without one where there must be one. */
const wrong = ({ peer }: Pair): FrameSpec => ({ ...text('"hi"'), masked: peer.wrongMask });

/** Asserts that the fault was answered with this code and reported with ws's name for it. */
async function assertViolated(
  pair: Pair,
  { error, sent: code, limits }: Pick<Excess, 'error' | 'sent' | 'limits'>,
): Promise<void> {
  const frame = violationFrame(code, limits);
  const said = { ...violationVerdict(code), sent: frame };
  const verdict = await pair.closedAs({ states: byError, ...said });
  if (code === 1008) assert.equal(verdict.error?.message, frame.reason);
  assert.equal((verdict.error as NodeJS.ErrnoException).code, error);
  assert.deepEqual(pair.messages, []);
  await until(() => pair.peer.ended, 'FIN follows the close frame');
  assert.deepEqual(pair.peer.closeFrame, frame);
}

/** Writes each piece as a separate chunk for the reader: the next one waits until the last was read. */
async function dribble({ peer, raw }: Pair, bytes: Buffer, size: number): Promise<void> {
  for (let at = 0; at < bytes.length && peer.closeFrame === undefined; at += size) {
    const read = raw.bytesRead;
    peer.socket.write(bytes.subarray(at, at + size));
    while (raw.bytesRead === read && !raw.destroyed) await turns();
  }
}

describeBothSides('E01: protocol violations', (connect) => {
  const frames: readonly [string, FrameSpec][] = [
    ['text frame', text('hi')],
    ['ping', { opcode: opcode.ping, payload: 'hi' }],
    ['close frame', { opcode: opcode.close, payload: closePayload(1000) }],
  ];
  for (const [name, spec] of frames) {
    it(`E01: a ${name} with a wrong or missing mask`, async () => {
      const pair = await connect({ timeouts });
      pair.peer.sendWronglyMasked(spec);
      await assertViolated(pair, { error: pair.maskError, sent: 1002 });
    });
  }

  for (const { title, frames, ...expected } of violations) {
    it(`E01: ${title}: the peer gets ${expected.sent}, the verdict has ${expected.error}`, async () => {
      const pair = await connect({ timeouts });
      write(pair, ...frames);
      await assertViolated(pair, expected);
    });
  }

  it('E09: ten violations in one chunk are one error and one close frame', async () => {
    const pair = await connect({ timeouts });
    write(pair, ...new Array<FrameSpec>(10).fill(wrong(pair)));
    await assertViolated(pair, { error: pair.maskError, sent: 1002 });
    assert.equal(pair.peer.frames.length, 1);
  });

  it('E09: messages before a violation are delivered, none after it', async () => {
    const pair = await connect({ timeouts });
    write(pair, text('1'), text('2'), wrong(pair), text('3'));
    await pair.closedAs({ ...protocolError, sent: sent(1002) });
    assert.deepEqual(pair.messages, [1, 2]);
  });

  it('E09: a close frame before a violation counts', async () => {
    const pair = await connect({ timeouts });
    write(pair, { opcode: opcode.close, payload: closePayload(1001) }, wrong(pair));
    const said = { code: 1001, cause: 'peer-close', clean: true, retry: 'backoff' } as const;
    await pair.closedAs({ ...said, level: 'info' });
    assert.ok(!pair.states.includes('errored'));
  });
});

describeBothSides('E: more than the limits allow', (connect) => {
  for (const { title, frames, ...expected } of excesses) {
    it(`E: ${title}: the peer gets ${expected.sent}`, async () => {
      const pair = await connect({ timeouts, limits: expected.limits ?? {} });
      write(pair, ...frames);
      await assertViolated(pair, expected);
    });
  }

  it('E: more chunks of one frame than bufferedChunksMax: the peer gets 1008', async () => {
    const limits = { bufferedChunksMax: 4 };
    const pair = await connect({ timeouts, limits });
    await dribble(pair, bytesOf(pair, text('"longer"')).subarray(0, -1), 1);
    await assertViolated(pair, { ...tooMany, limits });
  });
});

describeBothSides('E: no more than the limits allow', (connect) => {
  const piece = (payload: string, fin = false) => ({ opcode: opcode.continuation, payload, fin });
  const large = text(`"${'x'.repeat(1_048_574)}"`);
  const allowed: readonly { title: string; limits?: Partial<Limits>; frames: FrameSpec[] }[] = [
    {
      title: 'a text of payloadBytesMax',
      limits: { payloadBytesMax: 10 },
      frames: [text('"12345678"')],
    },
    {
      title: 'fragments that are payloadBytesMax together, with controls between them',
      limits: { payloadBytesMax: 10 },
      frames: [
        text('"1234', false),
        { opcode: opcode.ping, payload: 'are you there' },
        piece('5678"'),
        { opcode: opcode.pong, payload: 'unasked' },
        piece('', true),
      ],
    },
    {
      title: '1,024 fragments',
      frames: [text('"', false), ...new Array(1_022).fill(piece('€')), piece('"', true)],
    },
    { title: 'a text of 1 MiB', frames: [large] },
  ];
  for (const { title, limits = {}, frames } of allowed) {
    it(`E: ${title} is delivered`, async () => {
      const pair = await connect({ timeouts, limits });
      write(pair, ...frames);
      await until(() => pair.messages.length === 1, 'the message arrives');
      assert.ok(pair.isOpen);
    });
  }

  // An Ethernet segment carries 1,448 bytes, and on a slow line each is read separately.
  it('E: a text of 1 MiB that arrives in segments of 1,448 bytes is delivered', async () => {
    const pair = await connect({ timeouts });
    await dribble(pair, bytesOf(pair, large), 1_448);
    await until(() => pair.messages.length === 1 || pair.peer.closed, 'the message arrives');
    assert.equal(pair.peer.closeFrame, undefined);
  });
});

describeBothSides('E05: floods of control frames', (connect) => {
  const pings = (count: number): FrameSpec[] => new Array(count).fill({ opcode: opcode.ping });

  const flooded = {
    ...faultless,
    states: byError,
    code: 1006,
    reason: '',
    origin: 'local',
    layer: 'tcp',
    clean: false,
    cause: 'ping-flood',
    retry: 'backoff',
    level: 'warn',
  } as const;

  it('E05: 60 pings in one chunk are all answered, and so are the next 60', async () => {
    const pair = await connect({ timeouts });
    const pongs = () => pair.peer.frames.filter((frame) => frame.opcode === opcode.pong);
    for (const total of [60, 120]) {
      write(pair, ...pings(60));
      await until(() => pongs().length === total, 'every ping is answered');
    }
    pair.peer.json('still here');
    await until(() => pair.messages.length === 1, 'a message arrives');
    assert.ok(pair.isOpen);
  });

  it('E05b: 61 pings in one chunk are a ping flood, and later input is not delivered', async () => {
    const pair = await connect({ timeouts });
    write(pair, ...pings(61), text('"late"'));
    await pair.closedAs(flooded);
    assert.deepEqual(pair.messages, []);
    await until(() => pair.peer.closed, 'the peer is released');
    assert.equal(pair.peer.closeFrame, undefined);
  });

  it('E05c: pings behind our own backlog, one by one, end it as a ping flood', async () => {
    const pair = await connect({ timeouts, limits: { outboxHighBytes: 4_000_000 } });
    pair.peer.pause();
    await fillBacklog(pair, 500_000);
    for (let count = 1; count <= 60; count += 1) {
      const read = pair.raw.bytesRead;
      write(pair, ...pings(1));
      await until(() => pair.raw.bytesRead > read, 'the ping is read');
    }
    assert.ok(pair.isOpen);
    write(pair, ...pings(1));
    await pair.closedAs(flooded);
  });

  it('E05: 5,000 unsolicited pongs have no effect', async () => {
    const pair = await connect({ timeouts });
    write(pair, ...new Array(5_000).fill({ opcode: opcode.pong, payload: 'unasked' }));
    pair.peer.json('still here');
    await until(() => pair.messages.length === 1, 'a message arrives');
    assert.deepEqual([pair.isOpen, pair.peer.frames], [true, []]);
  });
});
