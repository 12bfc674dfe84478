import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import { afterEach, describe, it } from 'node:test';
import { type Connection, jsonCodec, type SupervisorOptions } from '../../src/index.ts';
import { fillBacklog } from '../support/backlog.ts';
import { opcode } from '../support/frames.ts';
import { RawPeer } from '../support/raw-peer.ts';
import { Service } from '../support/service.ts';
import { until } from '../support/until.ts';
import { faultless, plain, protocolError } from '../support/verdicts.ts';

const timeouts = { closeMs: 300, erroredMs: 200, forcedMs: 200, stalledMs: 250 };
const limits = { outboxHighBytes: 200_000, outboxLowBytes: 100_000 };
const opening = ['handshaking.admitting', 'handshaking.upgrading', 'open'];
const closedByError = [...opening, 'errored', 'closing.reaping', 'closed'];
const expiredError = [...opening, 'errored', 'closing.forced', 'closing.reaping', 'closed'];
const expiredClose = [...opening, 'closing.local', 'closing.forced', 'closing.reaping', 'closed'];
const block = 'x'.repeat(65_000);

const abnormal = { ...plain, code: 1006, reason: '', clean: false } as const;

let service: Service;
let peer: RawPeer;
let connection: Connection<unknown, unknown, unknown>;

async function connect(
  options: SupervisorOptions<unknown, unknown, unknown> = {},
  allowHalfOpen = false,
): Promise<void> {
  service = await Service.start({ timeouts, limits, ...options });
  peer = await RawPeer.open(service.port, { allowHalfOpen });
  connection = await service.opened();
}

async function release(): Promise<void> {
  peer.destroy();
  await service.stop();
}

/** Lets the peer stop reading, and sends until something has to wait in this process. */
function backlog(): Promise<void> {
  peer.pause();
  return fillBacklog(connection, 100_000);
}

/** Lets the peer stop reading, and sends until no more is accepted; returns how many were. */
function congest(): number {
  let accepted = 0;
  peer.pause();
  while (connection.send(block) !== 'refused') accepted += 1;
  return accepted;
}

describe('D04 the peer ends while it leaves our backlog unread', () => {
  afterEach(release);

  it('D04: the socket is destroyed when the time for closing is up', async () => {
    await connect({}, true);
    await backlog();
    peer.end();
    await until(() => connection.state === 'closing', 'the end is seen');
    assert.deepEqual([connection.close(), connection.send('late')], [false, 'refused']);
    const verdict = await service.closedAs({
      states: [...opening, 'closing.peer', 'closing.forced', 'closing.reaping', 'closed'],
      ...abnormal,
      ...faultless,
      origin: 'network',
      layer: 'tcp',
      cause: 'tcp-fin-backlog',
      retry: 'backoff',
      level: 'warn',
    });
    assert.ok(verdict.openMs >= timeouts.closeMs - 50, `forced early: ${verdict.openMs} ms`);
  });

  it('D04: a close frame of the peer whose echo cannot leave is no clean close', async () => {
    await connect({}, true);
    await backlog();
    peer.sendClose(1000, 'impatient');
    await service.closedAs({
      states: [...opening, 'closing.peer', 'closing.forced', 'closing.reaping', 'closed'],
      ...faultless,
      code: 1000,
      reason: 'impatient',
      origin: 'peer',
      layer: 'websocket',
      clean: false,
      cause: 'peer-close',
      retry: 'never',
      level: 'info',
    });
  });
});

const slow = { ...faultless, origin: 'local', cause: 'slow-consumer', level: 'warn' } as const;

describe('D05 the peer stops reading', () => {
  afterEach(release);

  it('D05: congested, stalled, closed with 1013 that cannot leave', async () => {
    await connect();
    congest();
    assert.ok(connection.states.includes('open.flow.congested'));
    assert.equal(connection.state, 'open');
    await service.closedAs({
      states: expiredClose,
      ...abnormal,
      ...slow,
      layer: 'tcp',
      retry: 'backoff',
    });
    const told = service.events.map(({ type }) => type.replace('connection.', ''));
    assert.deepEqual(told, ['opened', 'congested', 'closing', 'closed']);
    const [closing] = service.of('connection.closing');
    assert.deepEqual(
      [closing?.origin, closing?.code, closing?.reason],
      ['local', 1013, 'too slow'],
    );
  });

  it('D05: a congested socket that the host destroys does not flow again first', async () => {
    let raw: Socket | undefined;
    await connect({
      authenticate: (request) => {
        raw = request.socket;
        return 'somebody';
      },
    });
    peer.pause();
    connection.send('x'.repeat(2 ** 24));
    assert.ok(connection.states.includes('open.flow.congested'));
    raw?.destroy();
    await service.closedAs({
      states: closedByError,
      ...abnormal,
      origin: 'local',
      cause: 'taken-away',
      level: 'error',
    });
    assert.deepEqual(service.of('connection.flowing'), []);
  });

  it('D05: what is published to a congested member is dropped and counted', async () => {
    await connect({ timeouts: { ...timeouts, stalledMs: 10_000 } });
    connection.join('all');
    congest();
    const { delivered, dropped } = service.supervisor.topic('all').publish('x');
    assert.deepEqual({ delivered, dropped }, { delivered: 0, dropped: 1 });
    assert.equal(connection.droppedMessages, 1);
    assert.ok(connection.bufferedBytes < limits.outboxHighBytes + block.length + 100);
  });

  it('D05: a peer that reads on flows again; nothing that was accepted is lost', async () => {
    await connect({ timeouts: { ...timeouts, stalledMs: 10_000 } });
    const accepted = congest();
    peer.socket.resume();
    await service.when('connection.flowing');
    assert.notEqual(connection.send('after'), 'refused');
    await until(() => peer.texts.length === accepted + 1, 'every message arrives');
    assert.equal(peer.texts.at(-1), '"after"');
    assert.equal(connection.state, 'open');
  });

  it('D05: a stalled peer that reads on while we close ends with a handshake', async () => {
    await connect({ timeouts: { ...timeouts, closeMs: 10_000 } });
    congest();
    await service.when('connection.closing');
    peer.socket.resume();
    await peer.finishPolitely();
    await service.closedAs({
      states: [...opening, 'closing.local', 'closing.reaping', 'closed'],
      ...slow,
      code: 1013,
      reason: 'too slow',
      sent: { code: 1013, reason: 'too slow' },
      layer: 'websocket',
      clean: true,
    });
  });

  it('D05b: terminate with a backlog', async () => {
    await connect();
    congest();
    connection.terminate();
    await service.closedAs({
      states: [...opening, 'closing.forced', 'closing.reaping', 'closed'],
      ...abnormal,
      ...faultless,
      origin: 'local',
      layer: 'tcp',
      cause: 'terminate',
      level: 'info',
    });
  });

  it('D05c: RST with a backlog', async () => {
    await connect();
    congest();
    peer.reset();
    const verdict = await service.closedAs({
      states: closedByError,
      ...abnormal,
      origin: 'network',
      layer: 'tcp',
      cause: 'tcp-reset',
      level: 'warn',
    });
    assert.match((verdict.error as NodeJS.ErrnoException).code ?? '', /^(ECONNRESET|EPIPE)$/);
  });
});

describe('D12 a message that cannot be sent', () => {
  afterEach(release);

  it('D12: a codec that makes something else than text or bytes is told so at once', async () => {
    const encode = () => new Blob(['late']) as unknown as Uint8Array;
    await connect({ codec: { ...jsonCodec(), encode } });
    assert.throws(() => connection.send('x'), { code: 'unencodable-message' });
    assert.equal(connection.state, 'open');
    peer.sendClose(1000);
    await service.closedAs({ code: 1000, clean: true, level: 'info' });
    assert.deepEqual(peer.texts, []);
  });
});

describe('D14 the peer breaks the protocol and stays', () => {
  afterEach(release);

  /** Breaks the protocol, and asserts that the socket is destroyed after the short deadline of errors. */
  async function assertExpires(expected: { sent?: { code: number; reason: string } }) {
    peer.send({ opcode: opcode.text, payload: 'x', masked: false });
    await service.when('connection.errored');
    const erroredAt = performance.now();
    const verdict = await service.closedAs({ states: expiredError, ...protocolError, ...expected });
    const tookMs = performance.now() - erroredAt;
    assert.ok(tookMs >= timeouts.erroredMs - 50, `forced early: ${tookMs} ms`);
    assert.equal((verdict.error as NodeJS.ErrnoException).code, 'WS_ERR_EXPECTED_MASK');
    assert.deepEqual(service.of('connection.closing'), []);
  }

  it('D14: it never ends its side', async () => {
    await connect({ timeouts: { ...timeouts, closeMs: 20_000 } }, true);
    await assertExpires({ sent: { code: 1002, reason: '' } });
    assert.deepEqual(peer.closeFrame, { code: 1002, reason: '' });
  });

  it('D14b: it goes on streaming', async () => {
    await connect({ timeouts: { ...timeouts, closeMs: 20_000 } }, true);
    const stream = setInterval(() => peer.json('more'), 2);
    try {
      await assertExpires({ sent: { code: 1002, reason: '' } });
    } finally {
      clearInterval(stream);
    }
    assert.deepEqual(service.messages, []);
  });

  it('D14c: it reads nothing, so the close frame never leaves and is not sent', async () => {
    await connect({ timeouts: { ...timeouts, closeMs: 20_000 } });
    await backlog();
    await assertExpires({});
  });
});
