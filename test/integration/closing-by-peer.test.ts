import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import type { SupervisorOptions } from '../../src/index.ts';
import {
  closeMeanings,
  forbiddenCodes,
  malformedCloses,
  opening,
  closingTimeouts as timeouts,
} from '../support/closings.ts';
import { buildFrame, closePayload, opcode } from '../support/frames.ts';
import { RawPeer } from '../support/raw-peer.ts';
import { Service } from '../support/service.ts';
import { until } from '../support/until.ts';
import { echoed, faultless, protocolError, violationFrame } from '../support/verdicts.ts';

const closedByPeer = [...opening, 'closing.peer', 'closing.reaping', 'closed'];
const closedByError = [...opening, 'errored', 'closing.reaping', 'closed'];

const peerClose = {
  ...faultless,
  origin: 'peer',
  layer: 'websocket',
  clean: true,
  cause: 'peer-close',
} as const;

let service: Service;
let peer: RawPeer;

async function connect(options: SupervisorOptions<unknown, unknown, unknown> = {}): Promise<void> {
  service = await Service.start({ timeouts, ...options });
  peer = await RawPeer.open(service.port);
}

async function release(): Promise<void> {
  peer.destroy();
  await service.stop();
}

describe('C01 the peer closes', () => {
  afterEach(release);

  for (const [code, level, retry] of closeMeanings) {
    it(`C01: ${code} is echoed and reported as the peer's, level ${level}`, async () => {
      const closings: string[] = [];
      await connect({ onClosing: (_, ...frame) => closings.push(frame.join(' ')) });
      peer.sendClose(code, 'so long');
      await service.closedAs({
        states: closedByPeer,
        ...peerClose,
        ...echoed(code, 'so long'),
        retry,
        level,
      });
      assert.deepEqual(closings, [`${code} so long`]);
      assert.deepEqual(peer.closeFrame, { code, reason: 'so long' });
      await until(() => peer.ended, 'FIN follows the echo');
      assert.equal(peer.error, undefined);
    });
  }

  it('C01: an empty close frame is answered with an empty one and reported as 1005', async () => {
    await connect();
    peer.sendClose();
    await service.closedAs({
      states: closedByPeer,
      ...peerClose,
      ...echoed(1005, ''),
      retry: 'backoff',
      level: 'info',
    });
    assert.deepEqual(peer.closeFrame, { code: 1005, reason: '' });
  });

  it('C01: a reason of 123 bytes arrives and is echoed whole', async () => {
    const reason = `${'ä'.repeat(61)}!`;
    await connect();
    peer.sendClose(1000, reason);
    await service.closedAs({ ...peerClose, ...echoed(1000, reason), level: 'info' });
    assert.deepEqual(peer.closeFrame, { code: 1000, reason });
  });

  it('C01: closing is told with the code of the peer, when nothing can be sent any more', async () => {
    const answers: unknown[] = [];
    await connect({ onClosing: (connection) => answers.push(connection.send('late')) });
    peer.sendClose(1001, 'moving');
    await service.closedAs({ ...peerClose, ...echoed(1001, 'moving'), level: 'info' });
    const closing = service.of('connection.closing').map(({ origin, code, reason }) => {
      return { origin, code, reason };
    });
    assert.deepEqual(closing, [{ origin: 'peer', code: 1001, reason: 'moving' }]);
    assert.deepEqual(answers, ['refused']);
    assert.deepEqual(peer.texts, []);
  });
});

/** Asserts that the peer's mistake was answered with `code` and told once, with ws's name for it. */
async function assertViolation(code: number, errorCode: string): Promise<void> {
  const verdict = await service.closedAs({
    states: closedByError,
    ...protocolError,
    sent: violationFrame(code),
  });
  assert.equal((verdict.error as NodeJS.ErrnoException).code, errorCode);
  assert.deepEqual(
    service.of('connection.errored').map(({ cause, error }) => [cause, error]),
    [['protocol-error', verdict.error]],
  );
  assert.deepEqual(service.of('connection.closing'), []);
  assert.deepEqual(service.messages, []);
  assert.deepEqual(peer.closeFrame, violationFrame(code));
  await until(() => peer.ended, 'FIN follows the close frame');
}

describe('C01 the peer closes with a code that must not be sent', () => {
  afterEach(release);

  for (const code of forbiddenCodes) {
    it(`C01: ${code} is a protocol error, answered with 1002`, async () => {
      await connect();
      peer.sendClose(code, 'so long');
      await assertViolation(1002, 'WS_ERR_INVALID_CLOSE_CODE');
    });
  }
});

describe('C02 the close frame of the peer is malformed', () => {
  afterEach(release);

  const unmasked = { payload: closePayload(1000, 'bye'), masked: false };
  const variants = [...malformedCloses, ['no mask', unmasked, 'WS_ERR_EXPECTED_MASK'] as const];
  for (const [name, spec, errorCode] of variants) {
    it(`C02: ${name} is a protocol error, answered with 1002`, async () => {
      await connect();
      peer.send({ opcode: opcode.close, ...spec });
      await assertViolation(1002, errorCode);
    });
  }

  it('C02: a reason that is not UTF-8 is answered with 1007', async () => {
    await connect();
    peer.sendClose(1000, Buffer.from([0xc3, 0x28]));
    await assertViolation(1007, 'WS_ERR_INVALID_UTF8');
  });
});

describe('C05 the peer closes and then keeps TCP', () => {
  afterEach(release);

  it('C05b: close frames are exchanged, no FIN comes: clean, lingered', async () => {
    service = await Service.start({ timeouts });
    peer = await RawPeer.open(service.port, { allowHalfOpen: true });
    peer.sendClose(1001, 'asleep');
    const verdict = await service.closedAs({
      states: [...opening, 'closing.peer', 'closing.forced', 'closing.reaping', 'closed'],
      ...peerClose,
      ...echoed(1001, 'asleep'),
      lingered: true,
      retry: 'backoff',
      level: 'info',
    });
    assert.deepEqual(peer.closeFrame, { code: 1001, reason: 'asleep' });
    assert.ok(verdict.openMs >= timeouts.closeMs - 50, `forced early: ${verdict.openMs} ms`);
  });

  it('C05: an empty close frame and no FIN: clean, lingered, 1005', async () => {
    service = await Service.start({ timeouts });
    peer = await RawPeer.open(service.port, { allowHalfOpen: true });
    peer.sendClose();
    await service.closedAs({ ...peerClose, ...echoed(1005), lingered: true, level: 'info' });
  });
});

describe('C06b this side closes after the peer did', () => {
  afterEach(release);

  it('C06b: close(4000) after 1000 of the peer changes nothing and says so', async () => {
    const answers: boolean[] = [];
    await connect({
      onClosing: (connection) => {
        answers.push(connection.close(4000, 'too late'), connection.fail(new Error('too late')));
      },
    });
    peer.sendClose(1000, 'first');
    await service.closedAs({
      states: closedByPeer,
      ...peerClose,
      ...echoed(1000, 'first'),
      retry: 'never',
      level: 'info',
    });
    assert.deepEqual(answers, [false, false]);
    assert.deepEqual(peer.closeFrame, { code: 1000, reason: 'first' });
  });
});

describe('C07b data follows the close frame of the peer', () => {
  afterEach(release);

  it('C07b: what follows in the same packet is ignored', async () => {
    await connect();
    const frames = [
      { opcode: opcode.close, payload: closePayload(1000, 'bye') },
      { opcode: opcode.text, payload: '"late"' },
      { opcode: opcode.ping, payload: 'late' },
    ];
    peer.socket.write(Buffer.concat(frames.map(buildFrame)));
    await service.closedAs({
      states: closedByPeer,
      ...peerClose,
      ...echoed(1000, 'bye'),
      level: 'info',
    });
    assert.deepEqual(service.messages, []);
    assert.deepEqual(
      peer.frames.map((frame) => frame.opcode),
      [opcode.close],
    );
  });

  it('C07b: what follows later is ignored', async () => {
    service = await Service.start({ timeouts });
    peer = await RawPeer.open(service.port, { allowHalfOpen: true });
    peer.sendClose(4001, 'bye');
    await until(() => peer.closeFrame !== undefined, 'the echo arrives');
    peer.text('"late"');
    peer.socket.end(buildFrame({ opcode: opcode.text, payload: '"last"' }));
    await service.closedAs({ ...peerClose, ...echoed(4001, 'bye'), level: 'info' });
    assert.deepEqual(service.messages, []);
  });
});
