import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import { RawPeer } from '../support/raw-peer.ts';
import { Service } from '../support/service.ts';
import { until } from '../support/until.ts';

describe('the pace of a drain', () => {
  let service: Service;
  afterEach(() => service.stop());

  /** Opens polite peers, and records when each connection starts to close. */
  async function crowd(count: number): Promise<number[]> {
    service = await Service.start();
    for (let index = 0; index < count; index += 20) {
      const peers = await Promise.all(
        Array.from({ length: Math.min(20, count - index) }, () => RawPeer.open(service.port)),
      );
      for (const peer of peers) void peer.finishPolitely();
    }
    await until(() => service.supervisor.counts.open === count, 'all are open');
    const closings: number[] = [];
    service.supervisor.events$.subscribe(({ type }) => {
      if (type === 'connection.closing') closings.push(performance.now());
    });
    return closings;
  }

  function spreadMs(times: readonly number[]): number {
    return (times.at(-1) ?? 0) - (times[0] ?? 0);
  }

  it('200 connections at 200 per second close over more than half a second', async () => {
    const closings = await crowd(200);
    const { closed, forced } = await service.supervisor.drain({ perSecond: 200 });
    assert.deepEqual({ closed, forced }, { closed: 200, forced: 0 });
    assert.equal(closings.length, 200);
    assert.ok(spreadMs(closings) >= 500, `${spreadMs(closings)} ms`);
    const [first = 0] = closings;
    const early = closings.filter((at) => at - first < 300).length;
    assert.ok(early < 150, `${early} in the first 300 ms`);
  });

  it('a time too short for the pace: closing takes four fifths of it', async () => {
    const closings = await crowd(100);
    const { closed, forced } = await service.supervisor.drain({ withinMs: 2_000, perSecond: 1 });
    assert.deepEqual({ closed, forced }, { closed: 100, forced: 0 });
    assert.equal(closings.length, 100);
    assert.ok(spreadMs(closings) >= 800, `${spreadMs(closings)} ms`);
  });

  it('a very short time is enough for the close frames', async () => {
    const closings = await crowd(50);
    const { closed, forced } = await service.supervisor.drain({ withinMs: 1 });
    assert.equal(closed + forced, 50);
    assert.equal(service.inFlight, 0);
    assert.equal(service.of('connection.closed').length, 50);
    assert.equal(closings.length, 50);
  });

  it('clients that leave by themselves are not waited for', async () => {
    await crowd(20);
    const done = service.supervisor.drain({ withinMs: 60_000, perSecond: 1 });
    for (const connection of service.supervisor.connections) connection.terminate();
    const { closed, forced, tookMs } = await done;
    assert.deepEqual({ closed, forced }, { closed: 20, forced: 0 });
    assert.ok(tookMs < 15_000);
  });
});
