// Goal: nobody is judged by time in which this side does not read. Method: whatever judges a peer by its silence, with a
// port whose reading time lags behind the clock.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { DialedOutbox } from '../../src/client/dialed-outbox.ts';
import type { DialedWire } from '../../src/client/dialed-wire.ts';
import type { PortContext } from '../../src/connection/port-host.ts';
import { TimerWheel } from '../../src/core/timer-wheel.ts';
import type { AcceptedPort } from '../../src/server/accepted-port.ts';
import { Beat } from '../../src/server/beat.ts';
import { VirtualClock } from '../../src/testing/virtual-clock.ts';
import { OutboxBench, STALLED_MS } from '../support/outbox-bench.ts';

const INTERVAL_MS = 25_000;
const GRACE_MS = 10_000;
const SLACK_MS = 300;
const STEP_MS = 100;

class Bench {
  readonly clock = new VirtualClock();
  readonly wheel = new TimerWheel(this.clock, 100);
  readonly log: string[] = [];
  pausedMs = 0;
  readonly context = {
    wheel: this.wheel,
    heartbeat: { intervalMs: INTERVAL_MS, graceMs: GRACE_MS },
    limits: { outboxHighBytes: 100, outboxLowBytes: 10 },
    timeouts: { stalledMs: STALLED_MS },
  } as unknown as PortContext;
  readonly port: AcceptedPort;

  constructor() {
    const bench = this;
    this.port = {
      get readingMs() {
        return bench.wheel.nowMs - bench.pausedMs;
      },
      wire: { isPaused: false, bufferedBytes: 0 },
      outbox: { send: () => bench.log.push('asked') },
      tell: (fact: string) => bench.log.push(fact),
      end: (cause: string) => bench.log.push(`end ${cause}`),
    } as unknown as AcceptedPort;
  }

  /** Lets time pass in which nothing is read. */
  pause(ms: number): void {
    for (let left = ms; left > 0; left -= STEP_MS) {
      this.pausedMs += STEP_MS;
      this.clock.advance(STEP_MS);
    }
  }
}

describe('while reading is paused', () => {
  it('an outbox does not give up a peer that takes nothing', () => {
    const bench = new OutboxBench();
    bench.fill(10_000);
    bench.clock.advance(STALLED_MS / 2);
    for (let left = 10 * STALLED_MS; left > 0; left -= STEP_MS) {
      bench.pausedMs += STEP_MS;
      bench.clock.advance(STEP_MS);
    }
    assert.deepEqual(bench.log, ['outbox.filled']);
    bench.clock.advance(STALLED_MS / 2 + SLACK_MS);
    assert.deepEqual(bench.log, ['outbox.filled', 'end slow-consumer']);
  });

  it('neither does that of a dialed connection', () => {
    const bench = new Bench();
    const wire = {
      isWritable: true,
      bufferedBytes: 1_000,
      flushMark: 0,
      bytesOut: 0,
      send: () => null,
    };
    const outbox = new DialedOutbox(wire as unknown as DialedWire, bench.port, bench.context);
    outbox.send('x');
    bench.clock.advance(STALLED_MS / 2);
    bench.pause(10 * STALLED_MS);
    assert.deepEqual(bench.log, ['outbox.filled']);
    bench.clock.advance(STALLED_MS / 2 + SLACK_MS);
    assert.deepEqual(bench.log.slice(0, 2), ['outbox.filled', 'end slow-consumer']);
    outbox.stop();
  });

  it('no page falls asleep', () => {
    const bench = new Bench();
    const beat = new Beat(bench.port, bench.context);
    bench.clock.advance(GRACE_MS / 2);
    bench.pause(10 * GRACE_MS);
    assert.deepEqual(bench.log, ['asked']);
    bench.clock.advance(GRACE_MS / 2 + SLACK_MS);
    assert.deepEqual(bench.log, ['asked', 'beat.missed']);
    beat.stop();
  });

  it('no page is asked, and it has the whole interval that it was read', () => {
    const bench = new Bench();
    const beat = new Beat(bench.port, bench.context);
    beat.heard();
    bench.clock.advance(INTERVAL_MS / 2);
    bench.pause(10 * INTERVAL_MS);
    bench.clock.advance(INTERVAL_MS / 2 - SLACK_MS);
    assert.deepEqual(bench.log, ['asked']);
    bench.clock.advance(2 * SLACK_MS);
    assert.deepEqual(bench.log, ['asked', 'asked']);
    beat.stop();
  });
});
