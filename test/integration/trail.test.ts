// Goal: after the end you can reconstruct what happened to a socket. Method: end connections in every common way, on
// real sockets, and read the trail of the verdict or failure.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { afterEach, describe, it } from 'node:test';
import type { CloseVerdict, LogLine, Trail } from '../../src/index.ts';
import { describeBothSides } from '../support/both-sides.ts';
import { Dialing } from '../support/dialing.ts';
import { closePayload, opcode } from '../support/frames.ts';
import type { Pair, PairOptions } from '../support/pair.ts';
import { RawPeer } from '../support/raw-peer.ts';
import { Service } from '../support/service.ts';
import { until } from '../support/until.ts';

const timeouts = { closeMs: 150, erroredMs: 150, forcedMs: 150, stalledMs: 150 };

interface Situation {
  readonly options?: PairOptions;
  readonly happens: (pair: Pair) => unknown;
  readonly cause: CloseVerdict['cause'];
  /** The facts after those of opening. */
  readonly facts: readonly string[];
}

const situations: Readonly<Record<string, Situation>> = {
  'the peer ends TCP': {
    happens: ({ peer }) => peer.end(),
    cause: 'tcp-fin',
    facts: ['socket.ended'],
  },
  'the network resets it': {
    happens: ({ peer }) => peer.reset(),
    cause: 'tcp-reset',
    facts: ['socket.errored'],
  },
  'the peer closes': {
    happens: ({ peer }) => peer.send({ opcode: opcode.close, payload: closePayload(1000) }),
    cause: 'peer-close',
    facts: ['peer.closing'],
  },
  'the peer falls silent': {
    options: { heartbeat: { intervalMs: 100, graceMs: 100 } },
    happens: ({ peer }) => peer.pause(),
    cause: 'heartbeat-timeout',
    facts: ['heartbeat.missed', 'heartbeat.lost'],
  },
  'the peer does not read': {
    options: { limits: { outboxHighBytes: 200_000, outboxLowBytes: 100_000 } },
    happens(pair) {
      pair.peer.pause();
      while (pair.send('x'.repeat(65_000)) !== 'refused');
    },
    cause: 'slow-consumer',
    facts: ['outbox.filled', 'outbox.stalled', 'deadline.passed'],
  },
  'the peer breaks the protocol': {
    happens: ({ peer }) => peer.send({ opcode: 0x3, payload: '' }),
    cause: 'protocol-error',
    facts: ['protocol.violated'],
  },
  'the peer does not answer a close frame': {
    happens: (pair) => void pair.close(1001),
    cause: 'close-timeout',
    facts: ['close.requested', 'deadline.passed'],
  },
};

const factsOf = (trail: Trail) => trail.map(({ fact }) => fact);

/** The last facts of an open connection, whatever ended it. */
const gone = ['socket.closed', 'websocket.closed'];

/** Times increase, from the beginning of the test until now. */
function assertTimes(trail: Trail, beganAtMs: number): void {
  const times = trail.map(({ atMs }) => atMs);
  assert.deepEqual(
    times,
    [...times].sort((a, b) => a - b),
  );
  for (const atMs of times) assert.ok(atMs >= beganAtMs - 2 && atMs <= Date.now() + 2, `${atMs}`);
}

describeBothSides('the trail records when things happened', (connect) => {
  for (const [title, { options, happens, cause, facts }] of Object.entries(situations)) {
    it(title, async () => {
      const beganAtMs = Date.now();
      const pair = await connect({ timeouts, ...options });
      happens(pair);
      const { trail } = await pair.closedAs({ cause });
      assert.deepEqual(factsOf(trail).slice(1), [
        'socket.opened',
        'welcome.settled',
        ...facts,
        ...gone,
      ]);
      assertTimes(trail, beganAtMs);
    });
  }
});

describe('the trail of an accepted connection', () => {
  let service: Service;
  afterEach(() => service.stop());

  it('records that a handler threw, and so does its log line', async () => {
    service = await Service.start({
      onOpen() {
        throw new Error('boom');
      },
    });
    const peer = await RawPeer.open(service.port);
    peer.send({ opcode: opcode.close, payload: closePayload(1011) });
    const { verdict } = await service.when('connection.closed');
    assert.equal(verdict.cause, 'handler-error');
    assert.deepEqual(factsOf(verdict.trail).slice(0, 3), [
      'admission.granted',
      'socket.opened',
      'handler.errored',
    ]);
    const { fields } = service.logLines().at(-1) as LogLine;
    assert.match(String(fields['trail']), /^-?[\d.]+s admission\.granted, .*handler\.errored/);
  });

  it('has the last 16 facts of a connection that had many', async () => {
    service = await Service.start();
    const peer = await RawPeer.open(service.port);
    const connection = await service.opened();
    for (let times = 0; times < 20; times += 1) {
      connection.pause();
      connection.resume();
    }
    peer.end();
    const { verdict } = await service.when('connection.closed');
    const paused = Array.from({ length: 13 }, (_, index) =>
      index % 2 === 0 ? 'reading.resumed' : 'reading.paused',
    );
    assert.deepEqual(factsOf(verdict.trail), [...paused, 'socket.ended', ...gone]);
  });

  it('records that it was refused', async () => {
    service = await Service.start({ authenticate: () => false });
    const peer = await RawPeer.connect(service.port);
    peer.request();
    const { failure } = await service.when('connection.failed');
    assert.deepEqual(factsOf(failure.trail), ['admission.refused']);
  });

  it('records that the client left before it was admitted', async () => {
    service = await Service.start({ authenticate: () => new Promise(() => {}) });
    const peer = await RawPeer.connect(service.port);
    peer.request();
    await until(() => service.supervisor.counts.handshaking === 1, 'it comes');
    peer.socket.end();
    const { failure } = await service.when('connection.failed');
    assert.deepEqual(factsOf(failure.trail), ['peer.abandoned']);
  });

  it('records that the handshake did not complete in time', async () => {
    service = await Service.start({
      timeouts: { handshakeMs: 100 },
      authenticate: () => new Promise(() => {}),
    });
    const peer = await RawPeer.connect(service.port);
    peer.request();
    const { failure } = await service.when('connection.failed');
    assert.equal(failure.cause, 'handshake-timeout');
    assert.deepEqual(factsOf(failure.trail), ['deadline.passed']);
  });
});

describe('the trail of an attempt', () => {
  it('records that nobody listens', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    await new Promise((resolve) => server.close(resolve));
    const dialing = new Dialing(`ws://127.0.0.1:${port}/`);
    const ending = await dialing.firstEnding();
    await dialing.client.close();
    assert.ok(ending.outcome === 'failed');
    assert.equal(ending.failure.cause, 'tcp-refused');
    assert.deepEqual(factsOf(ending.failure.trail), ['dial.requested', 'socket.errored']);
  });
});
