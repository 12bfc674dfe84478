// Goal: however a connection that was dialed is closed, by whom and in what order, the client says so once, and does
// what follows from it. Method: section C of the catalogue, on real sockets, with a raw server on the other end.
import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import { fillBacklog } from '../support/backlog.ts';
import { closeMeanings, forbiddenCodes, malformedCloses } from '../support/closings.ts';
import { DialedPair, listenersOf, type PairOptions } from '../support/dialed-pair.ts';
import { closePayload, opcode } from '../support/frames.ts';
import { TimerCountingClock } from '../support/timer-counting-clock.ts';
import { until } from '../support/until.ts';
import { echoed, faultless, plain, protocolError, violationFrame } from '../support/verdicts.ts';

const timeouts = { closeMs: 300, erroredMs: 200, forcedMs: 200 };

const byPeer = ['closing.peer', 'closing.reaping', 'closed'];
const byPeerForced = ['closing.peer', 'closing.forced', 'closing.reaping', 'closed'];
const byUs = ['closing.local', 'closing.reaping', 'closed'];
const byUsForced = ['closing.local', 'closing.forced', 'closing.reaping', 'closed'];
const byError = ['errored', 'closing.reaping', 'closed'];

const peerClose = {
  ...faultless,
  origin: 'peer',
  layer: 'websocket',
  clean: true,
  cause: 'peer-close',
} as const;

const handshake = {
  ...faultless,
  origin: 'local',
  layer: 'websocket',
  clean: true,
  cause: 'close',
  level: 'info',
  next: 'stopped',
} as const;

const timedOut = {
  ...faultless,
  code: 1006,
  reason: '',
  origin: 'local',
  layer: 'tcp',
  clean: false,
  cause: 'close-timeout',
  retry: 'backoff',
  level: 'warn',
  next: 'stopped',
} as const;

let pair: DialedPair;

async function connect(options: PairOptions = {}): Promise<void> {
  pair = await DialedPair.open({ timeouts, ...options });
}

const release = () => pair.end();

const sent = (code: number, reason = '') => ({ code, reason });

/** The peer closes in the packet of a message that makes the client close. */
async function cross(ours: readonly [number, string?], theirs: readonly [number, string?]) {
  let done: Promise<void> | undefined;
  pair.client.messages$.subscribe(() => {
    done = pair.client.close(...ours);
  });
  const message = { opcode: opcode.text, payload: '"close"' };
  const close = { opcode: opcode.close, payload: closePayload(...theirs) };
  pair.host.socket.write(Buffer.concat([message, close].map((spec) => pair.host.frame(spec))));
  await until(() => done !== undefined, 'the client closes');
  await done;
}

describe('client, C01: the peer closes', () => {
  afterEach(release);

  /** All but two codes leave the delay to the backoff. */
  const backoff = { minMs: 1_000, maxMs: 40_000 };
  const delaysMs: Readonly<Record<number, number>> = { 1012: 29_750, 1013: 39_800 };

  for (const [code, level, retry] of closeMeanings) {
    it(`C01: ${code} is echoed, reported as the peer's, retry ${retry}`, async () => {
      await connect({ backoff });
      pair.host.sendClose(code, 'so long');
      const said = { ...echoed(code, 'so long'), retry, level };
      await pair.closedAs({ states: byPeer, ...peerClose, ...said });
      const delayMs = retry === 'never' ? undefined : (delaysMs[code] ?? 990);
      assert.equal(pair.client.status.delayMs, delayMs);
      await until(() => pair.host.closed, 'the echo and FIN have come');
      assert.deepEqual(pair.host.closeFrame, sent(code, 'so long'));
      assert.equal(pair.host.error, undefined);
    });
  }

  it('C01: an empty close frame is answered with an empty one, and is 1005', async () => {
    await connect();
    pair.host.sendClose();
    const said = { ...echoed(1005), retry: 'backoff', level: 'info' } as const;
    await pair.closedAs({ states: byPeer, ...peerClose, ...said });
    await until(() => pair.host.closed, 'the echo and FIN have come');
    assert.deepEqual(pair.host.closeFrame, sent(1005));
  });

  it('C01: a reason of 123 bytes arrives and is echoed whole', async () => {
    const reason = `${'ä'.repeat(61)}!`;
    await connect();
    pair.host.sendClose(1001, reason);
    await pair.closedAs({ ...peerClose, ...echoed(1001, reason) });
    await until(() => pair.host.closed, 'the echo and FIN have come');
    assert.deepEqual(pair.host.closeFrame, sent(1001, reason));
  });

  it('C01: after a code that allows it the client comes back, with what was sent meanwhile', async () => {
    await connect({ backoff: { minMs: 20, maxMs: 40 } });
    pair.host.sendClose(1011, 'broken');
    await until(() => pair.dialing.endings.length === 1, 'it has ended');
    const result = pair.client.send('meanwhile');
    await until(() => pair.hosts[1]?.texts.length === 1, 'it is back');
    assert.equal(result, 'queued');
    assert.deepEqual([pair.host.texts, pair.hosts[1]?.texts], [[], ['"meanwhile"']]);
    assert.deepEqual([pair.client.status.state, pair.dialing.endings.length], ['up', 1]);
  });
});

describe('client, C01 and C02: a close frame that must not be sent', () => {
  afterEach(release);

  async function assertViolation(code: number, errorCode: string): Promise<void> {
    const frame = violationFrame(code);
    const verdict = await pair.closedAs({ ...protocolError, states: byError, sent: frame });
    assert.equal((verdict.error as NodeJS.ErrnoException).code, errorCode);
    await until(() => pair.host.closed, 'the close frame and FIN have come');
    assert.deepEqual(pair.host.closeFrame, frame);
  }

  for (const code of forbiddenCodes) {
    it(`C01: ${code} is a protocol error, answered with 1002, and ends the client`, async () => {
      await connect();
      pair.host.sendClose(code, 'so long');
      await assertViolation(1002, 'WS_ERR_INVALID_CLOSE_CODE');
    });
  }

  const masked = { payload: closePayload(1000, 'bye'), masked: true };
  const variants = [...malformedCloses, ['a mask', masked, 'WS_ERR_UNEXPECTED_MASK'] as const];
  for (const [name, spec, errorCode] of variants) {
    it(`C02: ${name} is a protocol error, answered with 1002, and ends the client`, async () => {
      await connect();
      pair.host.send({ opcode: opcode.close, ...spec });
      await assertViolation(1002, errorCode);
    });
  }

  it('C02: a reason that is not UTF-8 is answered with 1007', async () => {
    await connect();
    pair.host.sendClose(1000, Buffer.from([0xc3, 0x28]));
    await assertViolation(1007, 'WS_ERR_INVALID_UTF8');
  });
});

describe('client, C03: it closes with what must not be sent', () => {
  afterEach(release);

  it('C03, B20: a wrong code or reason is refused, and the connection lives on', async () => {
    await connect();
    const close = (...frame: unknown[]) =>
      pair.client.close(...(frame as Parameters<typeof pair.client.close>));
    for (const code of [...forbiddenCodes, -1, 1000.5, Number.NaN, '1000', null, true, {}]) {
      await assert.rejects(close(code), { code: 'invalid-close' }, String(code));
    }
    for (const reason of [null, 1, Buffer.from('x'), {}]) {
      await assert.rejects(close(1000, reason), { code: 'invalid-close' }, String(reason));
    }
    assert.deepEqual([pair.client.status.state, pair.client.send('still here')], ['up', 'sent']);
    await until(() => pair.host.texts.length === 1, 'the message arrives');
    assert.equal(pair.host.closeFrame, undefined);
  });

  const reasons: readonly [string, string, string][] = [
    ['two-byte characters', 'ä'.repeat(100), 'ä'.repeat(61)],
    ['four-byte characters', '😀'.repeat(40), '😀'.repeat(30)],
    ['123 bytes and one', 'x'.repeat(124), 'x'.repeat(123)],
    ['a lone surrogate', 'broken \ud800', 'broken \ufffd'],
  ];
  for (const [name, reason, told] of reasons) {
    it(`C03: a reason of ${name} is cut to 123 bytes of UTF-8`, async () => {
      await connect();
      const done = pair.client.close(4000, reason);
      await pair.host.finishPolitely();
      await done;
      await pair.closedAs({ ...handshake, code: 4000, reason: told, sent: sent(4000, told) });
      assert.deepEqual(pair.host.closeFrame, sent(4000, told));
    });
  }
});

describe('client, C04 and C05: the peer does not play its part', () => {
  afterEach(release);

  it('C04: silence after our close frame is a close-timeout, and the client stops', async () => {
    await connect();
    await pair.client.close(1001, 'leaving');
    const verdict = await pair.closedAs({
      states: byUsForced,
      ...timedOut,
      sent: sent(1001, 'leaving'),
    });
    assert.ok(verdict.openMs >= timeouts.closeMs - 50, `forced early: ${verdict.openMs} ms`);
    await until(() => pair.host.closed, 'FIN has come');
    assert.deepEqual(pair.host.closeFrame, sent(1001, 'leaving'));
  });

  it('C04: a peer that goes on talking does not delay it', async () => {
    await connect();
    const talk = setInterval(() => pair.host.json('still talking'), 5);
    try {
      await pair.client.close(1001);
    } finally {
      clearInterval(talk);
    }
    await pair.closedAs({ states: byUsForced, ...timedOut, sent: sent(1001) });
    assert.deepEqual(pair.dialing.messages, []);
  });

  it('C05: close frames are exchanged, no FIN comes: clean, lingered', async () => {
    await connect({ lingers: true });
    const done = pair.client.close(1001, 'leaving');
    await until(() => pair.host.closeFrame !== undefined, 'our close frame arrives');
    pair.host.sendClose(1001, 'leaving');
    await done;
    const said = { code: 1001, reason: 'leaving', sent: sent(1001, 'leaving') };
    await pair.closedAs({ states: byUsForced, ...handshake, ...said, lingered: true });
  });

  it('C05b: the peer closes and then keeps TCP: clean, lingered', async () => {
    await connect({ lingers: true });
    pair.host.sendClose(1001, 'asleep');
    const said = { ...echoed(1001, 'asleep'), lingered: true, retry: 'backoff' } as const;
    const verdict = await pair.closedAs({ states: byPeerForced, ...peerClose, ...said });
    assert.ok(verdict.openMs >= timeouts.closeMs - 50, `forced early: ${verdict.openMs} ms`);
    assert.deepEqual(pair.host.closeFrame, sent(1001, 'asleep'));
  });

  it('C05c: the frames cross and no FIN comes: simultaneous, clean, lingered', async () => {
    await connect({ lingers: true });
    await cross([4001], [4002]);
    const said = { code: 4002, sent: sent(4001), simultaneous: true, lingered: true } as const;
    await pair.closedAs({ states: byUsForced, ...handshake, ...said });
  });

  it('C05d: an empty echo and no FIN: clean, lingered, 1005', async () => {
    await connect({ lingers: true });
    const done = pair.client.close();
    await until(() => pair.host.closeFrame !== undefined, 'our close frame arrives');
    pair.host.sendClose();
    await done;
    const said = { code: 1005, reason: '', sent: sent(1000), lingered: true } as const;
    await pair.closedAs({ states: byUsForced, ...handshake, ...said });
  });

  it('I13: the shortest closeMs gives no echo a chance, but the frame leaves', async () => {
    await connect({ timeouts: { ...timeouts, closeMs: 1 } });
    await pair.client.close(1001, 'at once');
    await pair.closedAs({ states: byUsForced, ...timedOut, sent: sent(1001, 'at once') });
    await until(() => pair.host.closed, 'FIN has come');
    assert.deepEqual(pair.host.closeFrame, sent(1001, 'at once'));
  });
});

describe('client, C06 and C07: both sides close, or one does and the other talks on', () => {
  afterEach(release);

  it("C06: ours is 4001, the peer's 4002: the code is the peer's, sent is ours", async () => {
    await connect();
    await cross([4001, 'ours'], [4002, 'theirs']);
    const said = { code: 4002, reason: 'theirs', sent: sent(4001, 'ours') };
    await pair.closedAs({ states: byUs, ...handshake, ...said, simultaneous: true });
    assert.deepEqual(pair.host.closeFrame, sent(4001, 'ours'));
  });

  it("C06: a fault code of the peer's that crosses ours does not raise the level", async () => {
    await connect();
    await cross([1000], [1011, 'broken']);
    const said = { code: 1011, reason: 'broken', sent: sent(1000), simultaneous: true } as const;
    await pair.closedAs({ ...handshake, ...said });
  });

  for (const code of [1000, 1002, 1008, 4321]) {
    it(`C06c: the peer answers 1001 with ${code}: an answer, and what to do follows from ours`, async () => {
      await connect();
      const done = pair.client.close(1001, 'going');
      await until(() => pair.host.closeFrame !== undefined, 'our close frame arrives');
      pair.host.sendClose(code, 'as you like');
      await done;
      const said = { code, reason: 'as you like', sent: sent(1001, 'going') };
      await pair.closedAs({ states: byUs, ...handshake, ...faultless, ...said, retry: 'backoff' });
    });
  }

  it("C06b: close(4000) after the peer's 1001: the ending is the peer's, and the client stops", async () => {
    await connect({ lingers: true });
    pair.host.sendClose(1001, 'first');
    await until(() => pair.states.includes('closing.peer'), 'the peer closes');
    assert.equal(pair.client.send('meanwhile', { queue: false }), 'refused');
    await pair.client.close(4000, 'second');
    const said = { ...echoed(1001, 'first'), next: 'stopped' } as const;
    await pair.closedAs({ ...peerClose, ...said, lingered: true });
    assert.deepEqual(pair.host.closeFrame, sent(1001, 'first'));
  });

  it('C07: messages after our close are dropped, and pings are not answered', async () => {
    await connect();
    const done = pair.client.close();
    pair.host.json('late');
    pair.host.send({ opcode: opcode.ping, payload: 'late' });
    await pair.host.finishPolitely();
    await done;
    await pair.closedAs({ states: byUs, ...handshake, code: 1000, sent: sent(1000) });
    assert.deepEqual(pair.dialing.messages, []);
    const opcodes = pair.host.frames.map((frame) => frame.opcode);
    assert.deepEqual(opcodes, [opcode.close]);
  });

  it('C07: a violation of the protocol after our close is told as such, and the client stops', async () => {
    await connect();
    const done = pair.client.close();
    pair.host.send({ opcode: opcode.text, payload: 'x', masked: true });
    await done;
    const said = { code: 1006, cause: 'protocol-error', sent: sent(1000), level: 'error' } as const;
    const verdict = await pair.closedAs({ ...said, clean: false, next: 'stopped' });
    assert.equal((verdict.error as NodeJS.ErrnoException).code, 'WS_ERR_UNEXPECTED_MASK');
  });

  for (const inOnePacket of [true, false]) {
    const how = inOnePacket ? 'in the same packet' : 'later';
    it(`C07b: what follows the close frame of the peer ${how} is ignored`, async () => {
      await connect({ lingers: true });
      const close = { opcode: opcode.close, payload: closePayload(4001, 'bye') };
      const text = { opcode: opcode.text, payload: '"late"' };
      const ping = { opcode: opcode.ping, payload: 'late' };
      const [first, ...rest] = [close, text, ping].map((spec) => pair.host.frame(spec));
      assert.ok(first);
      if (inOnePacket) pair.host.socket.end(Buffer.concat([first, ...rest]));
      else {
        pair.host.socket.write(first);
        await until(() => pair.host.closeFrame !== undefined, 'the echo arrives');
        pair.host.socket.end(Buffer.concat(rest));
      }
      await pair.closedAs({ states: byPeer, ...peerClose, ...echoed(4001, 'bye') });
      assert.deepEqual(pair.dialing.messages, []);
      assert.equal(pair.host.frames.length, 1);
    });
  }
});

describe('client, C08: closing again', () => {
  afterEach(release);

  it('C08: only the first close counts, each resolves, and nothing does anything after the end', async () => {
    await connect();
    const { client } = pair;
    const done = [client.close(4001), client.close(4002), client.close()];
    await pair.host.finishPolitely();
    await Promise.all(done);
    await pair.closedAs({ states: byUs, ...handshake, code: 4001, sent: sent(4001) });
    await Promise.all([client.close(4003), client[Symbol.asyncDispose]()]);
    await assert.rejects(client.close(9999), { code: 'invalid-close' });
    await pair.closedAs({ states: byUs, ...handshake, code: 4001, sent: sent(4001) });
    assert.equal(pair.host.frames.length, 1);
    assert.equal(pair.server.visits, 1);
  });
});

describe('client, C10 and C11: it closes behind a backlog', () => {
  afterEach(release);

  const limits = { outboxHighBytes: 4_000_000 };

  async function fill(): Promise<void> {
    pair.host.pause();
    await fillBacklog(pair.sender, 200_000);
  }

  it('C10: the peer takes nothing: close-timeout, and the frame that never left is not sent', async () => {
    await connect({ limits });
    await fill();
    await pair.client.close(1001, 'behind it all');
    await pair.closedAs({ states: byUsForced, ...timedOut });
  });

  it('C10: the peer takes it all in time: a clean handshake', async () => {
    await connect({ limits, timeouts: { ...timeouts, closeMs: 10_000 } });
    await fill();
    const done = pair.client.close(1001, 'behind it all');
    pair.host.socket.resume();
    await pair.host.finishPolitely();
    await done;
    const said = { code: 1001, sent: sent(1001, 'behind it all') };
    await pair.closedAs({ states: byUs, ...handshake, ...said });
  });

  it('C10: the peer resets: the frame that never left is not sent', async () => {
    await connect({ limits });
    await fill();
    const done = pair.client.close(1001, 'behind it all');
    pair.host.reset();
    await done;
    const said = { code: 1006, clean: false, layer: 'tcp', cause: 'close' } as const;
    const verdict = await pair.closedAs({ ...plain, ...said, states: byUs, next: 'stopped' });
    assert.match((verdict.error as NodeJS.ErrnoException).code ?? '', /^(ECONNRESET|EPIPE)$/);
  });

  it('C11: what was sent before close arrives before the close frame', async () => {
    await connect();
    const messages = Array.from({ length: 50 }, (_, index) => `message ${index}`);
    for (const message of messages) pair.client.send(message);
    const done = pair.client.close(1000, 'done');
    await pair.host.finishPolitely();
    await done;
    await pair.closedAs({ ...handshake, code: 1000, sent: sent(1000, 'done') });
    assert.deepEqual(
      pair.host.texts.map((text) => JSON.parse(text)),
      messages,
    );
    assert.equal(pair.host.frames.at(-1)?.opcode, opcode.close);
  });

  it('C10: sendAndFlush tells what was lost behind a close that came too late', async () => {
    await connect({ limits });
    await fill();
    const flushed = pair.client.sendAndFlush('never');
    await pair.client.close();
    assert.equal(await flushed, 'lost');
    await pair.closedAs({ states: byUsForced, ...timedOut });
  });
});

describe('client, C15: what is left', () => {
  afterEach(release);

  const endings: Readonly<Record<string, () => unknown>> = {
    'our close': () => void Promise.all([pair.client.close(), pair.host.finishPolitely()]),
    "the peer's close": () => pair.host.sendClose(1001),
    RST: () => pair.host.reset(),
    'a violation': () => pair.host.send({ opcode: opcode.text, masked: true }),
  };
  for (const [name, end] of Object.entries(endings)) {
    it(`C15: no listener on the socket, and no timer but that of the backoff, after ${name}`, async () => {
      const clock = new TimerCountingClock();
      await connect({ clock });
      assert.deepEqual(listenersOf(pair.raw).length > 0, true);
      end();
      await until(() => pair.dialing.endings.length === 1, 'it ends');
      const isWaiting = pair.client.status.state === 'waiting';
      assert.equal(clock.pending.size, isWaiting ? 1 : 0, 'timers');
      await until(() => pair.raw.destroyed, 'the socket is gone');
      assert.deepEqual(listenersOf(pair.raw), []);
      await pair.client.close();
      assert.equal(clock.pending.size, 0);
    });
  }
});
