// Goal: nobody is judged by time in which this side does not read. Method: whatever judges a peer by its silence, with a
// connection whose reading time lags behind the clock.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { OutboundOutbox } from '../../src/client/outbound-outbox.ts';
import type { SharedRuntime } from '../../src/connection/connection-host.ts';
import { TimerWheel } from '../../src/core/timer-wheel.ts';
import { AppHeartbeat } from '../../src/server/app-heartbeat.ts';
import type { InboundConnection } from '../../src/server/inbound-connection.ts';
import { VirtualClock } from '../../src/testing/virtual-clock.ts';
import type { OutboundTransport } from '../../src/transport/transport.ts';
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
  } as unknown as SharedRuntime;
  readonly connection: InboundConnection;

  constructor() {
    const bench = this;
    this.connection = {
      get readingMs() {
        return bench.wheel.nowMs - bench.pausedMs;
      },
      transport: { isPaused: false, bufferedBytes: 0 },
      outbox: { send: () => bench.log.push('asked') },
      send: (fact: string) => bench.log.push(fact),
      end: (cause: string) => bench.log.push(`end ${cause}`),
    } as unknown as InboundConnection;
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
    const transport = {
      isWritable: true,
      bufferedBytes: 1_000,
      flushMark: 0,
      bytesOut: 0,
      send: () => null,
    };
    const outbox = new OutboundOutbox(
      transport as unknown as OutboundTransport,
      bench.connection,
      bench.context,
    );
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
    const appHeartbeat = new AppHeartbeat(bench.connection, bench.context);
    bench.clock.advance(GRACE_MS / 2);
    bench.pause(10 * GRACE_MS);
    assert.deepEqual(bench.log, ['asked']);
    bench.clock.advance(GRACE_MS / 2 + SLACK_MS);
    assert.deepEqual(bench.log, ['asked', 'beat.missed']);
    appHeartbeat.stop();
  });

  it('no page is asked, and it has the whole interval that it was read', () => {
    const bench = new Bench();
    const appHeartbeat = new AppHeartbeat(bench.connection, bench.context);
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
