// Goal: when one of many items throws, the others are still processed, and the error is rethrown. Method: run each such
// loop over fakes of which one throws.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { ChartSystem } from '../../src/chart/chart-system.ts';
import type { HostedActor } from '../../src/chart/hosted-actor.ts';
import { OfflineQueue } from '../../src/client/offline-queue.ts';
import { Drain, type DrainTally, drainPlan, supervisorDrain } from '../../src/connection/drain.ts';
import type { ChildActor } from '../../src/connection/parent.ts';
import { sharedRuntime } from '../../src/connection/shared-runtime.ts';
import * as defaults from '../../src/core/defaults.ts';
import { runAll, runEach } from '../../src/core/guard.ts';
import { Children } from '../../src/server/children.ts';
import { Registry } from '../../src/server/registry.ts';
import type { AnyReporter } from '../../src/server/report.ts';
import { VirtualClock } from '../../src/testing/virtual-clock.ts';

const broken = new Error('out of order');
const failing = () => {
  throw broken;
};
const isBroken = (thrown: unknown) => thrown === broken;

describe('runEach', () => {
  it('processes every item, and rethrows a single error unchanged', () => {
    const done: number[] = [];
    const run = (item: number) => {
      if (item === 2) failing();
      done.push(item);
    };
    assert.throws(() => runEach([1, 2, 3], run), isBroken);
    assert.deepEqual(done, [1, 3]);
  });

  it('throws one error that contains all of them when there are several', () => {
    assert.throws(
      () => runEach([1, 2], failing),
      (thrown: AggregateError) => {
        assert.deepEqual(thrown.errors, [broken, broken]);
        assert.equal(thrown.message, '2 errors, the first of them: out of order');
        return true;
      },
    );
  });
});

describe('runAll', () => {
  it('processes items that are added meanwhile, even behind an item that throws', () => {
    const queue = ['a', 'b'];
    const done: string[] = [];
    const run = (item: string) => {
      done.push(item);
      if (item === 'a') queue.push('c');
      if (item !== 'c') failing();
    };
    assert.throws(() => runAll(() => queue.shift(), run), AggregateError);
    assert.deepEqual(done, ['a', 'b', 'c']);
  });
});

function contextOn(clock: VirtualClock) {
  return sharedRuntime({
    ...{ clock, random: () => 0, overRate: 'pause' },
    ...{ timeouts: defaults.timeouts, heartbeat: defaults.heartbeat, limits: defaults.limits },
  });
}

describe('a message whose loss cannot be reported', () => {
  for (const way of ['expired', 'stopped'] as const) {
    it(`never keeps another loss from being reported: messages are ${way}`, () => {
      const given: unknown[] = [];
      const queue = new OfflineQueue({ queueMax: 10, queueBytesMax: 10 }, ({ message }) => {
        given.push(message);
        if (message === 'a') failing();
      });
      for (const message of ['a', 'b'])
        queue.push({
          ...{ message, payload: message, bytes: 1, expiresAtMs: 10, settle: undefined },
        });
      assert.throws(() => (way === 'expired' ? queue.purge(10) : queue.clear('stopped')), isBroken);
      assert.deepEqual([given, queue.size], [['a', 'b'], 0]);
    });
  }
});

describe('VirtualClock', () => {
  it('runs what waits for the poll phase after a callback that throws', () => {
    const clock = new VirtualClock();
    let ran = 0;
    clock.afterPoll(failing);
    clock.afterPoll(() => (ran += 1));
    assert.throws(() => clock.step(0), isBroken);
    assert.equal(ran, 1);
  });
});

describe('a child that cannot be stopped', () => {
  it('never keeps another child from being asked to stop', () => {
    const children = new Children({
      ...{ actor: {} as HostedActor, charts: {} as ChartSystem, registry: new Registry() },
      connectionCrashed: () => {},
      ...{ isEnding: () => false, shrank: () => {}, reporter: {} as AnyReporter },
    });
    const stopped: string[] = [];
    const child = (address: string, stop: () => void) =>
      children.adopt({
        ...{ kind: 'client', address, state: 'up' },
        stop: async () => stop(),
      } satisfies ChildActor);
    child('one', () => stopped.push('one'));
    children.adopt({ kind: 'client', address: 'two', state: 'up', stop: failing });
    child('three', () => stopped.push('three'));
    assert.throws(() => children.stop({ code: 1001, reason: '' }), isBroken);
    assert.deepEqual(stopped, ['one', 'three']);
  });
});

/** A drain whose members record each call. The first member throws at every call, and so do the services. */
class DrainBench {
  readonly clock = new VirtualClock();
  readonly members = ['first', 'second', 'third'].map((id) => ({ id }));
  readonly done: string[] = [];
  readonly errors: Error[] = [];
  readonly drain: Drain<{ id: string }, DrainTally>;

  constructor(perSecond = 1_000) {
    this.drain = new Drain({
      runtime: contextOn(this.clock),
      counts: () => ({ connected: 0, closed: 0 }),
      send: () => {},
      close: (member) => this.act(member, 'closed'),
      stopServices: failing,
      errored: (error) => this.errors.push(error),
    });
    void this.drain.request(drainPlan({ perSecond }, supervisorDrain));
  }

  act({ id }: { id: string }, deed: string): void {
    this.done.push(`${id} ${deed}`);
    if (id === 'first') failing();
  }
}

describe('a member that throws while it is drained', () => {
  const closed = ['first closed', 'second closed', 'third closed'];

  it('never keeps the others from closing with it', () => {
    const bench = new DrainBench(1_000);
    bench.drain.begin(bench.members);
    assert.deepEqual(bench.done, closed);
    assert.deepEqual(bench.errors, [broken]);
  });

  it('never keeps the others from closing in their turn', () => {
    const bench = new DrainBench(1);
    bench.drain.begin(bench.members);
    assert.deepEqual(bench.done, ['first closed']);
    bench.clock.advance(10_000);
    assert.deepEqual(bench.done, closed);
    assert.deepEqual(bench.errors, [broken]);
  });

  it('never keeps the others from being destroyed at the deadline, even when the services throw, too', () => {
    const bench = new DrainBench();
    bench.drain.expire(bench.members, (member) => bench.act(member, 'destroyed'), 1_000);
    assert.deepEqual(bench.done, ['first destroyed', 'second destroyed', 'third destroyed']);
    assert.deepEqual(bench.errors, [broken, broken]);
  });
});
