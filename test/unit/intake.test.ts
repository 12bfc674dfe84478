// Goal: reading pauses and resumes for each reason, and for all of them together. Method: an intake whose connection
// records what it gets, on virtual time. test/integration/pause.test.ts covers the effects on real sockets.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Intake } from '../../src/connection/intake.ts';
import type { ManagedConnection } from '../../src/connection/managed-connection.ts';
import type { SharedRuntime } from '../../src/connection/shared-runtime.ts';
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
  readonly payloadBytesMax?: number;
  readonly overRate?: OverRatePolicy;
  readonly invalidPerMinuteMax?: number;
}

class Bench {
  readonly clock = new VirtualClock();
  readonly wheel = new TimerWheel(this.clock, TICK_MS);
  readonly log: string[] = [];
  readonly intake: Intake;
  /** What the handler of the next message returns. */
  work: unknown;
  /** What happens while the next message is delivered. */
  whenArrived = () => {};
  isOpen = true;

  constructor(settings: Settings = {}) {
    const { perSecond = 1_000, burst = 1_000, overRate = 'pause' } = settings;
    const { inFlightMax = 1_024, inFlightBytesMax = 4_194_304 } = settings;
    const { invalidPerMinuteMax = 60, payloadBytesMax = 1_048_576 } = settings;
    const context = {
      clock: this.clock,
      wheel: this.wheel,
      messageRate: { perSecond, burst },
      overRate,
      limits: { inFlightMax, inFlightBytesMax, invalidPerMinuteMax, payloadBytesMax },
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
      side: { readingResumed: () => {} },
      chart: { send: (fact: string) => bench.log.push(fact) },
      end: (cause: string) => bench.log.push(`end ${cause} at ${bench.clock.now()}`),
      arrived: () => {
        bench.log.push('message');
        bench.whenArrived();
        return bench.work;
      },
    } as unknown as ManagedConnection;
  }

  receive(): void {
    this.intake.receive(message, false);
  }

  /** What happened since the last call. */
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

describe('an Intake whose side waits for answers', () => {
  it('forgives one handler for each of them, and pauses again when they are there', async () => {
    const bench = new Bench({ inFlightMax: 1 });
    const works = [pending(), pending()];
    bench.work = works[0]?.promise;
    bench.whenArrived = () => bench.intake.awaitAnswers(1);
    bench.receive();
    assert.deepEqual(bench.news(), ['message']);
    bench.work = works[1]?.promise;
    bench.whenArrived = () => {};
    bench.receive();
    assert.deepEqual(bench.news(), ['message', ...paused]);
    bench.intake.awaitAnswers(2);
    assert.deepEqual(bench.news(), resumed);
    bench.intake.awaitAnswers(0);
    assert.deepEqual(bench.news(), paused);
    await works[0]?.settle();
    assert.deepEqual(bench.news(), []);
    await works[1]?.settle();
    assert.deepEqual(bench.news(), resumed);
  });

  it('lets their messages take as much memory again, and one always fits', async () => {
    const bytesMax = message.length;
    const bench = new Bench({ inFlightBytesMax: bytesMax, payloadBytesMax: bytesMax });
    bench.work = pending().promise;
    bench.whenArrived = () => bench.intake.awaitAnswers(5);
    bench.receive();
    assert.deepEqual(bench.news(), ['message']);
    bench.receive();
    assert.deepEqual(bench.news(), ['message', ...paused]);
    // Not while another handler, which does not wait, is at work.
    const other = new Bench({ inFlightBytesMax: 2 * bytesMax, payloadBytesMax: bytesMax });
    other.work = pending().promise;
    other.receive();
    other.intake.awaitAnswers(1);
    other.receive();
    assert.deepEqual(other.news(), ['message', 'message', ...paused]);
  });
});

describe('Intake', () => {
  it('stops reading before it sends the chart the fact, and the heartbeat restarts after it', () => {
    const bench = new Bench();
    bench.intake.pause('user');
    bench.intake.resume('user');
    assert.deepEqual(bench.news(), [...paused, ...resumed]);
  });

  it('pauses with the last token, until the tokens of a tenth of a second are back', () => {
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

  it('keeps up the whole rate with a burst smaller than the tokens of a tenth of a second', () => {
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

  it('ends a connection over its rate under the close policy, and never pauses it', () => {
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

  it('ends a connection when no handler settles within pausedMs', () => {
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

  it('restarts that time for each pause', async () => {
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

  it('stops that time while the application has paused the connection as well', () => {
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

  it('counts the bytes of messages in flight, and accepts one message of any size', async () => {
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

  it('measures how long it was paused', () => {
    const bench = new Bench();
    // The wheel counts only while a deadline waits.
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
    assert.equal(bench.intake.handlersPausedMs, 0);
  });

  it('measures how long its handlers alone have paused it', async () => {
    const bench = new Bench({ inFlightMax: 1 });
    bench.wheel.schedule(1_000_000, { deadlinePassed: () => {} }, 'other');
    const { promise, settle } = pending();
    bench.work = promise;
    bench.receive();
    bench.clock.advance(2_000);
    bench.intake.pause('user');
    bench.clock.advance(10_000);
    bench.intake.resume('user');
    bench.clock.advance(1_000);
    assert.deepEqual([bench.intake.pausedMs, bench.intake.handlersPausedMs], [13_000, 3_000]);
    await settle();
    bench.clock.advance(1_000);
    assert.deepEqual([bench.intake.pausedMs, bench.intake.handlersPausedMs], [13_000, 3_000]);
  });

  it('delivers a message that arrived during the pause when it resumes', () => {
    const bench = new Bench();
    bench.intake.pause('user');
    bench.receive();
    assert.deepEqual(bench.news(), paused);
    bench.intake.resume('user');
    assert.deepEqual(bench.news(), [...resumed, 'message']);
    bench.intake.pause('user');
    bench.intake.resume('user');
    assert.deepEqual(bench.news(), [...paused, ...resumed]);
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

describe('invalid messages', () => {
  const countAt = (bench: Bench, ...times: readonly number[]) =>
    times.map((atMs) => {
      bench.clock.advance(atMs - bench.clock.now());
      return bench.intake.countInvalid();
    });

  /** A message that is found invalid after this much work. */
  const receiveCostly = (bench: Bench, costMs: number) => {
    bench.whenArrived = () => {
      bench.clock.stall(costMs);
      bench.intake.countInvalid();
    };
    bench.receive();
    bench.whenArrived = () => {};
  };

  it('end the connection at the first one over the limit', () => {
    const bench = new Bench({ invalidPerMinuteMax: 3 });
    assert.deepEqual(countAt(bench, 0, 1, 59_998, 59_999), [true, true, true, false]);
    assert.deepEqual(bench.news().slice(-1), ['end invalid-message at 59999']);
  });

  it('are counted anew from the first that arrives after a minute', () => {
    const bench = new Bench({ invalidPerMinuteMax: 2 });
    const times = [1_000, 60_999, 61_000, 120_999, 500_000, 559_999, 560_000];
    assert.deepEqual(new Set(countAt(bench, ...times)), new Set([true]));
    assert.deepEqual(countAt(bench, 560_001, 560_002), [true, false]);
  });

  it('are counted for each connection separately', () => {
    const [one, other] = [
      new Bench({ invalidPerMinuteMax: 1 }),
      new Bench({ invalidPerMinuteMax: 1 }),
    ];
    assert.deepEqual(countAt(one, 0), [true]);
    assert.deepEqual(countAt(other, 0), [true]);
    assert.deepEqual(countAt(one, 0), [false]);
  });

  it('pause reading for nine times the cost of each, a second at most, and not for a cheap one', () => {
    for (const [costMs, waitMs] of [
      [1, 0],
      [2, 18],
      [50, 450],
      [1_000, 1_000],
    ] as const) {
      const bench = new Bench();
      receiveCostly(bench, costMs);
      if (waitMs === 0) assert.deepEqual(bench.news(), ['message']);
      else {
        assert.deepEqual(bench.news(), ['message', ...paused]);
        bench.clock.advance(waitMs - 1);
        assert.deepEqual(bench.news(), []);
        bench.clock.advance(1);
        assert.deepEqual(bench.news(), resumed);
      }
      assert.equal(bench.clock.timersPending, 0);
    }
  });

  it('pause no shorter than the rate does, and the rate no shorter than they do', () => {
    for (const [costMs, waitMs] of [
      [2, 98],
      [20, 180],
    ] as const) {
      const bench = new Bench({ perSecond: 10, burst: 1 });
      receiveCostly(bench, costMs);
      bench.clock.advance(waitMs - 1);
      assert.deepEqual(bench.news(), ['message', ...paused]);
      bench.clock.advance(1);
      assert.deepEqual(bench.news(), resumed);
    }
  });
});
