import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { MessageHeartbeat } from '../../src/client/message-heartbeat.ts';
import { SilenceLimit } from '../../src/client/silence-limit.ts';
import type { ConnectionCore } from '../../src/connection/connection-core.ts';
import { TimerWheel } from '../../src/core/timer-wheel.ts';
import { VirtualClock } from '../../src/testing/virtual-clock.ts';

const TICK_MS = 100;
const EVERY_MS = 20_000;
const GRACE_MS = 10_000;

interface Settings {
  readonly message?: unknown;
  readonly expects?: () => boolean;
  readonly always?: boolean;
  readonly everyMs?: number;
}

/** An open connection with a peer that does what the test specifies. */
class Line {
  readonly clock = new VirtualClock();
  readonly wheel = new TimerWheel(this.clock, TICK_MS);
  /** The reports to the connection, and the messages sent, each with its time. */
  readonly log: string[] = [];
  bytesOut = 0;
  bytesLeft = 0;
  isWritable = true;
  /** A pause for the rate, which does not stop the clock. */
  isResting = false;
  #pausedMs = 0;
  #pausedAtMs: number | null = null;
  readonly core: ConnectionCore;

  constructor() {
    const line = this;
    this.core = {
      context: { wheel: this.wheel },
      transport: {
        get isPaused() {
          return line.isPaused;
        },
        get bytesOut() {
          return line.bytesOut;
        },
        get bufferedBytes() {
          return line.bytesOut - line.bytesLeft;
        },
        get flushMark() {
          return line.bytesLeft;
        },
      },
      get readingMs() {
        return (line.#pausedAtMs ?? line.wheel.nowMs) - line.#pausedMs;
      },
      chart: { send: (fact: string) => line.note(fact) },
      end: (cause: string) => line.note(`end ${cause}`),
    } as unknown as ConnectionCore;
  }

  get isPaused(): boolean {
    return this.isResting || this.#pausedAtMs !== null;
  }

  pause(): void {
    this.#pausedAtMs = this.wheel.nowMs;
  }

  resume(): void {
    this.#pausedMs += this.wheel.nowMs - (this.#pausedAtMs ?? this.wheel.nowMs);
    this.#pausedAtMs = null;
  }

  note(what: string): void {
    this.log.push(`${what}@${this.clock.now()}`);
  }
}

class Bench extends Line {
  /** Whether sent messages stay in this process. */
  isBackedUp = false;
  readonly heartbeat: MessageHeartbeat;

  constructor(settings: Settings = {}) {
    super();
    const { message = 'ping', expects, always = false, everyMs = EVERY_MS } = settings;
    const times = { intervalMs: 25_000, graceMs: GRACE_MS, everyMs };
    const parts = {
      runtime: { options: { heartbeat: { ...times, message, expects, always } } },
      charts: { notifications: { add: (call: () => void) => call() } },
      streams: {
        report: (handler: string) => (error: Error) => this.note(`${handler}: ${error.message}`),
      },
    };
    type Parts = ConstructorParameters<typeof MessageHeartbeat>[1];
    const send = (message: unknown) => this.#send(message);
    this.heartbeat = new MessageHeartbeat(this.core, parts as unknown as Parts, send);
  }

  #send(message: unknown): string {
    if (!this.isWritable) return 'refused';
    this.note(String(message));
    this.bytesOut += 10;
    if (this.isBackedUp) return 'queued';
    this.bytesLeft = this.bytesOut;
    return 'sent';
  }

  override note(what: string): void {
    super.note(what);
    // A connection that has ended stops its watch.
    if (what.startsWith('end')) this.heartbeat.stop();
  }

  get isLost(): boolean {
    return this.log.some((line) => line.startsWith('end'));
  }

  /** How often a message was sent. */
  get sent(): number {
    return this.log.filter((line) => line.startsWith('ping')).length;
  }
}

const expects = () => true;

describe('MessageHeartbeat', () => {
  it('sends after a silence, suspects a silent peer after half of the grace, and loses it after all of it', () => {
    const bench = new Bench({ expects });
    bench.clock.advance(60_000);
    assert.deepEqual(bench.log, [
      'ping@20000',
      'heartbeat.missed@25000',
      'end heartbeat-timeout@30000',
    ]);
    assert.equal(bench.wheel.size, 0);
  });

  it('sends nothing while the peer sends, and counts each of its messages as proof', () => {
    const bench = new Bench({ expects });
    for (let second = 0; second < 300; second += 1) {
      bench.clock.advance(1_000);
      bench.heartbeat.heard();
    }
    assert.deepEqual(bench.log, []);
    bench.clock.advance(EVERY_MS + TICK_MS);
    assert.equal(bench.sent, 1);
  });

  it('always: sends at the same rate, however much the peer sends', () => {
    const bench = new Bench({ expects, always: true });
    for (let second = 0; second < 100; second += 1) {
      bench.clock.advance(1_000);
      bench.heartbeat.heard();
    }
    assert.deepEqual(
      bench.log,
      [20, 40, 60, 80, 100].map((second) => `ping@${second * 1_000}`),
    );
  });

  it('always: sends also while an answer is awaited, which does not extend the grace', () => {
    const bench = new Bench({ expects, always: true, everyMs: 4_000 });
    bench.clock.advance(30_000);
    assert.deepEqual(bench.log, [
      'ping@4000',
      'ping@8000',
      'heartbeat.missed@9000',
      'ping@12000',
      'end heartbeat-timeout@14000',
    ]);
  });

  it('proves nothing where no answer is expected', () => {
    const bench = new Bench();
    bench.clock.advance(100_000);
    assert.deepEqual(
      bench.log,
      [20, 40, 60, 80, 100].map((second) => `ping@${second * 1_000}`),
    );
  });

  it('takes any message of a suspect as proof, and restarts the interval', () => {
    const bench = new Bench({ expects });
    bench.clock.advance(26_000);
    bench.heartbeat.heard();
    bench.clock.advance(EVERY_MS + TICK_MS);
    assert.deepEqual(bench.log, [
      'ping@20000',
      'heartbeat.missed@25000',
      'heartbeat.answered@26000',
      'ping@46000',
    ]);
  });

  it('continues to send while reading is paused, and judges no peer', () => {
    for (const always of [false, true]) {
      const bench = new Bench({ expects, always });
      bench.pause();
      bench.clock.advance(101_000);
      assert.equal(bench.sent, 5);
      bench.resume();
      bench.clock.advance(EVERY_MS + GRACE_MS + 2 * TICK_MS);
      assert.equal(bench.isLost, true, 'once it is read again');
    }
  });

  it('never judges a peer that is not read because it was too fast', () => {
    const bench = new Bench({ expects });
    bench.clock.advance(21_000);
    bench.isResting = true;
    bench.clock.advance(30_000);
    assert.deepEqual(
      bench.log.filter((line) => !line.startsWith('ping')),
      [],
    );
    bench.isResting = false;
    bench.heartbeat.heard();
    bench.clock.advance(10_000);
    assert.equal(bench.isLost, false);
  });

  it('excludes a pause from the grace', () => {
    const bench = new Bench({ expects });
    bench.clock.advance(23_000);
    bench.pause();
    bench.clock.advance(100_000);
    assert.ok(bench.sent >= 5, 'it continues to send');
    assert.equal(bench.log.includes('heartbeat.missed@25000'), false);
    bench.resume();
    bench.clock.advance(1_900);
    assert.deepEqual(
      bench.log.filter((line) => line.startsWith('heartbeat')),
      [],
    );
    bench.clock.advance(12_000);
    assert.equal(bench.isLost, true);
  });

  it('never blames a peer for a stall of this side', () => {
    const bench = new Bench({ expects });
    bench.clock.advance(20_050);
    assert.equal(bench.sent, 1);
    bench.clock.stall(600_000);
    bench.clock.advance(500);
    assert.deepEqual(bench.log.slice(1), []);
    bench.heartbeat.heard();
    bench.clock.advance(5_000);
    assert.equal(bench.isLost, false);
  });

  it('begins the grace when the message has left, as long as the backlog before it moves', () => {
    const bench = new Bench({ expects });
    bench.isBackedUp = true;
    bench.bytesOut = 100;
    bench.clock.advance(20_050);
    for (let second = 0; second < 100; second += 4) {
      bench.clock.advance(4_000);
      bench.bytesLeft += 4;
    }
    assert.equal(bench.isLost, false);
    bench.bytesLeft = bench.bytesOut;
    bench.clock.advance(GRACE_MS * 2 + TICK_MS);
    assert.equal(bench.isLost, true);
  });

  it('loses a peer that reads nothing of the backlog', () => {
    const bench = new Bench({ expects });
    bench.isBackedUp = true;
    bench.clock.advance(31_000);
    assert.equal(bench.isLost, true);
  });

  it('expects nothing after a message that could not leave', () => {
    const bench = new Bench({ expects });
    bench.isWritable = false;
    bench.clock.advance(100_000);
    assert.deepEqual(bench.log, []);
  });

  it('asks the application for each message', () => {
    let count = 0;
    const message = () => {
      count += 1;
      return `ping ${count}`;
    };
    const bench = new Bench({ message });
    bench.clock.advance(45_000);
    assert.deepEqual(bench.log, ['ping 1@20000', 'ping 2@40000']);
  });

  it('reports a function that throws or is async, and continues', () => {
    const results = [
      () => {
        throw new Error('no idea');
      },
      () => Promise.reject(new Error('unheard')),
      () => 'ping',
    ];
    const bench = new Bench({ expects, message: () => results.shift()?.() });
    bench.clock.advance(62_000);
    assert.deepEqual(bench.log, [
      'heartbeat.message: no idea@20000',
      'heartbeat.message: heartbeat.message must not be async@40000',
      'ping@60000',
    ]);
  });

  it('sends nothing more once the function has ended the connection', () => {
    const bench: Bench = new Bench({
      message: () => {
        bench.isWritable = false;
        bench.heartbeat.stop();
        return 'ping';
      },
    });
    bench.clock.advance(100_000);
    assert.deepEqual([bench.log, bench.wheel.size], [[], 0]);
  });

  it('probes at once, but only once', () => {
    const bench = new Bench({ expects });
    bench.clock.advance(1_000);
    bench.heartbeat.probe();
    bench.heartbeat.probe();
    bench.clock.advance(GRACE_MS + TICK_MS);
    assert.deepEqual(bench.log, [
      'ping@1000',
      'heartbeat.missed@6000',
      'end heartbeat-timeout@11000',
    ]);
  });
});

describe('SilenceLimit', () => {
  function bench() {
    const line = new Line();
    return { line, limit: new SilenceLimit(line.core, 60_000) };
  }

  it('ends a connection after a silence, counted from the last message', () => {
    const { line, limit } = bench();
    line.clock.advance(50_000);
    limit.heard();
    line.clock.advance(59_000);
    assert.deepEqual(line.log, []);
    line.clock.advance(2_000);
    assert.deepEqual(line.log, ['end silent@110000']);
    assert.equal(line.wheel.size, 0);
  });

  it('stops its clock while reading is paused', () => {
    const { line } = bench();
    line.clock.advance(59_000);
    line.pause();
    line.clock.advance(600_000);
    line.resume();
    line.clock.advance(500);
    assert.deepEqual(line.log, []);
    line.clock.advance(60_000 / 8 + 1_000);
    assert.equal(line.log.length, 1);
  });

  it('waits for messages that a pause may hold back', () => {
    const { line, limit } = bench();
    line.clock.advance(59_000);
    line.isResting = true;
    line.clock.advance(30_000);
    assert.deepEqual(line.log, []);
    line.isResting = false;
    limit.heard();
    line.clock.advance(50_000);
    assert.deepEqual(line.log, []);
  });

  it('never counts a stall of this side as silence', () => {
    const { line } = bench();
    line.clock.advance(30_000);
    line.clock.stall(600_000);
    line.clock.advance(29_000);
    assert.deepEqual(line.log, []);
  });

  it('stops on request', () => {
    const { line, limit } = bench();
    limit.stop();
    line.clock.advance(100_000);
    assert.deepEqual([line.log, line.wheel.size], [[], 0]);
  });
});
