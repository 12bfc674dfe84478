// Goal: time in which this side does not read counts against no peer. Method: everything that judges a peer by its
// silence, with a connection whose reading time lags behind the clock.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { SharedRuntime } from '../../src/connection/shared-runtime.ts';
import { TimerWheel } from '../../src/core/timer-wheel.ts';
import { AppHeartbeat } from '../../src/server/app-heartbeat.ts';
import type { InboundConnection } from '../../src/server/inbound-connection.ts';
import { VirtualClock } from '../../src/testing/virtual-clock.ts';

const INTERVAL_MS = 25_000;
const GRACE_MS = 10_000;
const SLACK_MS = 300;
const STEP_MS = 100;

class Bench {
  readonly clock = new VirtualClock();
  readonly wheel = new TimerWheel(this.clock, 100);
  readonly log: string[] = [];
  pausedMs = 0;
  ask = (): unknown => this.log.push('asked');
  readonly context = {
    wheel: this.wheel,
    heartbeat: { intervalMs: INTERVAL_MS, graceMs: GRACE_MS },
  } as unknown as SharedRuntime;
  readonly connection: InboundConnection;

  constructor() {
    const bench = this;
    this.connection = {
      get readingMs() {
        return bench.wheel.nowMs - bench.pausedMs;
      },
      transport: { isPaused: false, bufferedBytes: 0 },
      side: { outbox: { send: () => bench.ask() } },
      chart: { send: (fact: string) => bench.log.push(fact) },
    } as unknown as InboundConnection;
  }

  /** Lets time pass without any reading. */
  pause(ms: number): void {
    for (let left = ms; left > 0; left -= STEP_MS) {
      this.pausedMs += STEP_MS;
      this.clock.advance(STEP_MS);
    }
  }
}

describe('while reading is paused', () => {
  it('no page is reported as asleep', () => {
    const bench = new Bench();
    const appHeartbeat = new AppHeartbeat(bench.connection, bench.context);
    appHeartbeat.ask();
    bench.clock.advance(GRACE_MS / 2);
    bench.pause(10 * GRACE_MS);
    assert.deepEqual(bench.log, ['asked']);
    bench.clock.advance(GRACE_MS / 2 + SLACK_MS);
    assert.deepEqual(bench.log, ['asked', 'beat.missed']);
    appHeartbeat.stop();
  });

  it('no page is asked, and the pause does not count toward its interval', () => {
    const bench = new Bench();
    const appHeartbeat = new AppHeartbeat(bench.connection, bench.context);
    appHeartbeat.ask();
    appHeartbeat.heard();
    bench.clock.advance(INTERVAL_MS / 2);
    bench.pause(10 * INTERVAL_MS);
    bench.clock.advance(INTERVAL_MS / 2 - SLACK_MS);
    assert.deepEqual(bench.log, ['asked']);
    bench.clock.advance(2 * SLACK_MS);
    assert.deepEqual(bench.log, ['asked', 'asked']);
    appHeartbeat.stop();
  });
});

describe('a question that cannot be written ends its connection', () => {
  for (const which of ['first', 'second'])
    it(`and leaves no deadline behind: ${which}`, () => {
      const bench = new Bench();
      const appHeartbeat = new AppHeartbeat(bench.connection, bench.context);
      // A connection does this with the heartbeat when its gate shuts.
      const fail = () => appHeartbeat.stop();
      if (which === 'first') bench.ask = fail;
      appHeartbeat.ask();
      if (which === 'second') {
        bench.ask = fail;
        appHeartbeat.heard();
        bench.clock.advance(INTERVAL_MS + SLACK_MS);
      }
      assert.equal(bench.wheel.size, 0);
    });
});
