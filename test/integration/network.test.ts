// Goal: whatever the network or the peer's process does to a connection, it ends once with the right verdict,
// whichever side dialed. Method: section D of the situations, on real sockets, with a raw peer.
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { type Codec, jsonCodec } from '../../src/index.ts';
import { fillBacklog } from '../support/backlog.ts';
import { describeBothSides, type OpenPair } from '../support/both-sides.ts';
import {
  byError,
  byErrorForced,
  byPeer,
  byPeerForced,
  byUs,
  byUsForced,
  peerClose,
  sent,
} from '../support/closings.ts';
import { closePayload, type FrameSpec, opcode } from '../support/frames.ts';
import type { Pair } from '../support/pair.ts';
import { until } from '../support/until.ts';
import { faultless, lostToNetwork, plain, protocolError } from '../support/verdicts.ts';

const timeouts = { closeMs: 300, erroredMs: 200, forcedMs: 200, stalledMs: 250 };
/** More than the backlogs of these tests. */
const roomy = { outboxHighBytes: 4_000_000 };

const { ended, reset, silent } = lostToNetwork;

const codeOf = (error: Error | undefined) => (error as NodeJS.ErrnoException | undefined)?.code;

/** The moments at which a peer can leave: the situation, and the part of a frame that it has written. */
const moments: readonly [string, string, FrameSpec | undefined, 'whole' | 'half'][] = [
  ['idle', 'D03', undefined, 'whole'],
  ['mid-frame', 'D03b', { opcode: opcode.text, payload: '"never whole"' }, 'half'],
  ['mid-message', 'D03c', { opcode: opcode.text, payload: '"never', fin: false }, 'whole'],
  ['mid-ping', 'D03', { opcode: opcode.ping, payload: 'never whole' }, 'half'],
  ['mid-close', 'D03', { opcode: opcode.close, payload: closePayload(1000, 'x') }, 'half'],
];

function written({ peer }: Pair, spec: FrameSpec | undefined, part: 'whole' | 'half'): Buffer {
  const bytes = spec ? peer.frame(spec) : Buffer.alloc(0);
  return part === 'whole' ? bytes : bytes.subarray(0, Math.ceil(bytes.length / 2));
}

/** Opens a pair over which one message has arrived, so that later input arrives in a separate read. */
async function delivered(connect: OpenPair): Promise<Pair> {
  const pair = await connect({ timeouts });
  pair.peer.json('before');
  await until(() => pair.messages.length === 1, 'the message is delivered');
  return pair;
}

/** Writes bytes and waits until they were read, because a reset may overtake bytes in transit. */
async function push({ peer, raw }: Pair, bytes: Buffer): Promise<void> {
  const wanted = raw.bytesRead + bytes.length;
  peer.socket.write(bytes);
  await until(() => raw.bytesRead === wanted, 'the bytes are read');
}

/** Lets the peer stop reading, and sends until something has to wait in this process. */
async function backlog(pair: Pair): Promise<void> {
  pair.peer.pause();
  await fillBacklog(pair, 200_000);
}

describeBothSides('D01 to D03: the peer is gone', (connect) => {
  for (const [moment, id, spec, part] of moments) {
    it(`${moment === 'idle' ? 'D01' : 'D02'}: RST ${moment} is a network ending`, async () => {
      const pair = await delivered(connect);
      await push(pair, written(pair, spec, part));
      pair.peer.reset();
      const { error } = await pair.closedAs({ states: byError, ...reset });
      assert.equal(codeOf(error), 'ECONNRESET');
      assert.deepEqual(pair.messages, ['before']);
    });

    it(`${id}: FIN ${moment} is a network ending without an error`, async () => {
      const pair = await delivered(connect);
      pair.peer.socket.end(written(pair, spec, part));
      await pair.closedAs({ states: byPeer, ...ended });
      assert.deepEqual(pair.messages, ['before']);
    });
  }

  it('D03d: a last message that arrives with the FIN is delivered first', async () => {
    const pair = await connect({ timeouts });
    const open: boolean[] = [];
    pair.onMessage(() => open.push(pair.isOpen));
    pair.peer.socket.end(pair.peer.frame({ opcode: opcode.text, payload: '"last"' }));
    await pair.closedAs({ states: byPeer, ...ended });
    assert.deepEqual([pair.messages, open], [['last'], [true]]);
  });

  it('D03: a half-open peer is not kept: its FIN is answered with FIN', async () => {
    const pair = await connect({ timeouts, lingers: true });
    pair.peer.end();
    await until(() => pair.peer.ended, 'FIN is answered with FIN');
    await pair.closedAs({ states: byPeer, ...ended });
  });

  it('D06b: what the kernel accepts after the FIN of the peer is sent and never read', async () => {
    const pair = await connect({ timeouts });
    pair.peer.destroy();
    assert.deepEqual([pair.isOpen, pair.send('nobody reads this')], [true, 'sent']);
    const { cause } = await pair.closedAs({ code: 1006, origin: 'network', layer: 'tcp' });
    assert.ok(['tcp-fin', 'tcp-reset'].includes(cause), cause);
  });

  it('G06: a close frame takes precedence over the RST behind it, which is attached', async () => {
    const pair = await connect({ timeouts });
    pair.peer.pause();
    // Input that the peer leaves unread makes its kernel send RST instead of FIN.
    pair.send('x'.repeat(500_000));
    pair.peer.sendClose(1001, 'exit');
    pair.peer.destroy();
    const said = {
      ...plain,
      code: 1001,
      reason: 'exit',
      origin: 'peer',
      layer: 'websocket',
    } as const;
    const then = { cause: 'peer-close', retry: 'backoff', level: 'info' } as const;
    const verdict = await pair.closedAs({ ...said, ...then });
    assert.match(codeOf(verdict.error) ?? '', /^(EPIPE|ECONNRESET)$/);
  });
});

describeBothSides('D04: the peer ends and leaves our backlog unread', (connect) => {
  it('D04: the socket is destroyed when the time for closing is over', async () => {
    const pair = await connect({ timeouts, limits: roomy, lingers: true });
    await backlog(pair);
    pair.peer.end();
    const said = { ...ended, cause: 'tcp-fin-backlog', level: 'warn' } as const;
    const verdict = await pair.closedAs({ states: byPeerForced, ...said });
    assert.ok(verdict.openMs >= timeouts.closeMs - 50, `forced early: ${verdict.openMs} ms`);
  });

  const retry = 'backoff';
  for (const code of [1000, 1001]) {
    it(`D04: a close frame ${code} whose echo cannot leave is not a clean close`, async () => {
      const pair = await connect({ timeouts, limits: roomy, lingers: true });
      await backlog(pair);
      pair.peer.sendClose(code, 'impatient');
      const said = { ...peerClose, code, reason: 'impatient', clean: false } as const;
      await pair.closedAs({ states: byPeerForced, ...said, retry, level: 'info' });
    });
  }
});

describeBothSides('D05: the peer stops reading', (connect) => {
  const limits = { outboxHighBytes: 200_000, outboxLowBytes: 100_000 };
  const block = 'x'.repeat(65_000);
  const slow = { ...faultless, origin: 'local', cause: 'slow-consumer', level: 'warn' } as const;

  /** Opens a pair whose peer stops reading, and sends until no more is accepted. Returns the number of messages. */
  async function congested(more: Partial<typeof timeouts> = {}): Promise<[Pair, number]> {
    const pair = await connect({ limits, timeouts: { ...timeouts, ...more } });
    let taken = 0;
    pair.peer.pause();
    while (pair.send(block) !== 'refused') taken += 1;
    assert.ok(pair.isOpen);
    return [pair, taken];
  }

  it('D05: congested, stalled, closed with 1013 that cannot leave', async () => {
    const [pair] = await congested();
    const said = { code: 1006, reason: '', clean: false, layer: 'tcp', retry: 'backoff' } as const;
    await pair.closedAs({ states: byUsForced, ...slow, ...said });
  });

  it('D05: a peer that reads on accepts messages again, and no accepted message is lost', async () => {
    const [pair, taken] = await congested({ stalledMs: 20_000 });
    pair.peer.socket.resume();
    await until(() => pair.send('after') !== 'refused', 'it flows again');
    await until(() => pair.peer.texts.length === taken + 1, 'every message arrives');
    assert.equal(pair.peer.texts.at(-1), '"after"');
    assert.ok(pair.isOpen);
  });

  it('D05: a stalled peer that reads on while we close ends with a handshake', async () => {
    const [pair] = await congested({ closeMs: 10_000 });
    await until(() => pair.states.includes('closing.local'), 'it is given up');
    pair.peer.socket.resume();
    await pair.peer.finishPolitely();
    const frame = sent(1013, 'too slow');
    const said = { ...frame, sent: frame, layer: 'websocket', clean: true } as const;
    await pair.closedAs({ states: byUs, ...slow, ...said });
  });

  it('D05c: RST with a backlog', async () => {
    const [pair] = await congested();
    pair.peer.reset();
    const { error } = await pair.closedAs({ states: byError, ...reset });
    assert.match(codeOf(error) ?? '', /^(ECONNRESET|EPIPE)$/);
  });

  it('D05d: a ping behind a backlog that does not move proves nothing', async () => {
    const heartbeat = { intervalMs: 100, graceMs: 100 };
    const pair = await connect({ timeouts, limits: roomy, heartbeat });
    await backlog(pair);
    await pair.closedAs({ states: byError, ...silent });
  });
});

describeBothSides('D12: a message that cannot be sent', (connect) => {
  it('D12: a codec that returns something other than text or bytes throws at once', async () => {
    const json = jsonCodec();
    const encode: Codec['encode'] = (message) =>
      message === 'odd' ? (new Blob(['late']) as unknown as Uint8Array) : json.encode(message);
    const pair = await connect({ codec: { ...json, encode } });
    assert.throws(() => pair.send('odd'), { code: 'unencodable-message' });
    assert.ok(pair.isOpen);
    pair.peer.sendClose(1000);
    await pair.closedAs({ code: 1000, clean: true, level: 'info' });
    assert.deepEqual(pair.peer.texts, []);
  });
});

describeBothSides('D14: the peer breaks the protocol and stays', (connect) => {
  const patience = { timeouts: { ...timeouts, closeMs: 20_000 } };

  /** Breaks the protocol, and asserts that the socket is destroyed after the short deadline of errors. */
  async function assertExpires(pair: Pair, expected: { sent?: ReturnType<typeof sent> }) {
    pair.peer.sendWronglyMasked({ opcode: opcode.text, payload: 'x' });
    await until(() => pair.states.includes('errored'), 'the error is seen');
    const erroredAt = performance.now();
    const verdict = await pair.closedAs({ states: byErrorForced, ...protocolError, ...expected });
    const tookMs = performance.now() - erroredAt;
    assert.ok(tookMs >= timeouts.erroredMs - 50, `forced early: ${tookMs} ms`);
    assert.equal(codeOf(verdict.error), pair.maskError);
  }

  it('D14, F11: it never ends its side', async () => {
    const pair = await connect({ ...patience, lingers: true });
    await assertExpires(pair, { sent: sent(1002) });
    assert.deepEqual(pair.peer.closeFrame, sent(1002));
  });

  it('D14b: it keeps sending', async () => {
    const pair = await connect({ ...patience, lingers: true });
    const stream = setInterval(() => pair.peer.json('more'), 2);
    try {
      await assertExpires(pair, { sent: sent(1002) });
    } finally {
      clearInterval(stream);
    }
    assert.deepEqual(pair.messages, []);
  });

  it('D14c: it reads nothing, so the close frame never leaves and is not sent', async () => {
    const pair = await connect({ ...patience, limits: roomy });
    await backlog(pair);
    await assertExpires(pair, {});
  });
});
