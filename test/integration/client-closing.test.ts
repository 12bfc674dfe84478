// Goal: what a client does after a connection was closed, and how an application can close it. Method: section C
// of the situations, as far as an accepted connection has no counterpart, on real sockets, with a raw server.
import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import { fillBacklog } from '../support/backlog.ts';
import {
  byUs,
  byUsForced,
  closeMeanings,
  forbiddenCodes,
  handshake,
  peerClose,
  sent,
  timedOut,
  closingTimeouts as timeouts,
} from '../support/closings.ts';
import { type DialedOptions, DialedPair, listenersOf } from '../support/dialed-pair.ts';
import { opcode } from '../support/frames.ts';
import { TimerCountingClock } from '../support/timer-counting-clock.ts';
import { until } from '../support/until.ts';
import { echoed } from '../support/verdicts.ts';

let pair: DialedPair;

async function connect(options: DialedOptions = {}): Promise<void> {
  pair = await DialedPair.open({ timeouts, ...options });
}

const release = () => pair.end();

describe('client, C01: the peer closes', () => {
  afterEach(release);

  /** All codes but two leave the delay to the backoff. */
  const backoff = { minMs: 1_000, maxMs: 40_000 };
  const delaysMs: Readonly<Record<number, number>> = { 1012: 29_750, 1013: 39_800 };

  for (const [code, , retry] of closeMeanings) {
    const delayMs = retry === 'slow' ? 59_700 : (delaysMs[code] ?? 990);
    it(`C01: after ${code} the client waits for ${delayMs} ms`, async () => {
      await connect({ backoff });
      pair.host.sendClose(code, 'so long');
      await pair.closedAs({ ...peerClose, ...echoed(code, 'so long'), retry });
      assert.equal(pair.client.status.delayMs, delayMs);
    });
  }

  it('C01: after a code that allows it the client reconnects, and sends what waited', async () => {
    await connect({ backoff: { minMs: 20, maxMs: 40 } });
    pair.host.sendClose(1011, 'broken');
    await until(() => pair.dialing.endings.length === 1, 'it has ended');
    const result = pair.client.send('meanwhile');
    await until(() => pair.hosts[1]?.texts.length === 1, 'it has reconnected');
    assert.equal(result, 'queued');
    assert.deepEqual([pair.host.texts, pair.hosts[1]?.texts], [[], ['"meanwhile"']]);
    assert.deepEqual([pair.client.status.state, pair.dialing.endings.length], ['up', 1]);
  });
});

describe('client, C03: it closes with a value that must not be sent', () => {
  afterEach(release);

  it('C03, B20: a wrong code or reason is refused, and the connection continues', async () => {
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
});

describe('client, C06b: it closes after the peer did', () => {
  afterEach(release);

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
});

describe('client, C08: closing again', () => {
  afterEach(release);

  it('C08: only the first close counts, each call resolves, and nothing has an effect after the end', async () => {
    await connect();
    const { client } = pair;
    const done = [client.close(4001), client.close(4002), client.close()];
    await pair.host.finishPolitely();
    await Promise.all(done);
    const expected = { states: byUs, ...handshake, code: 4001, sent: sent(4001) };
    await pair.closedAs({ ...expected, next: 'stopped' });
    await Promise.all([client.close(4003), client[Symbol.asyncDispose]()]);
    await assert.rejects(client.close(9999), { code: 'invalid-close' });
    await pair.closedAs({ ...expected, next: 'stopped' });
    assert.equal(pair.host.frames.length, 1);
    assert.equal(pair.server.visits, 1);
  });
});

describe('client, C10: it closes behind a backlog', () => {
  afterEach(release);

  it('C10: sendAndFlush reports what a late close lost', async () => {
    await connect({ limits: { outboxHighBytes: 4_000_000 } });
    pair.host.pause();
    await fillBacklog(pair, 200_000);
    const flushed = pair.client.sendAndFlush('never');
    await pair.close();
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
