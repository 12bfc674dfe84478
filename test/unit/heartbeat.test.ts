import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { Heartbeat } from '../../src/connection/heartbeat.ts';
import type { ManagedConnection } from '../../src/connection/managed-connection.ts';
import type { SharedRuntime } from '../../src/connection/shared-runtime.ts';
import { TimerWheel } from '../../src/core/timer-wheel.ts';
import { VirtualClock } from '../../src/testing/virtual-clock.ts';

const TICK_MS = 100;
const INTERVAL_MS = 25_000;
const GRACE_MS = 10_000;

interface Settings {
  intervalMs?: number;
  graceMs?: number;
  /** The place of the first look within the first interval. */
  random?: number;
}

/** A heartbeat with a peer that does what the test specifies. */
class Bench {
  readonly clock = new VirtualClock();
  /** The reports to the connection, and the pings, each with its time. */
  readonly log: string[] = [];
  /** What the peer does when a ping arrives. */
  onPing = () => {};
  bytesIn = 0;
  bytesFlushed = 0;
  bufferedBytes = 0;
  /** How long reading was paused, without the pause that is under way. */
  #pausedMs = 0;
  #pausedAtMs: number | null = null;
  pingError: Error | null = null;
  readonly heartbeat: Heartbeat;
  readonly #wheel: TimerWheel;

  constructor(settings: Settings = {}) {
    const { intervalMs = INTERVAL_MS, graceMs = GRACE_MS, random = 1 } = settings;
    this.#wheel = new TimerWheel(this.clock, TICK_MS);
    const context = {
      wheel: this.#wheel,
      heartbeat: { intervalMs, graceMs },
      heartbeatStagger: { next: () => random },
    };
    this.heartbeat = new Heartbeat(this.#connection(), context as unknown as SharedRuntime);
  }

  #connection(): ManagedConnection {
    const bench = this;
    return {
      transport: {
        get isPaused() {
          return bench.isPaused;
        },
        get bytesIn() {
          return bench.bytesIn;
        },
        get flushMark() {
          return bench.bytesFlushed;
        },
        get bufferedBytes() {
          return bench.bufferedBytes;
        },
        ping: () => {
          bench.#note('ping');
          bench.onPing();
          if (bench.pingError !== null) bench.#note(`sendErrored ${bench.pingError.message}`);
        },
      },
      get readingMs() {
        return (bench.#pausedAtMs ?? bench.#wheel.nowMs) - bench.#pausedMs;
      },
      chart: { send: (fact: string) => bench.#note(fact) },
      end: (cause: string) => bench.#note(`end ${cause}`),
    } as unknown as ManagedConnection;
  }

  get isPaused(): boolean {
    return this.#pausedAtMs !== null;
  }

  pause(): void {
    this.#pausedAtMs ??= this.#wheel.nowMs;
  }

  resume(): void {
    this.#pausedMs += this.#wheel.nowMs - (this.#pausedAtMs ?? this.#wheel.nowMs);
    this.#pausedAtMs = null;
    this.heartbeat.resumed();
  }

  /** A whole frame arrives. The connection ignores a peer that it has lost. */
  hear(bytes = 10): void {
    this.bytesIn += bytes;
    if (!this.isLost) this.heartbeat.heard();
  }

  /** The operating system accepts bytes. */
  flush(bytes: number): void {
    this.bytesFlushed += bytes;
  }

  get pings(): number {
    return this.log.filter((line) => line.startsWith('ping')).length;
  }

  get isLost(): boolean {
    return this.log.some((line) => line.startsWith('end'));
  }

  get deadlinesPending(): number {
    return this.#wheel.size;
  }

  #note(what: string): void {
    this.log.push(`${what}@${this.clock.now()}`);
  }
}

describe('Heartbeat', () => {
  it('pings a silent peer, suspects it after half of the grace and loses it after all of it', () => {
    const bench = new Bench();
    bench.clock.advance(60_000);
    assert.deepEqual(bench.log, [
      'ping@25000',
      'heartbeat.missed@30000',
      'end heartbeat-timeout@35000',
    ]);
    assert.equal(bench.deadlinesPending, 0);
  });

  it('pings repeatedly, and never suspects a peer that answers', () => {
    const bench = new Bench();
    bench.onPing = () => bench.clock.setTimer(40, () => bench.hear());
    bench.clock.advance(10 * INTERVAL_MS);
    assert.ok(bench.pings >= 9 && bench.pings <= 10, `${bench.pings} pings`);
    assert.deepEqual(
      bench.log.filter((line) => !line.startsWith('ping')),
      [],
    );
  });

  it('never pings a peer that sends by itself', () => {
    const bench = new Bench();
    for (let second = 0; second < 300; second += 1) {
      bench.clock.advance(1_000);
      bench.hear();
    }
    assert.deepEqual(bench.log, []);
  });

  it('pings when an interval has passed since the peer last sent', () => {
    const bench = new Bench();
    bench.clock.advance(20_000);
    bench.hear();
    bench.clock.advance(24_900);
    assert.equal(bench.pings, 0);
    bench.clock.advance(2 * TICK_MS);
    assert.equal(bench.pings, 1);
  });

  it('spreads the first pings of a crowd over the interval', () => {
    for (const random of [0, 0.25, 0.5, 0.999]) {
      const bench = new Bench({ random });
      bench.onPing = () => bench.hear();
      bench.clock.advance(INTERVAL_MS + TICK_MS);
      const [first = ''] = bench.log;
      const atMs = Number(first.split('@')[1]);
      const dueMs = random * INTERVAL_MS;
      assert.ok(atMs >= dueMs && atMs <= dueMs + TICK_MS, `${random}: ${first}`);
    }
  });

  it('takes any input of a suspect as proof at once, and restarts the interval', () => {
    const bench = new Bench();
    bench.clock.advance(31_000);
    bench.hear();
    assert.deepEqual(bench.log.slice(1), ['heartbeat.missed@30000', 'heartbeat.answered@31000']);
    bench.clock.advance(INTERVAL_MS);
    assert.deepEqual(bench.log.slice(3), ['ping@56000']);
  });

  it('counts bytes of an unfinished frame as proof', () => {
    const bench = new Bench();
    bench.clock.advance(26_000);
    bench.bytesIn += 1;
    bench.clock.advance(5_000);
    assert.deepEqual(bench.log, ['ping@25000']);
  });

  it('loses a dead peer within interval plus grace of a byte of an unfinished frame', () => {
    const bench = new Bench();
    bench.clock.advance(25_100);
    bench.bytesIn += 1;
    bench.clock.advance(INTERVAL_MS + GRACE_MS + 4 * TICK_MS);
    assert.equal(bench.isLost, true);
  });

  it('loses in time a peer that dies after an instant answer, even when the grace is the longer half', () => {
    const bench = new Bench({ intervalMs: 1_000, graceMs: 20_000 });
    bench.clock.advance(1_050);
    bench.hear();
    bench.clock.advance(21_000 + 4 * TICK_MS);
    assert.equal(bench.isLost, true);
  });

  it('never counts input from before the ping', () => {
    const bench = new Bench();
    bench.bytesIn = 5_000;
    bench.clock.advance(36_000);
    assert.equal(bench.isLost, true);
  });

  it('counts progress of a backlog as proof, because the peer made room for it', () => {
    const bench = new Bench();
    bench.bufferedBytes = 1_000_000;
    bench.onPing = () => bench.clock.setTimer(4_900, () => bench.flush(1));
    bench.clock.advance(200_000);
    assert.equal(bench.isLost, false);
    assert.ok(bench.pings >= 6, `${bench.pings} pings`);
  });

  it('never counts bytes that merely fit into the buffer of the kernel', () => {
    const bench = new Bench();
    bench.onPing = () => bench.flush(2);
    bench.clock.advance(36_000);
    assert.equal(bench.isLost, true);
  });

  it('loses a peer whose backlog makes no progress', () => {
    const bench = new Bench();
    bench.bufferedBytes = 1_000_000;
    bench.clock.advance(36_000);
    assert.equal(bench.isLost, true);
  });

  it('D07: pings a peer that this side does not read, and never judges it', () => {
    const bench = new Bench();
    bench.pause();
    bench.clock.advance(80_000);
    assert.deepEqual(bench.log, ['ping@25000', 'ping@50000', 'ping@75000']);
    assert.equal(bench.isLost, false);
    bench.resume();
    bench.clock.advance(INTERVAL_MS + GRACE_MS + 4 * TICK_MS);
    assert.equal(bench.isLost, true, 'once it is read again');
  });

  it('never blames a peer when reading pauses after the ping', () => {
    for (const pausedAtMs of [26_000, 31_000]) {
      const bench = new Bench();
      bench.clock.advance(pausedAtMs);
      bench.pause();
      bench.clock.advance(100_000);
      assert.equal(bench.isLost, false, `paused at ${pausedAtMs}`);
    }
  });

  it('reports a ping that could not be written while this side does not read', () => {
    const bench = new Bench();
    bench.pause();
    bench.pingError = new Error('EPIPE');
    bench.clock.advance(25_000);
    assert.deepEqual(bench.log, ['ping@25000', 'sendErrored EPIPE@25000']);
  });

  it('stops the clock while reading is paused: the rest of the grace remains at resume', () => {
    const bench = new Bench();
    bench.clock.advance(31_000);
    assert.deepEqual(bench.log, ['ping@25000', 'heartbeat.missed@30000']);
    bench.pause();
    bench.clock.advance(100_000);
    assert.ok(bench.log.slice(2).every((line) => line.startsWith('ping')));
    bench.resume();
    bench.clock.advance(3_800);
    assert.equal(bench.isLost, false, 'less than 4 s of reading');
    bench.clock.advance(400);
    assert.equal(bench.isLost, true);
  });

  it('counts what arrives while reading is paused as proof', () => {
    const bench = new Bench();
    bench.clock.advance(31_000);
    bench.pause();
    bench.bytesIn += 1;
    bench.clock.advance(5_000);
    assert.deepEqual(bench.log.slice(1), ['heartbeat.missed@30000', 'heartbeat.answered@35000']);
  });

  it('loses a dead peer although reading pauses and resumes more often than the checks', () => {
    for (const [readMs, pausedMs] of [
      [2_000, 2_000],
      [500, 3_000],
    ] as const) {
      const bench = new Bench();
      for (let readSoFarMs = 0; readSoFarMs <= INTERVAL_MS + GRACE_MS; readSoFarMs += readMs) {
        bench.clock.advance(readMs);
        bench.pause();
        bench.clock.advance(pausedMs);
        bench.resume();
      }
      bench.clock.advance(4 * TICK_MS);
      assert.equal(bench.isLost, true);
    }
  });

  it('reports a ping that could not be written', () => {
    const bench = new Bench();
    bench.pingError = new Error('EPIPE');
    bench.clock.advance(25_000);
    assert.deepEqual(bench.log, ['ping@25000', 'sendErrored EPIPE@25000']);
  });

  it('holds no deadline and reports nothing once stopped, in any phase', () => {
    for (const untilMs of [0, 10_000, 26_000, 31_000]) {
      const bench = new Bench();
      bench.clock.advance(untilMs);
      const before = [...bench.log];
      bench.heartbeat.stop();
      bench.heartbeat.stop();
      assert.equal(bench.deadlinesPending, 0);
      bench.clock.advance(100_000);
      assert.deepEqual(bench.log, before);
    }
  });
});

describe('Heartbeat in a process that stalls', () => {
  it('F07: never loses a peer whose answer waited in the kernel', () => {
    for (const stallMs of [3_000, 6_000, 12_000, 87_500, 3_600_000]) {
      const bench = new Bench();
      bench.onPing = () => bench.clock.setTimer(50, () => bench.hear());
      for (let round = 0; round < 20; round += 1) {
        bench.clock.advance(7_777);
        bench.clock.stall(stallMs);
      }
      assert.equal(bench.isLost, false, `stalls of ${stallMs} ms`);
    }
  });

  it('F07e: gives a suspect the rest of its grace after the machine slept', () => {
    const bench = new Bench();
    bench.clock.advance(31_000);
    bench.clock.stall(3_600_000);
    bench.clock.advance(3_500);
    assert.equal(bench.isLost, false);
    bench.hear();
    assert.equal(bench.log.at(-1)?.startsWith('heartbeat.answered'), true);
  });

  it('loses a dead peer despite stalls', () => {
    const bench = new Bench();
    for (let round = 0; round < 20; round += 1) {
      bench.clock.advance(7_777);
      bench.clock.stall(60_000);
    }
    assert.equal(bench.isLost, true);
  });
});

const settings = fc.record({
  intervalMs: fc.integer({ min: 200, max: 60_000 }),
  graceMs: fc.integer({ min: 200, max: 60_000 }),
  random: fc.double({ min: 0, max: 1, noNaN: true }),
});

describe('Heartbeat with any settings', () => {
  it('loses a dead peer within interval plus grace of its last byte, plus a tick for each step', () => {
    const talk = fc.array(fc.integer({ min: 1, max: 90_000 }), { maxLength: 12 });
    fc.assert(
      fc.property(settings, talk, (given, pauses) => {
        const bench = new Bench(given);
        let spokeAtMs = 0;
        for (const pauseMs of pauses) {
          bench.clock.advance(pauseMs);
          if (bench.isLost) return;
          bench.hear();
          spokeAtMs = bench.clock.now();
        }
        const withinMs = given.intervalMs + given.graceMs + 4 * TICK_MS;
        bench.clock.advance(withinMs);
        assert.equal(bench.isLost, true, `silent since ${spokeAtMs}: ${bench.log.slice(-4)}`);
      }),
      { numRuns: 150 },
    );
  });

  it('never loses a peer that answers every ping in time, whatever else it sends', () => {
    const answerRatio = fc.double({ min: 0, max: 0.99, noNaN: true });
    fc.assert(
      fc.property(settings, answerRatio, fc.array(fc.nat(40_000)), (given, ratio, chatter) => {
        const bench = new Bench(given);
        bench.onPing = () => bench.clock.setTimer(ratio * given.graceMs, () => bench.hear());
        for (const pauseMs of chatter) {
          bench.clock.advance(pauseMs);
          bench.hear();
        }
        bench.clock.advance(5 * (given.intervalMs + given.graceMs));
        assert.equal(bench.isLost, false, bench.log.join(' '));
      }),
      { numRuns: 150 },
    );
  });

  it('alternates between missed and answered', () => {
    fc.assert(
      fc.property(settings, fc.array(fc.nat(80_000), { maxLength: 20 }), (given, pauses) => {
        const bench = new Bench(given);
        for (const pauseMs of pauses) {
          bench.clock.advance(pauseMs);
          bench.hear();
        }
        const facts = bench.log.map((line) => line.split('@')[0]).filter((fact) => fact !== 'ping');
        const alternating = facts.every((fact, index) => {
          const expected = index % 2 === 0 ? 'heartbeat.missed' : 'heartbeat.answered';
          return fact === expected || fact === 'end heartbeat-timeout';
        });
        assert.ok(alternating, facts.join(' '));
      }),
      { numRuns: 150 },
    );
  });
});
