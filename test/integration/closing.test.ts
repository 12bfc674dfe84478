// Goal: however a connection is closed, by either side and in any order, it ends once with the right verdict,
// whichever side dialed. Method: C04 to C11 of the situations, on real sockets, with a raw peer.
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { fillBacklog } from '../support/backlog.ts';
import { describeBothSides } from '../support/both-sides.ts';
import {
  byPeer,
  byPeerForced,
  byUs,
  byUsForced,
  handshake,
  peerClose,
  sent,
  timedOut,
  closingTimeouts as timeouts,
} from '../support/closings.ts';
import { closePayload, opcode } from '../support/frames.ts';
import type { Pair } from '../support/pair.ts';
import { until } from '../support/until.ts';
import { echoed, plain } from '../support/verdicts.ts';

type CloseFrame = readonly [code: number, reason?: string];

const hasOurs = ({ peer }: Pair) =>
  until(() => peer.closeFrame !== undefined, 'our close frame arrives');

/** The peer closes in the packet of a message that makes this side close. */
async function cross(pair: Pair, ours: CloseFrame, theirs: CloseFrame): Promise<void> {
  let done: Promise<unknown> | undefined;
  pair.onMessage(() => {
    done = pair.close(...ours);
  });
  const message = { opcode: opcode.text, payload: '"close"' };
  const close = { opcode: opcode.close, payload: closePayload(...theirs) };
  pair.peer.socket.write(Buffer.concat([message, close].map((spec) => pair.peer.frame(spec))));
  await until(() => done !== undefined, 'this side closes');
  await done;
}

describeBothSides('C04 and C05: the peer does not complete the handshake', (connect) => {
  it('C04: silence after our close frame is a close-timeout', async () => {
    const pair = await connect({ timeouts });
    await pair.close(1001, 'leaving');
    const said = { ...timedOut, sent: sent(1001, 'leaving') };
    const verdict = await pair.closedAs({ states: byUsForced, ...said });
    assert.ok(verdict.openMs >= timeouts.closeMs - 50, `forced early: ${verdict.openMs} ms`);
    await until(() => pair.peer.ended, 'FIN arrives');
    assert.deepEqual(pair.peer.closeFrame, sent(1001, 'leaving'));
  });

  it('C04: a peer that keeps sending does not delay it', async () => {
    const pair = await connect({ timeouts });
    const talk = setInterval(() => pair.peer.json('still talking'), 5);
    try {
      await pair.close(1001);
    } finally {
      clearInterval(talk);
    }
    await pair.closedAs({ states: byUsForced, ...timedOut, sent: sent(1001) });
    assert.deepEqual(pair.messages, []);
  });

  it('C05: close frames are exchanged, no FIN comes: clean, lingered', async () => {
    const pair = await connect({ timeouts, lingers: true });
    const done = pair.close(1001, 'leaving');
    await hasOurs(pair);
    pair.peer.sendClose(1001, 'leaving');
    await done;
    const said = { code: 1001, reason: 'leaving', sent: sent(1001, 'leaving'), lingered: true };
    await pair.closedAs({ states: byUsForced, ...handshake, ...said, lingered: true });
    await until(() => pair.peer.ended, 'FIN arrives');
  });

  it('C05b: the peer closes and then keeps TCP: clean, lingered', async () => {
    const pair = await connect({ timeouts, lingers: true });
    pair.peer.sendClose(1001, 'asleep');
    const said = { ...echoed(1001, 'asleep'), lingered: true, retry: 'backoff' } as const;
    const verdict = await pair.closedAs({ states: byPeerForced, ...peerClose, ...said });
    assert.ok(verdict.openMs >= timeouts.closeMs - 50, `forced early: ${verdict.openMs} ms`);
    assert.deepEqual(pair.peer.closeFrame, sent(1001, 'asleep'));
  });

  it('C05: an empty close frame of the peer and no FIN: clean, lingered, 1005', async () => {
    const pair = await connect({ timeouts, lingers: true });
    pair.peer.sendClose();
    await pair.closedAs({ states: byPeerForced, ...peerClose, ...echoed(1005), lingered: true });
  });

  it('C05c: the frames cross and no FIN comes: simultaneous, clean, lingered', async () => {
    const pair = await connect({ timeouts, lingers: true });
    await cross(pair, [4001], [4002]);
    const said = { code: 4002, sent: sent(4001), simultaneous: true, lingered: true } as const;
    await pair.closedAs({ states: byUsForced, ...handshake, ...said });
  });

  it('C05d: an empty echo and no FIN: clean, lingered, 1005', async () => {
    const pair = await connect({ timeouts, lingers: true });
    const done = pair.close(1000);
    await hasOurs(pair);
    pair.peer.sendClose();
    await done;
    const said = { code: 1005, reason: '', sent: sent(1000), lingered: true } as const;
    await pair.closedAs({ states: byUsForced, ...handshake, ...said });
  });

  it('I13: the shortest closeMs gives no echo a chance, but the frame leaves', async () => {
    const pair = await connect({ timeouts: { ...timeouts, closeMs: 1 } });
    await pair.close(1001, 'at once');
    await pair.closedAs({ states: byUsForced, ...timedOut, sent: sent(1001, 'at once') });
    await until(() => pair.peer.ended, 'FIN arrives');
    assert.deepEqual(pair.peer.closeFrame, sent(1001, 'at once'));
  });
});

describeBothSides('C06: both sides close', (connect) => {
  it("C06: ours is 4001, the peer's 4002: the code is the peer's, sent is ours", async () => {
    const pair = await connect({ timeouts });
    await cross(pair, [4001, 'ours'], [4002, 'theirs']);
    const said = {
      code: 4002,
      reason: 'theirs',
      sent: sent(4001, 'ours'),
      retry: 'backoff',
    } as const;
    await pair.closedAs({ states: byUs, ...handshake, ...said, simultaneous: true });
    assert.deepEqual(pair.peer.closeFrame, sent(4001, 'ours'));
  });

  it('C06: a fault code of the peer that crosses ours does not raise the level', async () => {
    const pair = await connect({ timeouts });
    await cross(pair, [1000], [1011, 'broken']);
    const said = { code: 1011, reason: 'broken', sent: sent(1000), simultaneous: true } as const;
    await pair.closedAs({ ...handshake, ...said });
  });

  for (const code of [1000, 1002, 1008, 4321]) {
    it(`C06c: the peer answers 1001 with ${code}: that is an answer, and retry follows from ours`, async () => {
      const pair = await connect({ timeouts });
      const done = pair.close(1001, 'going');
      await hasOurs(pair);
      pair.peer.sendClose(code, 'as you like');
      await done;
      const said = { code, reason: 'as you like', sent: sent(1001, 'going') };
      await pair.closedAs({ states: byUs, ...handshake, ...said, retry: 'backoff' });
    });
  }
});

describeBothSides('C07: one side closes and the other keeps sending', (connect) => {
  it('C07: messages after our close are dropped, and pings are not answered', async () => {
    const pair = await connect({ timeouts });
    const done = pair.close(1000);
    pair.peer.json('late');
    pair.peer.send({ opcode: opcode.ping, payload: 'late' });
    await pair.peer.finishPolitely();
    await done;
    await pair.closedAs({ states: byUs, ...handshake, code: 1000, sent: sent(1000) });
    assert.deepEqual(pair.messages, []);
    assert.deepEqual(
      pair.peer.frames.map((frame) => frame.opcode),
      [opcode.close],
    );
  });

  it('C07: a violation of the protocol after our close is reported', async () => {
    const pair = await connect({ timeouts });
    const done = pair.close(1000);
    pair.peer.sendWronglyMasked({ opcode: opcode.text, payload: 'x' });
    await done;
    const said = { code: 1006, cause: 'protocol-error', sent: sent(1000), level: 'error' } as const;
    const verdict = await pair.closedAs({
      ...{ ...said, origin: 'local', layer: 'websocket', clean: false },
    });
    assert.equal((verdict.error as NodeJS.ErrnoException).code, pair.maskError);
  });

  for (const inOnePacket of [true, false]) {
    const how = inOnePacket ? 'in the same packet' : 'later';
    it(`C07b: what follows the close frame of the peer ${how} is ignored`, async () => {
      const pair = await connect({ timeouts, lingers: true });
      const close = { opcode: opcode.close, payload: closePayload(4001, 'bye') };
      const text = { opcode: opcode.text, payload: '"late"' };
      const ping = { opcode: opcode.ping, payload: 'late' };
      const [first, ...rest] = [close, text, ping].map((spec) => pair.peer.frame(spec));
      assert.ok(first);
      if (inOnePacket) pair.peer.socket.end(Buffer.concat([first, ...rest]));
      else {
        pair.peer.socket.write(first);
        await until(() => pair.peer.closeFrame !== undefined, 'the echo arrives');
        pair.peer.socket.end(Buffer.concat(rest));
      }
      await pair.closedAs({ states: byPeer, ...peerClose, ...echoed(4001, 'bye'), level: 'info' });
      assert.deepEqual(pair.messages, []);
      assert.equal(pair.peer.frames.length, 1);
    });
  }
});

describeBothSides('C10 and C11: this side closes behind a backlog', (connect) => {
  const limits = { outboxHighBytes: 4_000_000 };

  async function fill(pair: Pair): Promise<void> {
    pair.peer.pause();
    await fillBacklog(pair, 200_000);
  }

  it('C10: the peer reads nothing: close-timeout, and the frame that never left is not sent', async () => {
    const pair = await connect({ limits, timeouts });
    await fill(pair);
    await pair.close(1001, 'behind it all');
    await pair.closedAs({ states: byUsForced, ...timedOut });
  });

  it('C10: the peer reads everything in time: a clean handshake', async () => {
    const pair = await connect({ limits, timeouts: { ...timeouts, closeMs: 10_000 } });
    await fill(pair);
    const done = pair.close(1001, 'behind it all');
    pair.peer.socket.resume();
    await pair.peer.finishPolitely();
    await done;
    const said = { code: 1001, sent: sent(1001, 'behind it all') };
    await pair.closedAs({ states: byUs, ...handshake, ...said });
  });

  it('C10: the peer resets: the frame that never left is not sent', async () => {
    const pair = await connect({ limits, timeouts });
    await fill(pair);
    const done = pair.close(1001, 'behind it all');
    pair.peer.reset();
    await done;
    const said = { code: 1006, reason: '', origin: 'local', layer: 'tcp', clean: false } as const;
    const verdict = await pair.closedAs({
      ...{ ...plain, states: byUs, ...said, cause: 'close', retry: 'backoff', level: 'info' },
    });
    assert.match((verdict.error as NodeJS.ErrnoException).code ?? '', /^(ECONNRESET|EPIPE)$/);
  });

  it('C11: messages sent before close arrive before the close frame', async () => {
    const pair = await connect({ timeouts });
    const messages = Array.from({ length: 50 }, (_, index) => `message ${index}`);
    for (const message of messages) pair.send(message);
    const done = pair.close(1000, 'done');
    await pair.peer.finishPolitely();
    await done;
    await pair.closedAs({ ...handshake, code: 1000, sent: sent(1000, 'done') });
    assert.deepEqual(
      pair.peer.texts.map((text) => JSON.parse(text)),
      messages,
    );
    assert.equal(pair.peer.frames.at(-1)?.opcode, opcode.close);
  });
});
