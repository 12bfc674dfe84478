// Goal: whatever the network or the peer's process does to a dialed connection, the client reconnects, and keeps
// the messages that it gets meanwhile. Method: section D of the situations, as far as an accepted connection has no
// counterpart, on real sockets, with a raw server.
import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import type { NodeClientOptions } from '../../src/client/index.ts';
import { fillBacklog } from '../support/backlog.ts';
import { byError } from '../support/closings.ts';
import { type DialedOptions, DialedPair } from '../support/dialed-pair.ts';
import { Dialing } from '../support/dialing.ts';
import { opcode } from '../support/frames.ts';
import { FrozenService } from '../support/frozen-peer.ts';
import { until } from '../support/until.ts';
import { lostToNetwork } from '../support/verdicts.ts';

const timeouts = { closeMs: 300, erroredMs: 200, forcedMs: 200, stalledMs: 250 };

let pair: DialedPair;

async function connect(options: DialedOptions = {}): Promise<void> {
  pair = await DialedPair.open({ timeouts, ...options });
}

const release = () => pair.end();

describe('client: after each of these', () => {
  afterEach(release);

  const faults: Readonly<Record<string, () => void>> = {
    'D01: RST': () => pair.host.reset(),
    'D03: FIN': () => pair.host.end(),
    'D02: RST mid-frame': () => {
      const bytes = pair.host.frame({ opcode: opcode.text, payload: '"never whole"' });
      pair.host.socket.write(bytes.subarray(0, 5));
      pair.host.reset();
    },
    'D06: a send that fails': () => {
      pair.host.reset();
      pair.client.send('into the void');
    },
  };
  for (const [title, happen] of Object.entries(faults)) {
    it(`${title}: it reconnects, and messages sent meanwhile arrive there, in order`, async () => {
      await connect({ backoff: { minMs: 20, maxMs: 40 } });
      happen();
      await until(() => pair.dialing.endings.length === 1, 'it has ended');
      const results = ['one', 'two'].map((message) => pair.client.send(message));
      await until(() => pair.hosts[1]?.texts.at(-1) === '"two"', 'it has reconnected');
      assert.deepEqual(results, ['queued', 'queued']);
      assert.deepEqual(pair.hosts[1]?.texts.slice(-2), ['"one"', '"two"']);
      pair.hosts[1]?.json('welcome back');
      await until(() => pair.dialing.messages.length === 1, 'it receives again');
      assert.deepEqual(
        [pair.client.status.attempts, pair.server.visits, pair.dialing.endings.length],
        [2, 2, 1],
      );
    });
  }
});

describe('client, D04 and D05: messages behind a backlog', () => {
  afterEach(release);

  it('D04: sendAndFlush reports what was lost when the peer ends', async () => {
    await connect({ limits: { outboxHighBytes: 4_000_000 }, lingers: true });
    pair.host.pause();
    await fillBacklog(pair, 200_000);
    const flushed = pair.client.connection?.sendAndFlush('behind it all');
    pair.host.end();
    assert.equal(await flushed, 'lost');
  });

  it('D05: a peer that reads on gets every accepted message, then the waiting ones', async () => {
    const limits = { outboxHighBytes: 200_000, outboxLowBytes: 100_000 };
    await connect({ limits, timeouts: { ...timeouts, stalledMs: 20_000 } });
    let taken = 0;
    pair.host.pause();
    while (pair.send('x'.repeat(65_000)) !== 'refused') taken += 1;
    assert.equal(pair.client.send('after'), 'queued');
    pair.host.socket.resume();
    await until(() => pair.host.texts.length === taken + 1, 'every message arrives');
    assert.equal(pair.host.texts.at(-1), '"after"');
    assert.equal(pair.client.status.state, 'up');
  });
});

describe('client, D06: it sends after the peer is gone', () => {
  afterEach(release);

  it('D06: a send that fails is the first sign: nothing more is tried, the message waits', async () => {
    await connect();
    const order: string[] = [];
    pair.raw.prependListener('error', () => order.push('socket'));
    const told = () => order.push(`ended, then ${pair.client.send('more', { queue: false })}`);
    pair.client.endings$.subscribe(told);
    // The RST is in the kernel when this returns, and nobody has read the client's socket yet.
    pair.host.reset();
    assert.equal(pair.client.status.state, 'up');
    order.push(pair.client.send('into the void'));
    assert.equal(pair.client.send('more', { queue: false }), 'refused');
    const { error } = await pair.closedAs({ states: byError, ...lostToNetwork.reset });
    assert.match((error as NodeJS.ErrnoException).code ?? '', /^(EPIPE|ECONNRESET)$/);
    assert.match(error?.message ?? '', /^write /);
    assert.deepEqual(order, ['queued', 'socket', 'ended, then refused']);
    assert.equal(pair.client.queuedMessages, 2, 'the one that failed, and the late one');
  });
});

describe('client, D08: the process of the peer', () => {
  let other: FrozenService;
  let dialing: Dialing;

  afterEach(async () => {
    other.thaw();
    await other.kill();
    await dialing.client.close();
  });

  async function dial(options: NodeClientOptions = {}): Promise<void> {
    other = await FrozenService.start({ intervalMs: 20_000, graceMs: 20_000 });
    const backoff = { minMs: 60_000, maxMs: 60_000 };
    const url = `ws://127.0.0.1:${other.port}/ws`;
    dialing = await new Dialing(url, { timeouts, backoff, ...options }).up();
  }

  async function closedAs(expected: object): Promise<void> {
    const ending = await dialing.firstEnding();
    assert.ok(ending.outcome === 'closed');
    const { openMs: _, bytesIn: __, bytesOut: ___, trail: ____, ...verdict } = ending.verdict;
    assert.deepEqual(verdict, expected);
    assert.equal(dialing.client.status.state, 'waiting');
    assert.equal(dialing.endings.length, 1);
  }

  const lost = { code: 1006, reason: '', origin: 'network', layer: 'tcp', clean: false };

  it('D08: SIGKILL is an end of TCP', async () => {
    await dial();
    await other.kill();
    await closedAs({ ...lost, cause: 'tcp-fin', retry: 'backoff', level: 'info' });
  });

  it('D08b: the heartbeat finds SIGSTOP, and a peer that wakes up finds the connection gone', async () => {
    await dial({ heartbeat: { intervalMs: 300, graceMs: 300 } });
    await other.freeze();
    await closedAs({ ...lost, cause: 'heartbeat-timeout', retry: 'backoff', level: 'warn' });
    other.thaw();
    let census = await other.census();
    while (census.causes.length === 0) census = await other.census();
    assert.deepEqual([census.open, census.causes.length], [0, 1]);
  });
});
