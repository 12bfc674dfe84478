// Goal: every close frame that a peer can send, and every one that the application can request, means the same
// whichever side dialed. Method: C01 to C03 of the situations, on real sockets, with a raw peer.
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { describeBothSides } from '../support/both-sides.ts';
import {
  byError,
  byPeer,
  closeMeanings,
  forbiddenCodes,
  handshake,
  malformedCloses,
  peerClose,
  sent,
  closingTimeouts as timeouts,
} from '../support/closings.ts';
import { closePayload, opcode } from '../support/frames.ts';
import type { Pair } from '../support/pair.ts';
import { until } from '../support/until.ts';
import { echoed, protocolError, violationFrame } from '../support/verdicts.ts';

describeBothSides('C01: the peer closes', (connect) => {
  for (const [code, level, retry] of closeMeanings) {
    it(`C01: ${code} is echoed and reported as the peer's, level ${level}, retry ${retry}`, async () => {
      const pair = await connect({ timeouts });
      pair.peer.sendClose(code, 'so long');
      const said = { ...echoed(code, 'so long'), retry, level };
      await pair.closedAs({ states: byPeer, ...peerClose, ...said });
      await until(() => pair.peer.ended, 'FIN follows the echo');
      assert.deepEqual(pair.peer.closeFrame, sent(code, 'so long'));
      assert.equal(pair.peer.error, undefined);
    });
  }

  it('C01: an empty close frame is answered with an empty one, and is 1005', async () => {
    const pair = await connect({ timeouts });
    pair.peer.sendClose();
    const said = { ...echoed(1005), retry: 'backoff', level: 'info' } as const;
    await pair.closedAs({ states: byPeer, ...peerClose, ...said });
    await until(() => pair.peer.ended, 'FIN follows the echo');
    assert.deepEqual(pair.peer.closeFrame, sent(1005));
  });

  it('C01: a reason of 123 bytes arrives and is echoed whole', async () => {
    const reason = `${'ä'.repeat(61)}!`;
    const pair = await connect({ timeouts });
    pair.peer.sendClose(1001, reason);
    await pair.closedAs({ ...peerClose, ...echoed(1001, reason), level: 'info' });
    await until(() => pair.peer.ended, 'FIN follows the echo');
    assert.deepEqual(pair.peer.closeFrame, sent(1001, reason));
  });
});

describeBothSides('C01 and C02: a close frame that must not be sent', (connect) => {
  async function assertViolation(pair: Pair, code: number, errorCode: string): Promise<void> {
    const frame = violationFrame(code);
    const verdict = await pair.closedAs({ states: byError, ...protocolError, sent: frame });
    assert.equal((verdict.error as NodeJS.ErrnoException).code, errorCode);
    assert.deepEqual(pair.messages, []);
    await until(() => pair.peer.ended, 'FIN follows the close frame');
    assert.deepEqual(pair.peer.closeFrame, frame);
  }

  for (const code of forbiddenCodes) {
    it(`C01: ${code} is a protocol error, answered with 1002`, async () => {
      const pair = await connect({ timeouts });
      pair.peer.sendClose(code, 'so long');
      await assertViolation(pair, 1002, 'WS_ERR_INVALID_CLOSE_CODE');
    });
  }

  for (const [name, spec, errorCode] of malformedCloses) {
    it(`C02: ${name} is a protocol error, answered with 1002`, async () => {
      const pair = await connect({ timeouts });
      pair.peer.send({ opcode: opcode.close, ...spec });
      await assertViolation(pair, 1002, errorCode);
    });
  }

  it('C02: a wrong or missing mask is a protocol error', async () => {
    const pair = await connect({ timeouts });
    pair.peer.sendWronglyMasked({ opcode: opcode.close, payload: closePayload(1000, 'bye') });
    await assertViolation(pair, 1002, pair.maskError);
  });

  it('C02: a reason that is not UTF-8 is answered with 1007', async () => {
    const pair = await connect({ timeouts });
    pair.peer.sendClose(1000, Buffer.from([0xc3, 0x28]));
    await assertViolation(pair, 1007, 'WS_ERR_INVALID_UTF8');
  });
});

describeBothSides('closed by this side', (connect) => {
  for (const code of [1000, 1001, 1002, 1003, 1007, 1011, 1013, 1014, 3000, 4999]) {
    it(`close: ${code} is an ending of ours, so its level is info`, async () => {
      const pair = await connect({ timeouts });
      const done = pair.close(code, 'ours');
      await pair.peer.finishPolitely();
      await done;
      await pair.closedAs({ ...handshake, code, reason: 'ours', sent: sent(code, 'ours') });
      assert.deepEqual(pair.peer.closeFrame, sent(code, 'ours'));
    });
  }

  const reasons: readonly [string, string, string][] = [
    ['two-byte characters', 'ä'.repeat(100), 'ä'.repeat(61)],
    ['four-byte characters', '😀'.repeat(40), '😀'.repeat(30)],
    ['123 bytes and one', 'x'.repeat(124), 'x'.repeat(123)],
    ['a lone surrogate', 'broken \ud800', 'broken \ufffd'],
  ];
  for (const [name, reason, told] of reasons) {
    it(`C03: a reason of ${name} is cut to 123 bytes of UTF-8`, async () => {
      const pair = await connect({ timeouts });
      const done = pair.close(4000, reason);
      await pair.peer.finishPolitely();
      await done;
      await pair.closedAs({ ...handshake, code: 4000, reason: told, sent: sent(4000, told) });
      assert.deepEqual(pair.peer.closeFrame, sent(4000, told));
    });
  }
});
