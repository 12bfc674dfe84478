// Goal: reading pauses and resumes for each reason, and for all of them together. Method: an intake with a connection that notes
// what it is told, on virtual time. What it does to real sockets is looked at in test/integration/pause.test.ts.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { SharedRuntime } from '../../src/connection/connection-host.ts';
import { Intake } from '../../src/connection/intake.ts';
import type { ManagedConnection } from '../../src/connection/managed-connection.ts';
import type { OverRatePolicy } from '../../src/core/limits.ts';
import { TimerWheel } from '../../src/core/timer-wheel.ts';
import { VirtualClock } from '../../src/testing/virtual-clock.ts';

const TICK_MS = 100;
const PAUSED_MS = 5_000;
const message = new Uint8Array(10);

interface Settings {
  readonly perSecond?: number;
  readonly burst?: number;
  readonly inFlightMax?: number;
  readonly inFlightBytesMax?: number;
  readonly overRate?: OverRatePolicy;
}

class Bench {
  readonly clock = new VirtualClock();
  readonly wheel = new TimerWheel(this.clock, TICK_MS);
  readonly log: string[] = [];
  readonly intake: Intake;
  /** What the handler of the next message returns. */
  work: unknown;
  isOpen = true;

  constructor(settings: Settings = {}) {
    const { perSecond = 1_000, burst = 1_000, overRate = 'pause' } = settings;
    const { inFlightMax = 1_024, inFlightBytesMax = 4_194_304 } = settings;
    const context = {
      clock: this.clock,
      wheel: this.wheel,
      messageRate: { perSecond, burst },
      overRate,
      limits: { inFlightMax, inFlightBytesMax },
      timeouts: { pausedMs: PAUSED_MS },
    };
    this.intake = new Intake(this.#connection(), context as unknown as SharedRuntime);
  }

  #connection(): ManagedConnection {
    const bench = this;
    return {
      get isOpen() {
        return bench.isOpen;
      },
      transport: { pause: () => bench.log.push('pause') },
      heartbeat: { resumed: () => bench.log.push('heartbeat') },
      send: (fact: string) => bench.log.push(fact),
      end: (cause: string) => bench.log.push(`end ${cause} at ${bench.clock.now()}`),
      arrived: () => {
        bench.log.push('message');
        return bench.work;
      },
    } as unknown as ManagedConnection;
  }

  receive(): void {
    this.intake.receive(message, false);
  }

  /** What happened since this was last called. */
  news(): string[] {
    return this.log.splice(0);
  }
}

const paused = ['pause', 'reading.paused'];
const resumed = ['reading.resumed', 'heartbeat'];

/** A promise with the function that settles it. */
function pending(): { promise: Promise<void>; settle: () => Promise<void> } {
  let open = () => {};
  const promise = new Promise<void>((resolve) => {
    open = resolve;
  });
  const settle = async () => {
    open();
    await null;
    await null;
  };
  return { promise, settle };
}

describe('Intake', () => {
  it('stops reading before it sends the chart the fact, and the heartbeat goes on after it', () => {
    const bench = new Bench();
    bench.intake.pause('user');
    bench.intake.resume('user');
    assert.deepEqual(bench.news(), [...paused, ...resumed]);
  });

  it('pauses with the last token, until a tenth of a second of tokens has come back', () => {
    const bench = new Bench({ perSecond: 100, burst: 20 });
    for (let left = 20; left > 0; left -= 1) bench.receive();
    assert.deepEqual(bench.news(), [...Array(20).fill('message'), ...paused]);
    bench.clock.advance(99);
    assert.deepEqual(bench.news(), []);
    bench.clock.advance(1);
    assert.deepEqual(bench.news(), resumed);
    for (let left = 10; left > 0; left -= 1) bench.receive();
    assert.deepEqual(bench.news(), [...Array(10).fill('message'), ...paused]);
  });

  it('keeps up the whole rate with a burst that is smaller than what a tenth of a second brings', () => {
    const bench = new Bench({ perSecond: 1_000, burst: 4 });
    let messages = 0;
    while (bench.clock.now() < 1_000) {
      if (bench.intake.isPaused) bench.clock.advance(1);
      else {
        bench.receive();
        messages += 1;
      }
    }
    assert.ok(Math.abs(messages - 1_004) <= 4, `${messages} in a second`);
  });

  it('waits for a token that takes longer than a tenth of a second', () => {
    const bench = new Bench({ perSecond: 1, burst: 1 });
    bench.receive();
    bench.clock.advance(999);
    assert.ok(bench.intake.isPaused);
    bench.clock.advance(1);
    assert.ok(!bench.intake.isPaused);
    assert.ok(!bench.log.some((line) => line.startsWith('end')));
  });

  it('ends a connection that is over its rate where that is the policy, and never pauses it', () => {
    const bench = new Bench({ burst: 2, overRate: 'close' });
    for (let left = 3; left > 0; left -= 1) bench.receive();
    assert.deepEqual(bench.news(), ['message', 'message', 'end message-rate at 0']);
  });

  it('resumes when the last of several reasons is gone', async () => {
    const bench = new Bench({ burst: 1, inFlightMax: 1 });
    const { promise, settle } = pending();
    bench.work = promise;
    bench.receive();
    bench.intake.pause('user');
    assert.deepEqual(bench.news(), ['message', ...paused]);
    bench.intake.resume('user');
    bench.clock.advance(1_000);
    assert.deepEqual(bench.news(), [], 'a handler is at work');
    await settle();
    assert.deepEqual(bench.news(), resumed);
  });

  it('ends a connection of which not one handler settles within pausedMs', () => {
    const bench = new Bench({ inFlightMax: 2 });
    bench.work = new Promise(() => {});
    bench.receive();
    bench.receive();
    bench.news();
    bench.clock.advance(PAUSED_MS - 1);
    assert.deepEqual(bench.news(), []);
    bench.clock.advance(1 + TICK_MS);
    assert.deepEqual(bench.news(), [`end handler-stalled at ${PAUSED_MS}`]);
  });

  it('counts that time anew for each pause', async () => {
    const bench = new Bench({ inFlightMax: 1 });
    for (let round = 0; round < 5; round += 1) {
      const { promise, settle } = pending();
      bench.work = promise;
      bench.receive();
      bench.clock.advance(PAUSED_MS - TICK_MS);
      await settle();
    }
    assert.ok(!bench.log.some((line) => line.startsWith('end')));
  });

  it('lets that time stand still while the application has paused it as well', () => {
    const bench = new Bench({ inFlightMax: 1 });
    bench.work = new Promise(() => {});
    bench.receive();
    bench.intake.pause('user');
    bench.clock.advance(10 * PAUSED_MS);
    assert.ok(!bench.log.some((line) => line.startsWith('end')));
    bench.intake.resume('user');
    bench.clock.advance(PAUSED_MS + TICK_MS);
    assert.equal(bench.log.at(-1), `end handler-stalled at ${11 * PAUSED_MS}`);
  });

  it('counts the bytes of messages in flight, and lets one message of any size in', async () => {
    const bench = new Bench({ inFlightBytesMax: 15 });
    const { promise, settle } = pending();
    bench.work = promise;
    bench.receive();
    assert.deepEqual(bench.news(), ['message']);
    bench.receive();
    assert.deepEqual(bench.news(), ['message', ...paused]);
    await settle();
    assert.deepEqual(bench.news(), resumed);
    const small = new Bench({ inFlightBytesMax: 1 });
    small.work = Promise.resolve();
    small.receive();
    assert.deepEqual(small.news(), ['message', ...paused]);
  });

  it('knows for how long it was paused', () => {
    const bench = new Bench();
    // The wheel counts only while somebody waits.
    bench.wheel.schedule(1_000_000, { deadlinePassed: () => {} }, 'other');
    bench.clock.advance(1_000);
    bench.intake.pause('user');
    bench.clock.advance(3_000);
    assert.equal(bench.intake.pausedMs, 3_000);
    bench.intake.resume('user');
    bench.clock.advance(1_000);
    bench.intake.pause('user');
    bench.clock.advance(500);
    assert.equal(bench.intake.pausedMs, 3_500);
  });

  it('never resumes, and holds no timer, once the connection is ending', async () => {
    const bench = new Bench({ burst: 1, inFlightMax: 1 });
    const { promise, settle } = pending();
    bench.work = promise;
    bench.receive();
    bench.news();
    bench.isOpen = false;
    bench.intake.stop();
    assert.deepEqual([bench.wheel.size, bench.clock.timersPending], [0, 0]);
    await settle();
    bench.clock.advance(10 * PAUSED_MS);
    assert.equal(bench.intake.pause('user'), false);
    assert.equal(bench.intake.resume('rate'), false);
    assert.deepEqual(bench.news(), []);
  });
});
