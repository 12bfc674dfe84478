import assert from 'node:assert/strict';
import { afterEach, describe, it, type TestContext } from 'node:test';
import { createClient } from '../../src/client/index.ts';
import { Drain } from '../../src/connection/drain.ts';
import { ManagedConnection } from '../../src/connection/managed-connection.ts';
import { createSupervisor, type DrainOptions, listen } from '../../src/index.ts';
import { Inbound } from '../../src/server/inbound-connection.ts';
import { RawPeer } from '../support/raw-peer.ts';
import { Service } from '../support/service.ts';
import { turns, until } from '../support/until.ts';

/** What a drain does to a connection. */
type Act = 'refuse' | 'close' | 'expire';

/** Makes the first connection throw at this act of a drain. */
function failOnce(t: TestContext, act: Act, broken: Error): void {
  const fail = () => {
    throwing.mock.restore();
    throw broken;
  };
  const throwing =
    act === 'refuse'
      ? t.mock.method(Inbound.prototype, act, fail)
      : t.mock.method(ManagedConnection.prototype, act, fail);
}

/** Opens peers that answer a close frame properly. */
async function politePeers(service: Service, count: number): Promise<RawPeer[]> {
  const peers: RawPeer[] = [];
  for (let index = 0; index < count; index += 1) peers.push(await RawPeer.open(service.port));
  await until(() => service.supervisor.counts.open === count, 'all are open');
  for (const peer of peers) void peer.finishPolitely();
  return peers;
}

async function statusOf(service: Service): Promise<RawPeer> {
  const peer = await RawPeer.connect(service.port);
  peer.request();
  await until(() => peer.closed, 'it is answered');
  return peer;
}

describe('drain', () => {
  let service: Service;
  afterEach(() => service.stop());

  const supervisorEvents = () =>
    service.events.map(({ type }) => type).filter((type) => type.startsWith('supervisor.'));

  it('resolves at once without connections', async () => {
    service = await Service.start();
    const { tookMs, ...report } = await service.supervisor.drain();
    assert.deepEqual(report, { closed: 0, forced: 0, unsettled: 0 });
    assert.ok(tookMs < 5_000);
    assert.equal(service.supervisor.state, 'stopped');
    assert.deepEqual(supervisorEvents(), ['supervisor.draining', 'supervisor.stopped']);
  });

  it('closes all connections with 1001 and reports what happened', async () => {
    service = await Service.start();
    const peers = await politePeers(service, 5);
    const done = service.supervisor.drain({ withinMs: 5_000 });
    assert.equal(service.supervisor.state, 'draining');
    const report = await done;
    assert.deepEqual({ ...report, tookMs: 0 }, { closed: 5, forced: 0, unsettled: 0, tookMs: 0 });
    assert.equal(service.supervisor.state, 'stopped');
    for (const { closeFrame } of peers) {
      assert.deepEqual(closeFrame, { code: 1001, reason: 'draining' });
    }
    for (const { verdict } of service.of('connection.closed')) {
      const { code, origin, cause, clean, level, retry } = verdict;
      assert.deepEqual(
        { code, origin, cause, clean, level, retry },
        {
          code: 1001,
          origin: 'local',
          cause: 'drain',
          clean: true,
          level: 'info',
          retry: 'backoff',
        },
      );
    }
    const [begun] = service.of('supervisor.draining');
    assert.deepEqual([begun?.connections, begun?.withinMs], [5, 5_000]);
    assert.equal(service.of('supervisor.stopped')[0]?.report, report);
    assert.equal(service.calls.filter((call) => call === 'onClose').length, 5);
  });

  it('lets a Mooring client dial the next process after its first backoff', async () => {
    service = await Service.start();
    await using client = createClient(service.url, { random: () => 0.9 });
    await until(() => client.status.state === 'up', 'it is up');
    const done = service.supervisor.drain();
    await until(() => client.status.state === 'waiting', 'it waits for its next attempt');
    assert.equal(client.status.delayMs, 450);
    await done;
  });

  it('closes with the given code and reason', async () => {
    service = await Service.start();
    const [peer] = await politePeers(service, 1);
    await service.supervisor.drain({ code: 1012, reason: `moving ${'€'.repeat(100)}` });
    assert.equal(peer?.closeFrame?.code, 1012);
    assert.equal(peer?.closeFrame?.reason, `moving ${'€'.repeat(38)}`);
  });

  it('reports it in order, then completes events$, for late subscribers too', async () => {
    service = await Service.start();
    await politePeers(service, 2);
    const told: string[] = [];
    service.supervisor.events$.subscribe({
      next: ({ type }) => told.push(type),
      complete: () => told.push('complete'),
    });
    await service.supervisor.drain({ perSecond: 10_000 });
    assert.equal(told[0], 'supervisor.draining');
    assert.deepEqual(told.slice(-2), ['supervisor.stopped', 'complete']);
    assert.equal(told.filter((type) => type === 'connection.closed').length, 2);
    service.supervisor.events$.subscribe({ complete: () => told.push('late complete') });
    assert.equal(told.at(-1), 'late complete');
  });

  it('G05: refuses newcomers with 503 and Retry-After, during the drain and afterwards', async () => {
    service = await Service.start();
    const silent = await RawPeer.open(service.port, { allowHalfOpen: true });
    await service.opened();
    const done = service.supervisor.drain({ withinMs: 5_000 });
    const during = await statusOf(service);
    assert.equal(service.supervisor.state, 'draining');
    silent.destroy();
    await done;
    const after = await statusOf(service);
    for (const { status, answer } of [during, after]) {
      assert.equal(status, 503);
      assert.match(answer, /^retry-after: 5\r$/im);
    }
    const [failed, ...others] = service.of('connection.failed');
    assert.equal(failed?.failure.cause, 'draining');
    assert.equal(failed?.failure.level, 'info');
    assert.deepEqual(others, [], 'events$ had completed');
    assert.equal(service.supervisor.counts.failed, 2);
  });

  it('G05: requests in authenticate get 503, whatever authenticate returns later', async () => {
    const admit: ((peer: unknown) => void)[] = [];
    service = await Service.start({
      authenticate: () => new Promise((resolve) => admit.push(resolve)),
    });
    const peers = await Promise.all([1, 2, 3].map(() => RawPeer.connect(service.port)));
    for (const peer of peers) peer.request();
    await until(() => admit.length === 3, 'all are being admitted');
    const report = await service.supervisor.drain();
    assert.deepEqual([report.closed, report.forced], [0, 0]);
    await until(() => peers.every(({ closed }) => closed), 'all are released');
    for (const resolve of admit) resolve('too late');
    await turns(3);
    assert.deepEqual(
      peers.map(({ status }) => status),
      [503, 503, 503],
    );
    assert.deepEqual(service.calls, ['onFailed', 'onFailed', 'onFailed']);
    assert.deepEqual([...service.supervisor.connections], []);
  });

  it('runs once and reports once when it is called twice; the options of the first call count', async () => {
    service = await Service.start();
    const [peer] = await politePeers(service, 1);
    const first = service.supervisor.drain({ code: 1001, reason: 'first' });
    const second = service.supervisor.drain({ code: 4000, reason: 'second', withinMs: 1 });
    assert.equal(await first, await second);
    assert.equal(await service.supervisor.drain(), await first);
    assert.deepEqual(peer?.closeFrame, { code: 1001, reason: 'first' });
    assert.deepEqual(supervisorEvents(), ['supervisor.draining', 'supervisor.stopped']);
  });

  it('ends a suspended supervisor, and nothing reopens it', async () => {
    service = await Service.start();
    await politePeers(service, 1);
    service.supervisor.suspend();
    const done = service.supervisor.drain();
    service.supervisor.admit();
    service.supervisor.suspend();
    assert.equal((await done).closed, 1);
    service.supervisor.admit();
    assert.equal(service.supervisor.state, 'stopped');
    assert.deepEqual(supervisorEvents(), [
      'supervisor.suspended',
      'supervisor.draining',
      'supervisor.stopped',
    ]);
  });

  it('leaves a supervisor whose methods still work', async () => {
    service = await Service.start();
    await service.supervisor.drain();
    const { supervisor } = service;
    assert.equal(supervisor.broadcast('anybody?').delivered, 0);
    assert.equal(supervisor.topic('all').publish('anybody?').delivered, 0);
    assert.equal(supervisor.get('c1'), undefined);
    assert.deepEqual(supervisor.byKey('one'), []);
    assert.deepEqual([...supervisor.connections], []);
  });

  const wrong: readonly [string, object, string][] = [
    ['withinMs of 0', { withinMs: 0 }, 'invalid-options'],
    ['withinMs below 0', { withinMs: -1 }, 'invalid-options'],
    ['withinMs with a fraction', { withinMs: 1.5 }, 'invalid-options'],
    ['withinMs of 2^31', { withinMs: 2 ** 31 }, 'invalid-options'],
    ['withinMs without end', { withinMs: Number.POSITIVE_INFINITY }, 'invalid-options'],
    ['withinMs as text', { withinMs: '5000' }, 'invalid-options'],
    ['perSecond of 0', { perSecond: 0 }, 'invalid-options'],
    ['an unknown option', { within: 5 }, 'invalid-options'],
    ['a reason that is not text', { reason: 5 }, 'invalid-options'],
    ['code 1005', { code: 1005 }, 'invalid-close'],
    ['code 1006', { code: 1006 }, 'invalid-close'],
    ['code 999', { code: 999 }, 'invalid-close'],
    ['code 5000', { code: 5000 }, 'invalid-close'],
  ];

  it('rejects wrong options without any effect', async () => {
    service = await Service.start();
    await politePeers(service, 1);
    for (const [title, options, code] of wrong) {
      await assert.rejects(service.supervisor.drain(options as DrainOptions), { code }, title);
    }
    assert.equal(service.supervisor.state, 'admitting');
    assert.equal(service.supervisor.counts.open, 1);
    assert.equal((await service.supervisor.drain()).closed, 1);
  });

  for (const act of ['close', 'expire', 'refuse'] as const) {
    it(`continues when a connection throws at \`${act}\`, and reports it`, async (t) => {
      service = await Service.start({
        timeouts: { forcedMs: 100, closeMs: 10_000 },
        ...(act === 'refuse' && { authenticate: () => new Promise(() => {}) }),
      });
      const peers = await Promise.all([1, 2].map(() => RawPeer.connect(service.port)));
      for (const peer of peers) peer.request();
      const state = act === 'refuse' ? 'handshaking' : 'open';
      await until(() => service.supervisor.counts[state] === 2, 'both are there');
      const broken = new Error('out of order');
      failOnce(t, act, broken);
      const report = await service.supervisor.drain({ withinMs: 300 });
      assert.equal(service.supervisor.state, 'stopped');
      assert.equal(service.of('supervisor.stopped')[0]?.report, report);
      assert.deepEqual(
        service.of('connection.crashed').map(({ error }) => error),
        [broken],
      );
      for (const peer of peers) peer.destroy();
    });
  }

  for (const step of ['begin', 'expire'] as const)
    it(`destroys the remaining connections, and resolves, when the chart of the supervisor throws: ${step}`, async (t) => {
      service = await Service.start();
      const peer = await RawPeer.open(service.port);
      await service.opened();
      t.mock.method(Drain.prototype, step, () => {
        throw new Error('broken');
      });
      const report = await service.supervisor.drain({ withinMs: 100 });
      await until(() => peer.closed, 'the socket is gone');
      await service.when('connection.closed');
      assert.equal(service.of('connection.crashed')[0]?.error.message, 'broken');
      assert.deepEqual(await service.supervisor.drain(), report);
      assert.equal(service.supervisor.counts.closed, 1);
    });

  it('runs at the end of `await using`', async () => {
    service = await Service.start();
    let peer: RawPeer | undefined;
    const told: string[] = [];
    {
      await using supervisor = createSupervisor();
      await using listener = await listen(supervisor);
      supervisor.events$.subscribe(({ type }) => told.push(type));
      peer = await RawPeer.open(listener.port);
      void peer.finishPolitely();
      await supervisor.drain();
    }
    assert.deepEqual(peer.closeFrame, { code: 1001, reason: 'draining' });
    assert.equal(told.at(-1), 'supervisor.stopped');
  });

  it('closes all connections when it runs only at the end of `await using`', async () => {
    service = await Service.start();
    const peers = await politePeers(service, 2);
    await service.supervisor[Symbol.asyncDispose]();
    assert.equal(service.supervisor.state, 'stopped');
    assert.ok(peers.every(({ closeFrame }) => closeFrame?.code === 1001));
  });
});
