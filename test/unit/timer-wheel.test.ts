import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { type Deadline, type DeadlineOwner, TimerWheel } from '../../src/core/timer-wheel.ts';
import { VirtualClock } from '../../src/testing/virtual-clock.ts';

const TICK_MS = 10;

/** A wheel on a virtual clock, and a log of what expired on it. */
class Bench {
  readonly clock = new VirtualClock();
  readonly wheel: TimerWheel;
  /** `name@milliseconds` of every deadline that expired, in order. */
  readonly passed: string[] = [];
  /** What the owner of each deadline does when it expires, by name. */
  readonly reactions = new Map<string, () => void>();
  readonly owner: DeadlineOwner = {
    deadlinePassed: (name) => {
      this.passed.push(`${name}@${this.clock.now()}`);
      this.reactions.get(name)?.();
    },
  };

  constructor(tickMs = TICK_MS) {
    this.wheel = new TimerWheel(this.clock, tickMs);
  }

  schedule(delayMs: number, name: string): Deadline {
    return this.wheel.schedule(delayMs, this.owner, name);
  }
}

describe('TimerWheel', () => {
  it('fires a deadline on the first tick after it is due', () => {
    const bench = new Bench();
    bench.schedule(25, 'a');
    bench.clock.advance(29);
    assert.deepEqual(bench.passed, []);
    bench.clock.advance(1);
    assert.deepEqual(bench.passed, ['a@30']);
  });

  it('fires on the tick itself when the deadline is due exactly then', () => {
    const bench = new Bench();
    bench.schedule(30, 'a');
    bench.clock.advance(1_000);
    assert.deepEqual(bench.passed, ['a@30']);
  });

  it('counts from the moment of scheduling, not from the tick before', () => {
    const bench = new Bench();
    bench.schedule(500, 'keeps the wheel awake');
    bench.clock.advance(7);
    bench.schedule(25, 'a');
    bench.clock.advance(100);
    assert.deepEqual(bench.passed, ['a@40']);
  });

  it('fires a deadline on the next tick if it is due at once, or was due before', () => {
    const bench = new Bench();
    bench.schedule(0, 'now');
    bench.schedule(-50, 'before');
    assert.deepEqual(bench.passed, []);
    bench.clock.advance(10);
    assert.deepEqual(new Set(bench.passed), new Set(['now@10', 'before@10']));
  });

  it('fires deadlines that share a slot each in its own turn', () => {
    const bench = new Bench();
    const turnMs = 512 * TICK_MS;
    for (const turns of [3, 1, 2, 0]) bench.schedule(turns * turnMs + 20, `turn ${turns}`);
    bench.clock.advance(4 * turnMs);
    assert.deepEqual(bench.passed, ['turn 0@20', 'turn 1@5140', 'turn 2@10260', 'turn 3@15380']);
  });

  it('never fires a cancelled deadline, even when another callback cancels it', () => {
    const bench = new Bench();
    const names = ['a', 'b', 'c'];
    const deadlines = new Map(names.map((name) => [name, bench.schedule(20, name)]));
    const cancelOthers = (name: string) => () => {
      for (const other of names)
        if (other !== name) bench.wheel.cancel(deadlines.get(other) ?? null);
    };
    for (const name of names) bench.reactions.set(name, cancelOthers(name));
    bench.clock.advance(100);
    assert.equal(bench.passed.length, 1);
    assert.equal(bench.wheel.size, 0);
  });

  it('allows a second cancel, a late cancel, and a cancel of nothing', () => {
    const bench = new Bench();
    const fired = bench.schedule(10, 'fired');
    const cancelled = bench.schedule(10, 'cancelled');
    bench.wheel.cancel(cancelled);
    bench.wheel.cancel(cancelled);
    bench.wheel.cancel(null);
    bench.schedule(500, 'other');
    bench.clock.advance(50);
    bench.wheel.cancel(fired);
    assert.deepEqual(bench.passed, ['fired@10']);
    assert.equal(bench.wheel.size, 1);
  });

  it('fires a deadline that another callback postponed only at its new time', () => {
    const bench = new Bench();
    const names = ['a', 'b', 'c'];
    const deadlines = new Map(names.map((name) => [name, bench.schedule(20, name)]));
    const postponeOthers = (name: string) => () => {
      for (const [other, deadline] of deadlines) {
        if (other !== name) bench.wheel.postpone(deadline, 512 * TICK_MS);
      }
      deadlines.clear();
    };
    for (const name of names) bench.reactions.set(name, postponeOthers(name));
    bench.clock.advance(20 + 511 * TICK_MS);
    assert.equal(bench.passed.length, 1);
    bench.clock.advance(TICK_MS);
    assert.equal(bench.passed.length, 3);
    assert.equal(bench.wheel.size, 0);
  });

  it('keeps the neighbours of a cancelled deadline, whichever it was', () => {
    for (const gone of [0, 1, 2]) {
      const bench = new Bench();
      const deadlines = ['a', 'b', 'c'].map((name) => bench.schedule(20, name));
      bench.wheel.cancel(deadlines[gone] ?? null);
      bench.clock.advance(20);
      assert.equal(bench.passed.length, 2, `without number ${gone}`);
      assert.equal(bench.wheel.size, 0);
    }
  });

  it('defers a deadline that is scheduled into the firing slot to a later turn', () => {
    const bench = new Bench();
    bench.reactions.set('a', () => bench.schedule(512 * TICK_MS, 'a turn later'));
    bench.reactions.set('a turn later', () => bench.schedule(0, 'at once'));
    bench.schedule(10, 'a');
    bench.clock.advance(6_000);
    assert.deepEqual(bench.passed, ['a@10', 'a turn later@5130', 'at once@5140']);
  });

  it('continues when the last deadline schedules another', () => {
    const bench = new Bench();
    let left = 5;
    bench.reactions.set('again', () => {
      left -= 1;
      if (left > 0) bench.schedule(TICK_MS, 'again');
    });
    bench.schedule(TICK_MS, 'again');
    bench.clock.advance(1_000);
    assert.deepEqual(bench.passed, ['again@10', 'again@20', 'again@30', 'again@40', 'again@50']);
    assert.equal(bench.clock.timersPending, 0);
  });
});

describe('the native timer of a TimerWheel', () => {
  it('is single for ten thousand deadlines', () => {
    const bench = new Bench();
    for (let index = 0; index < 10_000; index += 1) bench.schedule(index % 3_000, `${index}`);
    assert.equal(bench.wheel.size, 10_000);
    assert.equal(bench.clock.timersPending, 1);
    bench.clock.advance(1_500);
    assert.equal(bench.clock.timersPending, 1);
    assert.ok(bench.clock.timersSet <= 151, `${bench.clock.timersSet} timers`);
    bench.clock.advance(1_500);
    assert.equal(bench.passed.length, 10_000);
  });

  it('reports that the machine has slept, but not that a tick is merely late', () => {
    const bench = new Bench();
    let wakes = 0;
    const woke = () => {
      wakes += 1;
    };
    bench.wheel.whenWoken.add({ woke });
    bench.schedule(60_000, 'keeps the wheel awake');
    bench.clock.latenessMs = () => 4_000;
    bench.clock.advance(10_000);
    assert.equal(wakes, 0);
    bench.clock.latenessMs = () => 0;
    bench.clock.advance(5_000);
    bench.clock.setWall(3_600_000);
    bench.clock.advance(100);
    assert.equal(wakes, 1);
    bench.clock.advance(10_000);
    assert.equal(wakes, 1);
  });

  it('is absent when the wheel is empty: new, run down or cancelled', () => {
    const bench = new Bench();
    assert.equal(bench.clock.timersPending, 0);
    bench.schedule(10, 'a');
    bench.clock.advance(10);
    assert.equal(bench.clock.timersPending, 0);
    const deadlines = [bench.schedule(50, 'b'), bench.schedule(60, 'c')];
    for (const deadline of deadlines) bench.wheel.cancel(deadline);
    assert.equal(bench.clock.timersPending, 0);
    assert.equal(bench.wheel.size, 0);
  });

  it('starts again after a rest, without counting the rest', () => {
    const bench = new Bench();
    bench.wheel.cancel(bench.schedule(50, 'gone'));
    bench.clock.advance(60_000);
    assert.equal(bench.wheel.nowMs, 0);
    bench.schedule(20, 'a');
    bench.clock.advance(100);
    assert.deepEqual(bench.passed, ['a@60020']);
  });
});

describe('an owner that throws when its deadline expires', () => {
  it('delays no other deadline, neither in its tick nor in the next one', () => {
    const bench = new Bench();
    const failing = () => {
      throw new Error('out of order');
    };
    for (const name of ['b', 'd']) bench.reactions.set(name, failing);
    for (const name of ['a', 'b', 'c', 'd', 'e']) bench.schedule(10, name);
    bench.schedule(20, 'next');
    // One turn of the wheel checks both ticks.
    assert.throws(() => bench.clock.stall(20), AggregateError);
    assert.deepEqual(new Set(bench.passed.map((each) => each.split('@')[1])), new Set(['20']));
    assert.equal(bench.passed.length, 6);
    assert.equal(bench.passed[5], 'next@20');
  });

  it('has its error rethrown, unchanged if it is the only one', () => {
    const bench = new Bench();
    const error = new Error('out of order');
    bench.reactions.set('a', () => {
      throw error;
    });
    bench.schedule(10, 'a');
    bench.schedule(30, 'b');
    assert.throws(
      () => bench.clock.advance(10),
      (thrown) => thrown === error,
    );
    bench.clock.advance(20);
    assert.deepEqual(bench.passed, ['a@10', 'b@30']);
  });

  it('leaves the wheel at rest when it had the last deadline, and able to start again', () => {
    const bench = new Bench();
    bench.reactions.set('a', () => {
      throw new Error('out of order');
    });
    bench.schedule(10, 'a');
    assert.throws(() => bench.clock.advance(10), /out of order/);
    assert.equal(bench.clock.timersPending, 0);
    bench.schedule(10, 'b');
    bench.clock.advance(10);
    assert.deepEqual(bench.passed, ['a@10', 'b@20']);
  });
});

describe('a sleeper that throws when it is woken', () => {
  it('keeps no other sleeper asleep, and the deadlines continue', () => {
    const bench = new Bench();
    const woken: string[] = [];
    bench.wheel.whenWoken.add({
      woke: () => {
        throw new Error('still drowsy');
      },
    });
    bench.wheel.whenWoken.add({ woke: () => woken.push('second') });
    bench.schedule(10, 'a');
    bench.clock.setWall(3_600_000);
    assert.throws(() => bench.clock.advance(10), /still drowsy/);
    bench.clock.advance(10);
    assert.deepEqual([woken, bench.passed.length], [['second'], 1]);
  });

  it('never reaches a sleeper that left meanwhile', () => {
    const bench = new Bench();
    let woken = 0;
    const second = { woke: () => (woken += 1) };
    bench.wheel.whenWoken.add({ woke: () => bench.wheel.whenWoken.delete(second) });
    bench.wheel.whenWoken.add(second);
    bench.schedule(10, 'a');
    bench.clock.setWall(3_600_000);
    bench.clock.advance(10);
    assert.equal(woken, 0);
  });
});

describe('a TimerWheel in a stalled event loop', () => {
  it('advances by two ticks at most, however long the stall was', () => {
    const bench = new Bench();
    for (const delayMs of [10, 20, 30, 40, 5_000]) bench.schedule(delayMs, String(delayMs));
    bench.clock.stall(5_000);
    assert.equal(bench.wheel.nowMs, 2 * TICK_MS);
    assert.deepEqual(bench.passed, ['10@5000', '20@5000']);
    bench.clock.advance(20);
    assert.deepEqual(bench.passed.slice(2), ['30@5010', '40@5020']);
  });

  it('never counts the stall against a deadline scheduled right after it', () => {
    const bench = new Bench();
    bench.schedule(60_000, 'keeps the wheel awake');
    bench.clock.advance(20);
    let deadline: Deadline | undefined;
    bench.clock.setTimer(1, () => {
      deadline = bench.schedule(100, 'a');
    });
    bench.clock.stall(5_000);
    assert.notEqual(deadline, undefined);
    bench.clock.advance(99);
    assert.deepEqual(bench.passed, []);
    bench.clock.advance(31);
    assert.equal(bench.passed.length, 1);
  });

  it('checks a tick only after all waiting input was read', () => {
    const bench = new Bench();
    const checks: (() => void)[] = [];
    bench.clock.afterPoll = (callback) => void checks.push(callback);
    const pong = bench.schedule(10, 'pong is overdue');
    bench.clock.stall(5_000);
    assert.deepEqual(bench.passed, [], 'the timer alone never fires a deadline');
    bench.wheel.cancel(pong);
    for (const check of checks) check();
    assert.deepEqual(bench.passed, []);
    assert.equal(bench.clock.timersPending, 0);
  });

  it('survives being emptied and refilled between the timer and the check', () => {
    const bench = new Bench();
    const checks: (() => void)[] = [];
    bench.clock.afterPoll = (callback) => void checks.push(callback);
    const first = bench.schedule(10, 'first');
    bench.clock.advance(10);
    bench.wheel.cancel(first);
    bench.schedule(20, 'second');
    assert.equal(bench.clock.timersPending, 0, 'the check arms it');
    for (let turn = 0; turn < 4; turn += 1) {
      for (const check of checks.splice(0)) check();
      bench.clock.advance(10);
    }
    assert.equal(bench.passed.length, 1);
    assert.equal(bench.clock.timersPending, 0);
  });
});

interface Plan {
  readonly tickMs: number;
  /** Waits, then schedules a deadline. A later step may cancel or postpone it. */
  readonly steps: readonly {
    waitMs: number;
    delayMs: number;
    cancels: number | undefined;
    postpones: number | undefined;
  }[];
}

const delayMs = fc.oneof(
  { weight: 5, arbitrary: fc.integer({ min: 0, max: 300 }) },
  { weight: 1, arbitrary: fc.integer({ min: 0, max: 20_000 }) },
);
const plans: fc.Arbitrary<Plan> = fc.record({
  tickMs: fc.integer({ min: 5, max: 100 }),
  steps: fc.array(
    fc.record({
      waitMs: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 400 })),
      delayMs,
      cancels: fc.option(fc.nat(40), { nil: undefined, freq: 2 }),
      postpones: fc.option(fc.nat(40), { nil: undefined, freq: 2 }),
    }),
    { minLength: 1, maxLength: 40 },
  ),
});

interface Entry {
  dueMs: number;
  readonly deadline: Deadline;
  readonly passedAtMs: number[];
  cancelled: boolean;
}

/** Carries out a plan and returns the result of every deadline. */
function carryOut({ tickMs, steps }: Plan, bench: Bench): Entry[] {
  const entries: Entry[] = [];
  for (const step of steps) {
    bench.clock.advance(step.waitMs);
    const victim = step.cancels === undefined ? undefined : entries[step.cancels];
    if (victim !== undefined) {
      victim.cancelled ||= victim.passedAtMs.length === 0;
      bench.wheel.cancel(victim.deadline);
    }
    const late = step.postpones === undefined ? undefined : entries[step.postpones];
    if (late !== undefined) {
      assert.ok(late.passedAtMs.length <= 1, 'it expired once before it was postponed');
      late.passedAtMs.length = 0;
      late.cancelled = false;
      late.dueMs = bench.clock.now() + step.delayMs;
      bench.wheel.postpone(late.deadline, step.delayMs);
    }
    const passedAtMs: number[] = [];
    const owner = { deadlinePassed: () => void passedAtMs.push(bench.clock.now()) };
    const dueMs = bench.clock.now() + step.delayMs;
    const deadline = bench.wheel.schedule(step.delayMs, owner, 'deadline');
    entries.push({ dueMs, deadline, passedAtMs, cancelled: false });
  }
  while (bench.wheel.size > 0) bench.clock.advance(100 * tickMs);
  return entries;
}

describe('a TimerWheel under any plan', () => {
  it('fires once, never early and at most one tick late', () => {
    fc.assert(
      fc.property(plans, (plan) => {
        for (const entry of carryOut(plan, new Bench(plan.tickMs))) {
          const { dueMs, passedAtMs, cancelled } = entry;
          assert.equal(passedAtMs.length, cancelled ? 0 : 1);
          const [atMs = dueMs] = passedAtMs;
          assert.ok(atMs >= dueMs, `due ${dueMs}, fired ${atMs}`);
          assert.ok(atMs - dueMs <= plan.tickMs, `due ${dueMs}, fired ${atMs}`);
        }
      }),
      { numRuns: 200 },
    );
  });

  it('fires at most one tick late when its timer is punctual, and later only by the lateness of its timer', () => {
    fc.assert(
      fc.property(plans, fc.integer({ min: 1, max: 4 }), (plan, latenessMs) => {
        const bench = new Bench(plan.tickMs);
        bench.clock.latenessMs = () => latenessMs;
        for (const { dueMs, passedAtMs } of carryOut(plan, bench)) {
          const [atMs = dueMs] = passedAtMs;
          assert.ok(atMs - dueMs <= plan.tickMs + latenessMs, `due ${dueMs}, fired ${atMs}`);
        }
      }),
      { numRuns: 100 },
    );
  });

  it('fires once and never early when the event loop is always late', () => {
    fc.assert(
      fc.property(plans, fc.infiniteStream(fc.nat(60)), (plan, lateness) => {
        const bench = new Bench(plan.tickMs);
        bench.clock.latenessMs = () => lateness.next().value;
        for (const { dueMs, passedAtMs, cancelled } of carryOut(plan, bench)) {
          assert.equal(passedAtMs.length, cancelled ? 0 : 1);
          const [atMs = dueMs] = passedAtMs;
          assert.ok(atMs >= dueMs, `due ${dueMs}, fired ${atMs}`);
        }
        assert.equal(bench.clock.timersPending, 0);
      }),
      { numRuns: 100 },
    );
  });
});

describe('the cost of a TimerWheel', () => {
  const COUNT = 100_000;

  it('is constant for each of 100,000 deadlines that come and go', () => {
    const bench = new Bench(100);
    const spread = Array.from({ length: COUNT }, (_, index) => (index * 7_919) % 35_000);
    const steps = { taken: 0 };
    const deadlines = spread.map((delay) => counted(bench.schedule(delay, 'idle'), steps));
    for (const deadline of deadlines) bench.wheel.cancel(deadline);
    assert.equal(bench.wheel.size, 0);
    assert.ok(steps.taken <= 10 * COUNT, `${steps.taken} steps for ${COUNT} deadlines`);
  });

  it('is proportional to a share of the waiting deadlines in each tick', () => {
    const bench = new Bench(100);
    const steps = { taken: 0 };
    for (let index = 0; index < COUNT; index += 1) {
      counted(bench.schedule(60_000 + (index % 512) * 100, 'far'), steps);
    }
    steps.taken = 0;
    bench.clock.advance(100 * 100);
    const perTick = steps.taken / 100;
    assert.ok(perTick <= (4 * COUNT) / 512, `${perTick} steps for each tick`);
  });
});

/** Counts every step of the wheel over a deadline. */
function counted(deadline: Deadline, steps: { taken: number }): Deadline {
  for (const member of ['next', 'previous'] as const) {
    let value: unknown = deadline[member];
    Object.defineProperty(deadline, member, {
      get: () => {
        steps.taken += 1;
        return value;
      },
      set: (changed: unknown) => {
        steps.taken += 1;
        value = changed;
      },
    });
  }
  return deadline;
}
