import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import { Writable } from 'node:stream';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { Outbox } from '../../src/connection/outbox.ts';
import type { Port } from '../../src/connection/port.ts';
import type { PortContext } from '../../src/connection/port-host.ts';
import { TimerWheel } from '../../src/core/timer-wheel.ts';
import { VirtualClock } from '../../src/testing/virtual-clock.ts';
import { turns } from '../support/until.ts';

const STALLED_MS = 15_000;

/** A socket whose peer takes what the test lets it take, with the buffer and the `drain` of a real one. */
class FakeSocket extends Writable {
  /** Whether the operating system takes everything at once. */
  isFast = false;
  taken = 0;
  readonly #pending: { bytes: number; written: (error?: Error) => void }[] = [];

  override _write(chunk: Buffer, _encoding: string, written: (error?: Error) => void): void {
    if (this.isFast) {
      this.taken += chunk.length;
      written();
    } else {
      this.#pending.push({ bytes: chunk.length, written });
    }
  }

  /** Lets the peer take the oldest frame. */
  take(): void {
    const oldest = this.#pending.shift();
    if (oldest === undefined) return;
    this.taken += oldest.bytes;
    oldest.written();
  }

  takeAll(): void {
    while (this.writableLength > 0) this.take();
  }

  /** Makes the write in progress fail. */
  break(error: Error): void {
    this.#pending.shift()?.written(error);
  }
}

interface Marks {
  high: number;
  low: number;
}

/** An outbox over a fake socket, with a port that notes what it is told. */
class Bench {
  readonly clock = new VirtualClock();
  readonly wheel = new TimerWheel(this.clock, 100);
  readonly log: string[] = [];
  readonly socket = new FakeSocket();
  readonly outbox: Outbox;

  constructor(marks: Partial<Marks> = {}) {
    const { high = 100_000, low = 25_000 } = marks;
    const { socket, log, wheel } = this;
    const port = {
      wire: {
        get flushMark() {
          return socket.taken;
        },
      },
      witness: { sendErrored: (error: Error) => log.push(`sendErrored ${error.message}`) },
      tell: (fact: string) => log.push(fact),
      end: (cause: string) => {
        log.push(`end ${cause}`);
        this.outbox.stop();
      },
    };
    const context = {
      wheel,
      limits: { outboxHighBytes: high, outboxLowBytes: low },
      timeouts: { stalledMs: STALLED_MS },
    };
    this.outbox = new Outbox(
      socket as unknown as Socket,
      port as unknown as Port,
      context as unknown as PortContext,
    );
    socket.on('error', () => {});
  }

  write(bytes: number) {
    return this.outbox.write(Buffer.alloc(bytes));
  }

  /** Writes frames of this size until one is refused; returns how many were not. */
  fill(bytes: number): number {
    let accepted = 0;
    while (this.write(bytes) !== 'refused') accepted += 1;
    return accepted;
  }
}

describe('Outbox', () => {
  it('says sent when the operating system took the frame at once', () => {
    const bench = new Bench();
    bench.socket.isFast = true;
    assert.equal(bench.write(10), 'sent');
    assert.equal(bench.write(1_000_000), 'sent');
    assert.deepEqual(bench.log, []);
  });

  it('says queued while something waits in this process', () => {
    const bench = new Bench();
    assert.equal(bench.write(10), 'queued');
    assert.equal(bench.write(10), 'queued');
    assert.equal(bench.socket.writableLength, 20);
  });

  it('writes the bytes of a frame as they are, in order', async () => {
    const bench = new Bench();
    const seen: Buffer[] = [];
    bench.socket.isFast = true;
    bench.socket._write = (chunk: Buffer, _encoding, written) => {
      seen.push(chunk);
      written();
    };
    const frames = ['one', 'two', 'three'].map((text) => Buffer.from(text));
    for (const frame of frames) bench.outbox.write(frame);
    await turns();
    assert.deepEqual(Buffer.concat(seen).toString(), 'onetwothree');
  });

  it('accepts the frame that passes the high mark whole, and none after it', () => {
    const bench = new Bench({ high: 1_000, low: 250 });
    assert.equal(bench.write(1_000), 'queued');
    assert.deepEqual(bench.log, [], 'at the mark is not above it');
    assert.equal(bench.write(1), 'queued');
    assert.deepEqual(bench.log, ['outbox.filled']);
    assert.equal(bench.write(1), 'refused');
    assert.equal(bench.socket.writableLength, 1_001);
    assert.deepEqual(bench.log, ['outbox.filled'], 'told once');
  });

  it('refuses what it is given once the socket is ended or gone', () => {
    const ended = new Bench();
    ended.socket.end();
    assert.equal(ended.write(1), 'refused');
    const gone = new Bench();
    gone.socket.destroy();
    assert.equal(gone.write(1), 'refused');
    assert.deepEqual([...ended.log, ...gone.log], []);
  });

  it('flows again when the backlog is gone', async () => {
    const bench = new Bench();
    bench.fill(10_000);
    bench.socket.takeAll();
    await turns(2);
    assert.deepEqual(bench.log, ['outbox.filled', 'outbox.drained']);
    bench.socket.isFast = true;
    assert.equal(bench.write(10), 'sent');
    assert.equal(bench.wheel.size, 0);
  });

  it('flows again at the low mark, and not before', async () => {
    const bench = new Bench({ high: 100_000, low: 25_000 });
    bench.fill(10_000);
    while (bench.socket.writableLength > 30_000) bench.socket.take();
    await turns(2);
    assert.equal(bench.write(1), 'refused');
    bench.socket.take();
    await turns(2);
    assert.equal(bench.socket.writableLength, 20_000);
    assert.deepEqual(bench.log, ['outbox.filled', 'outbox.drained']);
    assert.equal(bench.write(1), 'queued');
  });

  it('flows again when its marks are below those of the stream, which then never drains', async () => {
    const bench = new Bench({ high: 1_000, low: 250 });
    bench.fill(200);
    assert.equal(bench.socket.writableNeedDrain, false);
    bench.socket.takeAll();
    await turns(2);
    assert.deepEqual(bench.log, ['outbox.filled', 'outbox.drained']);
    bench.clock.advance(10 * STALLED_MS);
    assert.equal(bench.log.includes('end slow-consumer'), false);
  });

  it('ends a peer that takes not one byte for all of stalledMs', () => {
    const bench = new Bench();
    bench.fill(10_000);
    bench.clock.advance(STALLED_MS - 1);
    assert.deepEqual(bench.log, ['outbox.filled']);
    bench.clock.advance(200);
    assert.deepEqual(bench.log, ['outbox.filled', 'end slow-consumer']);
  });

  it('bears with a peer that takes a little in every stalledMs', () => {
    const bench = new Bench();
    bench.fill(1_000);
    for (let round = 0; round < 50; round += 1) {
      bench.clock.advance(STALLED_MS - 200);
      bench.socket.take();
    }
    assert.deepEqual(bench.log, ['outbox.filled']);
    bench.clock.advance(2 * STALLED_MS + 200);
    assert.deepEqual(bench.log, ['outbox.filled', 'end slow-consumer']);
  });

  it('watches nobody who is not congested', () => {
    const bench = new Bench();
    bench.write(10);
    assert.equal(bench.wheel.size, 0);
    bench.clock.advance(10 * STALLED_MS);
    assert.deepEqual(bench.log, []);
  });

  it('holds no deadline once stopped', () => {
    const bench = new Bench();
    bench.fill(10_000);
    assert.equal(bench.wheel.size, 1);
    bench.outbox.stop();
    bench.outbox.stop();
    assert.equal(bench.wheel.size, 0);
  });

  it('D06: reports a write that failed, and only that', async () => {
    const bench = new Bench();
    bench.write(10);
    bench.socket.take();
    bench.write(10);
    bench.socket.break(new Error('EPIPE'));
    await turns(2);
    assert.deepEqual(bench.log, ['sendErrored EPIPE']);
  });

  it('keeps its promises for any marks, frames and peer', async () => {
    const step = fc.oneof(
      fc.record({ write: fc.integer({ min: 1, max: 40_000 }) }),
      fc.record({ take: fc.integer({ min: 1, max: 8 }) }),
    );
    const marks = fc
      .tuple(fc.integer({ min: 1, max: 100_000 }), fc.double({ min: 0.01, max: 1, noNaN: true }))
      .map(([high, ratio]) => ({ high, low: Math.max(1, Math.floor(high * ratio)) }));
    const property = fc.asyncProperty(marks, fc.array(step, { maxLength: 30 }), assertPromises);
    await fc.assert(property, { numRuns: 150 });
  });
});

async function assertPromises(
  marks: Marks,
  steps: readonly ({ write: number } | { take: number })[],
): Promise<void> {
  const bench = new Bench(marks);
  for (const step of steps) {
    if ('write' in step) assertWrite(bench, step.write, marks);
    else for (let count = 0; count < step.take; count += 1) bench.socket.take();
    await turns();
  }
  bench.socket.takeAll();
  await turns();
  assert.notEqual(bench.write(1), 'refused', 'flows once everything is taken');
  assert.ok(
    bench.log.every((fact, index) => fact === facts[index % 2]),
    bench.log.join(),
  );
}

const facts = ['outbox.filled', 'outbox.drained'];

function assertWrite({ outbox, socket }: Bench, bytes: number, { high, low }: Marks): void {
  const before = socket.writableLength;
  const result = outbox.write(Buffer.alloc(bytes));
  if (before <= low) assert.equal(result, 'queued', `${before} buffered`);
  if (before > high) assert.equal(result, 'refused', `${before} buffered`);
  assert.equal(socket.writableLength, result === 'refused' ? before : before + bytes);
}
