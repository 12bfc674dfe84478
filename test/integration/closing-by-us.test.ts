import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import { WebSocket } from 'undici';
import { type Connection, createSupervisor, type SupervisorOptions } from '../../src/index.ts';
import { fillBacklog } from '../support/backlog.ts';
import {
  closedByHandshake,
  handshake,
  opening,
  closingTimeouts as timeouts,
} from '../support/closings.ts';
import { buildFrame, closePayload, opcode } from '../support/frames.ts';
import { RawPeer } from '../support/raw-peer.ts';
import { Service } from '../support/service.ts';
import { turns, until } from '../support/until.ts';
import { faultless, plain } from '../support/verdicts.ts';

const closedByForce = [...opening, 'closing.local', 'closing.forced', 'closing.reaping', 'closed'];

const abnormal = {
  ...plain,
  code: 1006,
  reason: '',
  origin: 'local',
  layer: 'tcp',
  clean: false,
  retry: 'backoff',
} as const;

const timedOut = { ...abnormal, ...faultless, cause: 'close-timeout', level: 'warn' } as const;
const terminated = { ...abnormal, ...faultless, cause: 'terminate', level: 'info' } as const;

let service: Service;
let peer: RawPeer;
let connection: Connection<unknown, unknown, unknown>;

async function connect(
  options: SupervisorOptions<unknown, unknown, unknown> = {},
  allowHalfOpen = false,
): Promise<void> {
  service = await Service.start({ timeouts, ...options });
  peer = await RawPeer.open(service.port, { allowHalfOpen });
  connection = await service.opened();
}

async function release(): Promise<void> {
  peer.destroy();
  await service.stop();
}

/** Sends until the kernel takes no more; the peer must have stopped reading. */
function fill(): Promise<void> {
  return fillBacklog(connection, 200_000);
}

describe('close', () => {
  afterEach(release);

  it('close: 1000 is sent, echoed and reported as ours', async () => {
    await connect();
    assert.equal(connection.close(), true);
    await peer.finishPolitely();
    await service.closedAs({
      states: closedByHandshake,
      ...handshake,
      code: 1000,
      reason: '',
      sent: { code: 1000, reason: '' },
      retry: 'never',
    });
    const [closing] = service.of('connection.closing');
    assert.deepEqual([closing?.origin, closing?.code], ['local', 1000]);
    assert.deepEqual(peer.closeFrame, { code: 1000, reason: '' });
  });

  for (const code of [1001, 1002, 1003, 1007, 1011, 1013, 1014, 3000, 4999]) {
    it(`close: ${code} is an ending of ours, so its level is info`, async () => {
      await connect();
      connection.close(code, 'ours');
      await peer.finishPolitely();
      await service.closedAs({
        states: closedByHandshake,
        ...handshake,
        code,
        reason: 'ours',
        sent: { code, reason: 'ours' },
      });
    });
  }
});

describe('C03 this side closes with what must not be sent', () => {
  afterEach(release);

  it('C03: a wrong code or reason throws, and the connection lives on', async () => {
    await connect();
    const close = connection.close.bind(connection) as (...args: unknown[]) => boolean;
    const codes = [0, 999, 1004, 1005, 1006, 1015, 1016, 2000, 2999, 5000, 65_536, -1000, 1000.5];
    for (const code of [...codes, Number.NaN, '1000', null, true, {}]) {
      assert.throws(() => close(code), { code: 'invalid-close' }, String(code));
    }
    for (const reason of [null, 1, Buffer.from('x'), {}]) {
      assert.throws(() => close(1000, reason), { code: 'invalid-close' }, String(reason));
    }
    assert.equal(connection.state, 'open');
    assert.equal(connection.send('still here'), 'sent');
    await until(() => peer.texts.length === 1, 'the message arrives');
    assert.equal(peer.closeFrame, undefined);
    connection.close(1000, 'now');
    await peer.finishPolitely();
    await service.closedAs({ states: closedByHandshake, ...handshake, sent: sent(1000, 'now') });
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
      connection.close(4000, reason);
      await peer.finishPolitely();
      await service.closedAs({ ...handshake, reason: told, sent: sent(4000, told) });
      assert.deepEqual(peer.closeFrame, { code: 4000, reason: told });
    });
  }
});

function sent(code: number, reason = '') {
  return { code, reason };
}

describe('C04, C05 the peer does not play its part', () => {
  afterEach(release);

  it('C04: silence after our close frame ends in a close-timeout', async () => {
    await connect();
    connection.close(1001, 'leaving');
    await until(() => peer.closeFrame !== undefined, 'our close frame arrives');
    assert.equal(peer.ended, false);
    const verdict = await service.closedAs({
      states: closedByForce,
      ...timedOut,
      sent: sent(1001, 'leaving'),
    });
    assert.ok(verdict.openMs >= timeouts.closeMs - 50, `forced early: ${verdict.openMs} ms`);
    await until(() => peer.ended, 'FIN arrives');
  });

  it('C04: a peer that goes on talking does not delay it', async () => {
    await connect();
    connection.close(1001);
    const talk = setInterval(() => peer.json('still talking'), 5);
    try {
      await service.closedAs({ states: closedByForce, ...timedOut, sent: sent(1001) });
    } finally {
      clearInterval(talk);
    }
    assert.deepEqual(service.messages, []);
  });

  it('C05: close frames are exchanged, no FIN comes: clean, lingered', async () => {
    await connect({}, true);
    connection.close(1001, 'leaving');
    await until(() => peer.closeFrame !== undefined, 'our close frame arrives');
    peer.sendClose(1001, 'leaving');
    const expected = { code: 1001, reason: 'leaving', sent: sent(1001, 'leaving') };
    await service.closedAs({ states: closedByForce, ...handshake, ...expected, lingered: true });
    await until(() => peer.ended, 'FIN arrives');
  });

  it('C05c: the frames cross and no FIN comes: simultaneous, clean, lingered', async () => {
    await connect({ onMessage: (side) => void side.close(4001) }, true);
    const message = { opcode: opcode.text, payload: '"close"' };
    const close = { opcode: opcode.close, payload: closePayload(4002) };
    peer.socket.write(Buffer.concat([message, close].map(buildFrame)));
    const expected = { code: 4002, sent: sent(4001), simultaneous: true, lingered: true } as const;
    await service.closedAs({ states: closedByForce, ...handshake, ...expected });
  });

  it('C05d: an empty echo and no FIN: clean, lingered, 1005', async () => {
    await connect({}, true);
    connection.close(1000);
    await until(() => peer.closeFrame !== undefined, 'our close frame arrives');
    peer.sendClose();
    // An empty frame may be the answer to ours or have crossed it: `simultaneous` is not looked at.
    await service.closedAs({
      code: 1005,
      sent: sent(1000),
      origin: 'local',
      layer: 'websocket',
      clean: true,
      cause: 'close',
      lingered: true,
      level: 'info',
    });
  });

  it('I13: the shortest closeMs gives no echo a chance, but the frame leaves', async () => {
    await connect({ timeouts: { ...timeouts, closeMs: 1 } });
    connection.close(1001, 'at once');
    await service.closedAs({ states: closedByForce, ...timedOut, sent: sent(1001, 'at once') });
    await until(() => peer.ended, 'FIN arrives');
    assert.deepEqual(peer.closeFrame, sent(1001, 'at once'));
  });

  it('I13: closeMs 0 is refused', async () => {
    await connect();
    assert.throws(() => createSupervisor({ timeouts: { closeMs: 0 } }), {
      code: 'invalid-options',
      message: /options\.timeouts\.closeMs/,
    });
  });
});

describe('C07 the peer talks on after our close', () => {
  afterEach(release);

  it('C07: messages are dropped and pings are not answered', async () => {
    await connect();
    connection.close(1000);
    peer.json('late');
    peer.send({ opcode: opcode.ping, payload: 'late' });
    await peer.finishPolitely();
    await service.closedAs({ states: closedByHandshake, ...handshake, sent: sent(1000) });
    assert.deepEqual(service.messages, []);
    assert.deepEqual(
      peer.frames.map((frame) => frame.opcode),
      [opcode.close],
    );
  });

  it('C07: a violation of the protocol after our close is told as such', async () => {
    await connect();
    connection.close(1000);
    peer.send({ opcode: opcode.text, payload: 'x', masked: false });
    const verdict = await service.closedAs({
      code: 1006,
      origin: 'local',
      layer: 'websocket',
      clean: false,
      cause: 'protocol-error',
      sent: sent(1000),
      level: 'error',
    });
    assert.equal((verdict.error as NodeJS.ErrnoException).code, 'WS_ERR_EXPECTED_MASK');
  });
});

describe('C08 closing again', () => {
  afterEach(release);

  it('C08: only the first close counts, and nothing does after the end', async () => {
    await connect();
    assert.deepEqual(
      [connection.close(4001), connection.close(4002), connection.close(), connection.fail('x')],
      [true, false, false, false],
    );
    await peer.finishPolitely();
    const expected = { code: 4001, sent: sent(4001) };
    await service.closedAs({ states: closedByHandshake, ...handshake, ...expected });
    assert.deepEqual(
      [connection.close(4003), connection.terminate(), connection.fail(new Error('late'))],
      [false, false, false],
    );
    assert.throws(() => connection.close(9999), { code: 'invalid-close' });
    assert.equal(connection.send('late'), 'refused');
    await turns(5);
    await service.closedAs({ states: closedByHandshake, ...handshake, ...expected });
    assert.equal(peer.frames.length, 1);
  });
});

describe('C09 terminate', () => {
  afterEach(release);

  it('C09: an open connection is gone at once; the peer sees FIN and no close frame', async () => {
    await connect();
    assert.equal(connection.terminate(), true);
    const states = [...opening, 'closing.forced', 'closing.reaping', 'closed'];
    await service.closedAs({ states, ...terminated });
    await until(() => peer.ended, 'FIN arrives');
    assert.deepEqual([peer.error, peer.closeFrame], [undefined, undefined]);
  });

  it('C09b: a closing connection is gone at once; what was sent stays sent', async () => {
    await connect();
    connection.close(1001, 'slowly');
    await until(() => peer.closeFrame !== undefined, 'our close frame arrives');
    assert.deepEqual([connection.terminate(), connection.terminate()], [true, true]);
    await service.closedAs({ states: closedByForce, ...terminated, sent: sent(1001, 'slowly') });
  });

  it("C09b: a connection that the peer closes keeps the peer's code", async () => {
    await connect({ onClosing: (closing) => closing.terminate() });
    peer.sendClose(4000, 'mine');
    await service.closedAs({
      states: [...opening, 'closing.peer', 'closing.forced', 'closing.reaping', 'closed'],
      code: 4000,
      reason: 'mine',
      origin: 'peer',
      layer: 'websocket',
      cause: 'peer-close',
      level: 'info',
    });
  });

  it('C09c: the close frame of the same tick still arrives', async () => {
    await connect();
    connection.close(1001, 'last word');
    connection.terminate();
    await service.closedAs({ states: closedByForce, ...terminated, sent: sent(1001, 'last word') });
    await until(() => peer.ended, 'FIN arrives');
    assert.deepEqual(peer.closeFrame, sent(1001, 'last word'));
  });

  it('E08b: fail, then terminate in the same tick: the cause is the failure', async () => {
    await connect();
    const error = new Error('no database');
    connection.fail(error);
    connection.terminate();
    await service.closedAs({
      states: [...opening, 'errored', 'closing.forced', 'closing.reaping', 'closed'],
      ...abnormal,
      cause: 'fail',
      error,
      sent: sent(1011),
      level: 'error',
    });
    await until(() => peer.ended, 'FIN arrives');
    assert.deepEqual(peer.closeFrame, sent(1011));
  });

  it('C09d: unread input turns FIN into RST for the peer, and changes nothing here', async () => {
    let settle = () => {};
    const welcome = new Promise<void>((resolve) => {
      settle = resolve;
    });
    await connect({ onOpen: () => welcome });
    peer.json('x'.repeat(1_000_000));
    await until(() => peer.socket.writableLength === 0, 'the kernel holds it');
    connection.terminate();
    settle();
    const states = [...opening, 'closing.forced', 'closing.reaping', 'closed'];
    await service.closedAs({ states, ...terminated });
    await until(() => peer.closed, 'the peer is told');
    assert.equal(peer.error?.code, 'ECONNRESET');
    assert.deepEqual(service.messages, []);
  });
});

describe('C10, C11 close behind a backlog', () => {
  afterEach(release);

  it('C10: the peer takes nothing: close-timeout, and the frame that never left is not sent', async () => {
    await connect();
    peer.pause();
    await fill();
    connection.close(1001, 'behind it all');
    await service.closedAs({ states: closedByForce, ...timedOut });
    peer.socket.resume();
    await until(() => peer.closed, 'the peer is let go');
  });

  it('C10: the peer takes it all in time: a clean handshake', async () => {
    await connect({ timeouts: { ...timeouts, closeMs: 10_000 } });
    peer.pause();
    await fill();
    connection.close(1001, 'behind it all');
    peer.socket.resume();
    await peer.finishPolitely();
    const expected = { code: 1001, sent: sent(1001, 'behind it all') };
    await service.closedAs({ states: closedByHandshake, ...handshake, ...expected });
  });

  it('C10: the peer resets: the frame that never left is not sent', async () => {
    await connect();
    peer.pause();
    await fill();
    connection.close(1001, 'behind it all');
    peer.reset();
    const verdict = await service.closedAs({
      states: closedByHandshake,
      ...abnormal,
      cause: 'close',
      level: 'info',
    });
    assert.match((verdict.error as NodeJS.ErrnoException).code ?? '', /^(ECONNRESET|EPIPE)$/);
  });

  it('C11: what was sent before close arrives before the close frame', async () => {
    await connect();
    const messages = Array.from({ length: 50 }, (_, index) => `message ${index}`);
    for (const message of messages) connection.send(message);
    connection.close(1000, 'done');
    await peer.finishPolitely();
    await service.closedAs({ states: closedByHandshake, ...handshake, sent: sent(1000, 'done') });
    assert.deepEqual(
      peer.texts.map((text) => JSON.parse(text)),
      messages,
    );
    assert.equal(peer.frames.at(-1)?.opcode, opcode.close);
  });

  it('C11: compression is not negotiated when it is offered', async () => {
    service = await Service.start({ timeouts });
    const offer = 'permessage-deflate; client_max_window_bits, permessage-deflate';
    peer = await RawPeer.open(service.port, { headers: { 'Sec-WebSocket-Extensions': offer } });
    connection = await service.opened();
    assert.doesNotMatch(peer.answer, /extensions|deflate/i);
    connection.send('x'.repeat(10_000));
    await until(() => peer.texts.length === 1, 'the message arrives uncompressed');
    assert.equal(peer.texts[0]?.length, 10_002);
    connection.close(1000);
    await peer.finishPolitely();
    await service.closedAs({ states: closedByHandshake, ...handshake, sent: sent(1000) });
  });
});

describe('closing in odd places, with other peers', () => {
  afterEach(() => service.stop());

  it('I07: close(1013) in onOpen is a clean close', async () => {
    const options = { onOpen: (opened: typeof connection) => void opened.close(1013, 'full') };
    service = await Service.start({ timeouts, ...options });
    peer = await RawPeer.open(service.port);
    await peer.finishPolitely();
    const expected = { code: 1013, reason: 'full', sent: sent(1013, 'full') };
    await service.closedAs({ states: closedByHandshake, ...handshake, ...expected });
  });

  it('I10d: undici echoes the code without the reason, which stays in sent', async () => {
    service = await Service.start({ timeouts });
    const client = new WebSocket(service.url);
    const seen: unknown[] = [];
    client.addEventListener('close', ({ code, reason, wasClean }) =>
      seen.push(code, reason, wasClean),
    );
    (await service.opened()).close(1012, 'restart');
    await service.closedAs({
      states: closedByHandshake,
      ...handshake,
      code: 1012,
      reason: '',
      sent: sent(1012, 'restart'),
      retry: 'backoff',
    });
    await until(() => seen.length > 0, 'the client is told');
    assert.deepEqual(seen, [1012, 'restart', true]);
  });
});
