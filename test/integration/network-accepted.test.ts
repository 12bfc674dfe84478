// Goal: which reports the application of a supervisor gets, and what it can do, when the network or the peer's
// process fails. Method: section D of the situations, as far as a client has no counterpart, on real sockets, with
// a raw peer.
import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import { type AcceptedOptions, AcceptedPair } from '../support/accepted-pair.ts';
import { byError, byPeer, opening, terminated } from '../support/closings.ts';
import { FrozenPeer } from '../support/frozen-peer.ts';
import { Service } from '../support/service.ts';
import { until } from '../support/until.ts';
import { lostToNetwork, plain } from '../support/verdicts.ts';

const timeouts = { closeMs: 300, erroredMs: 200, forcedMs: 200, stalledMs: 250 };
const { ended, reset, silent } = lostToNetwork;

let pair: AcceptedPair;

async function connect(options: AcceptedOptions = {}): Promise<AcceptedPair> {
  pair = await AcceptedPair.open({ timeouts, ...options });
  return pair;
}

const release = () => pair.end();

/** What was reported of the connection, in order. */
function reports({ service }: AcceptedPair): string[] {
  const types = service.events.map(({ type }) => type.split('.'));
  return types.flatMap(([subject, what = '']) => (subject === 'connection' ? [what] : []));
}

describe('D03 and D06 the peer is gone', () => {
  afterEach(release);

  it('D03: the application gets no report of a closing by the peer', async () => {
    const closings: unknown[] = [];
    const { peer } = await connect({ onClosing: (_, code) => closings.push(code) });
    peer.end();
    await pair.closedAs({ states: byPeer, ...ended });
    assert.deepEqual(closings, []);
  });

  it('D06: a send that fails is the first sign: quarantined before the socket errors', async () => {
    const { connection, peer, raw, service } = await connect();
    const order: string[] = [];
    raw.prependListener('error', () => order.push('socket'));
    service.supervisor.events$.subscribe(({ type }) => {
      if (type.startsWith('connection.')) order.push(type, connection.send('more'));
    });
    // The RST is in the kernel when this returns, and nobody has read the server's socket yet.
    peer.reset();
    assert.equal(connection.state, 'open');
    order.push(connection.send('into the void'));
    const { error } = await pair.closedAs({ states: byError, ...reset });
    assert.match((error as NodeJS.ErrnoException).code ?? '', /^(EPIPE|ECONNRESET)$/);
    assert.match(error?.message ?? '', /^write /);
    assert.deepEqual(order.slice(0, 3), ['connection.errored', 'refused', 'refused']);
  });
});

describe('D05 the peer stops reading', () => {
  afterEach(release);

  const limits = { outboxHighBytes: 200_000, outboxLowBytes: 100_000 };
  const block = 'x'.repeat(65_000);

  /** Lets the peer stop reading, and sends until no more is accepted. */
  async function congest(options: AcceptedOptions = {}): Promise<AcceptedPair> {
    const { connection, peer } = await connect({ limits, ...options });
    peer.pause();
    while (connection.send(block) !== 'refused');
    assert.ok(connection.states.includes('open.flow.congested'));
    return pair;
  }

  it('D05: is reported as congested, then as a closing that cannot be sent', async () => {
    const { service } = await congest();
    await service.when('connection.closed');
    assert.deepEqual(reports(pair), ['opened', 'congested', 'closing', 'closed']);
    const [closing] = service.of('connection.closing');
    assert.deepEqual(
      [closing?.origin, closing?.code, closing?.reason],
      ['local', 1013, 'too slow'],
    );
  });

  it('D05: a peer that reads on is reported as flowing', async () => {
    const { peer, service } = await congest({ timeouts: { ...timeouts, stalledMs: 20_000 } });
    peer.socket.resume();
    await service.when('connection.flowing');
    assert.deepEqual(reports(pair), ['opened', 'congested', 'flowing']);
  });

  it('D05: a congested socket that the host destroys never reports flowing first', async () => {
    const { connection, peer, raw, service } = await connect();
    peer.pause();
    connection.send('x'.repeat(2 ** 24));
    assert.ok(connection.states.includes('open.flow.congested'));
    raw.destroy();
    await pair.closedAs({
      states: byError,
      ...plain,
      code: 1006,
      reason: '',
      clean: false,
      origin: 'local',
      cause: 'taken-away',
      level: 'error',
    });
    assert.deepEqual(service.of('connection.flowing'), []);
  });

  it('D05: publications to a congested member are dropped and counted', async () => {
    const { connection, service } = await congest({
      timeouts: { ...timeouts, stalledMs: 10_000 },
    });
    const { delivered, dropped } = service.supervisor.topic('all').publish('x');
    assert.deepEqual({ delivered, dropped }, { delivered: 0, dropped: 1 });
    assert.equal(connection.droppedMessages, 1);
    assert.ok(connection.bufferedBytes < limits.outboxHighBytes + block.length + 100);
  });

  it('D05b: terminate with a backlog', async () => {
    const { connection } = await congest();
    connection.terminate();
    await pair.closedAs({ states: ['closing.forced', 'closing.reaping', 'closed'], ...terminated });
  });
});

describe('D08 the process of the peer', () => {
  let service: Service;
  let other: FrozenPeer;
  afterEach(async () => {
    await other.kill();
    await service.stop();
  });

  it('D08: SIGKILL is an end of TCP', async () => {
    service = await Service.start({ timeouts });
    other = await FrozenPeer.open(service.url);
    await other.kill();
    await service.closedAs({ states: [...opening, ...byPeer], ...ended });
  });

  it('D08b: the heartbeat finds SIGSTOP, and the verdict says so', async () => {
    const heartbeat = { intervalMs: 300, graceMs: 300 };
    service = await Service.start({ timeouts, heartbeat });
    other = await FrozenPeer.open(service.url);
    await other.freeze();
    await service.closedAs({ states: [...opening, ...byError], ...silent });
    assert.deepEqual(
      service.events.map(({ type }) => type),
      ['opened', 'suspect', 'errored', 'closed'].map((name) => `connection.${name}`),
    );
    other.thaw();
    await until(() => other.latest?.closed === 1, 'the peer notices when it wakes');
  });
});

describe('D09 timeouts of the raw socket', () => {
  afterEach(release);

  it('D09: a timeout that the host sets on the socket closes nothing', async () => {
    let timedOut = 0;
    const { connection, peer, raw } = await connect();
    raw.setTimeout(20).on('timeout', () => {
      timedOut += 1;
      raw.setTimeout(20);
    });
    await until(() => timedOut >= 3, 'the socket has timed out again and again');
    assert.equal(connection.state, 'open');
    peer.sendClose(1000);
    await pair.closedAs({ states: byPeer, code: 1000, cause: 'peer-close', level: 'info' });
  });
});
