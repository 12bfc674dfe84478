import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { WriteBatcher } from '../../src/connection/write-batcher.ts';
import { messageFrame } from '../../src/core/frame.ts';
import { VirtualClock } from '../../src/testing/virtual-clock.ts';
import { frame, type Marks, OutboxBench, STALLED_MS } from '../support/outbox-bench.ts';
import { turns } from '../support/until.ts';

describe('Outbox', () => {
  it('returns sent when the operating system accepted the frame at once', () => {
    const bench = new OutboxBench();
    bench.socket.isFast = true;
    assert.equal(bench.write(10), 'sent');
    assert.equal(bench.write(1_000_000), 'sent');
    assert.deepEqual(bench.log, []);
  });

  it('returns queued while something waits in this process', () => {
    const bench = new OutboxBench();
    assert.equal(bench.write(10), 'queued');
    assert.equal(bench.write(10), 'queued');
    assert.equal(bench.socket.writableLength, 20);
  });

  it('refuses frames once the socket is ended or gone', () => {
    const ended = new OutboxBench();
    ended.socket.end();
    assert.equal(ended.write(1), 'refused');
    const gone = new OutboxBench();
    gone.socket.destroy();
    assert.equal(gone.write(1), 'refused');
    assert.deepEqual([...ended.log, ...gone.log], []);
  });

  it('accepts frames again when the backlog is gone', async () => {
    const bench = new OutboxBench();
    bench.fill(10_000);
    bench.socket.takeAll();
    await turns(2);
    assert.deepEqual(bench.log, ['outbox.filled', 'outbox.drained']);
    bench.socket.isFast = true;
    assert.equal(bench.write(10), 'sent');
    assert.equal(bench.wheel.size, 0);
  });

  it('accepts frames again when its marks are below those of the stream, which then never drains', async () => {
    const bench = new OutboxBench({ high: 1_000, low: 250 });
    bench.fill(200);
    assert.equal(bench.socket.writableNeedDrain, false);
    bench.socket.takeAll();
    await turns(2);
    assert.deepEqual(bench.log, ['outbox.filled', 'outbox.drained']);
    bench.clock.advance(10 * STALLED_MS);
    assert.equal(bench.log.includes('end slow-consumer'), false);
  });

  it('tells once when there is space for frames that can wait', async () => {
    const bench = new OutboxBench({ high: 10_000, low: 1_000 });
    assert.equal(bench.outbox.hasSpace(), true);
    bench.write(600);
    bench.write(600);
    assert.equal(bench.outbox.hasSpace(), false);
    assert.equal(bench.write(10), 'queued', 'others may leave');
    bench.socket.takeAll();
    await turns(2);
    assert.deepEqual([bench.log, bench.outbox.hasSpace()], [['space'], true]);
    bench.write(10);
    bench.socket.takeAll();
    await turns(2);
    assert.deepEqual(bench.log, ['space']);
    assert.equal(bench.wheel.size, 0);
  });

  it('tells of space also if a single write fills the outbox', async () => {
    const bench = new OutboxBench({ high: 10_000, low: 1_000 });
    bench.write(5_000);
    assert.equal(bench.outbox.hasSpace(), false);
    bench.socket.takeAll();
    await turns(2);
    assert.deepEqual(bench.log, ['space']);
  });

  it('tells of space also behind frames that others have written', async () => {
    const bench = new OutboxBench({ high: 10_000, low: 1_000 });
    // A frame that members share, or a control frame.
    bench.socket.write(Buffer.alloc(5_000));
    assert.equal(bench.outbox.hasSpace(), false);
    bench.socket.write(Buffer.alloc(5_000));
    assert.equal(bench.outbox.hasSpace(), false);
    bench.socket.take();
    await turns(2);
    assert.deepEqual(bench.log, []);
    bench.socket.takeAll();
    await turns(2);
    assert.deepEqual(bench.log, ['space']);
  });

  it('writes its batch if that leaves no space, and tells of space also then', async () => {
    const bench = new OutboxBench({ high: 10_000, low: 1_000 });
    bench.outbox.publish(Buffer.alloc(2_000));
    const flushed = bench.outbox.sendAndFlush(Buffer.alloc(10));
    bench.socket.isFast = true;
    assert.equal(bench.outbox.hasSpace(), false);
    assert.equal(await flushed, 'sent');
    await turns(2);
    assert.deepEqual([bench.log, bench.outbox.hasSpace()], [['space'], true]);
  });

  it('ends a peer that takes nothing while frames wait for space', async () => {
    const bench = new OutboxBench({ high: 10_000, low: 1_000 });
    bench.write(600);
    bench.write(600);
    assert.equal(bench.outbox.hasSpace(), false);
    bench.clock.advance(STALLED_MS + 200);
    assert.deepEqual(bench.log, ['end slow-consumer']);
  });

  it('D06: reports that a delayed write failed', async () => {
    const bench = new OutboxBench();
    bench.write(10);
    bench.write(10);
    bench.socket.take();
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
  const bench = new OutboxBench(marks);
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

function assertWrite(bench: OutboxBench, bytes: number, { high }: Marks): void {
  const { socket } = bench;
  const before = socket.writableLength;
  const result = bench.write(bytes);
  if (before === 0) assert.equal(result, 'queued');
  if (before > high) assert.equal(result, 'refused', `${before} buffered`);
  assert.equal(socket.writableLength, result === 'refused' ? before : before + bytes);
}

describe('a turn of an outbox', () => {
  it('writes the first frame of send at once, and the rest together at the end', () => {
    const bench = new OutboxBench();
    const writes = bench.watchWrites();
    assert.equal(bench.outbox.send(frame('a')), 'sent');
    assert.equal(bench.outbox.send(frame('b')), 'queued');
    assert.equal(bench.outbox.publish(frame('c')), 'queued');
    assert.equal(bench.outbox.send(frame('d')), 'queued');
    assert.deepEqual(writes, ['a']);
    assert.equal(bench.outbox.pendingBytes, 3);
    bench.endTurn();
    assert.deepEqual(writes, ['a', 'bcd']);
    assert.equal(bench.outbox.pendingBytes, 0);
    assert.equal(bench.outbox.send(frame('e')), 'sent', 'a new turn');
  });

  it('puts a sent frame behind frames that were published before', () => {
    const bench = new OutboxBench();
    const writes = bench.watchWrites();
    bench.outbox.publish(frame('a'));
    assert.equal(bench.outbox.send(frame('b')), 'queued');
    bench.endTurn();
    assert.deepEqual(writes, ['ab']);
  });

  it('ends early when it holds more than the high mark', () => {
    const bench = new OutboxBench({ high: 10, low: 5 });
    bench.outbox.publish(frame('12345'));
    bench.outbox.publish(frame('67890'));
    assert.equal(bench.socket.writableLength, 0, 'at the mark is not above it');
    assert.equal(bench.outbox.publish(frame('x')), 'queued');
    assert.equal(bench.socket.writableLength, 11);
    assert.equal(bench.outbox.publish(frame('y')), 'refused');
    assert.deepEqual(bench.log, ['outbox.filled']);
  });

  it('flushes accepted frames when the outbox stops', () => {
    const bench = new OutboxBench();
    const writes = bench.watchWrites();
    bench.outbox.publish(frame('last words'));
    bench.outbox.stop();
    assert.deepEqual(writes, ['last words']);
    bench.endTurn();
    assert.deepEqual(writes, ['last words']);
  });

  it('keeps the order of all frames, whether sent or published', () => {
    const ways = fc.constantFrom('send', 'publish', 'sendAndFlush', 'endTurn');
    const property = fc.property(fc.array(ways, { maxLength: 40 }), (steps) => {
      const bench = new OutboxBench();
      const writes = bench.watchWrites();
      const given: string[] = [];
      for (const [index, way] of steps.entries()) {
        if (way === 'endTurn') {
          bench.endTurn();
          continue;
        }
        given.push(`${index};`);
        void bench.outbox[way](frame(`${index};`));
      }
      bench.endTurn();
      assert.equal(writes.join(''), given.join(''));
    });
    fc.assert(property, { numRuns: 300 });
  });
});

describe('frames that many outboxes get', () => {
  it('are joined once for all outboxes that get the same frames', () => {
    const clock = new VirtualClock();
    const writeBatcher = new WriteBatcher(clock);
    const [one, two, three] = [messageFrame('1'), messageFrame('2'), messageFrame('3')];
    const begin = () => writeBatcher.begin({ flush: () => {} }, one);
    assert.equal(begin(), begin());
    assert.equal(begin().chunks[0], one, 'a single frame is not copied');
    const first = begin().with(two);
    assert.equal(begin().with(two), first);
    assert.deepEqual(first.chunks, [Buffer.concat([one, two])]);
    assert.equal(first.chunks, first.chunks);
    const other = begin().with(three);
    assert.deepEqual(other.chunks, [Buffer.concat([one, three])]);
    assert.deepEqual(first.with(three).chunks, [Buffer.concat([one, two, three])]);
    assert.equal(first.with(three).bytes, one.length + two.length + three.length);
  });

  it('are never copied when they are large, whatever else each outbox has', () => {
    const writeBatcher = new WriteBatcher(new VirtualClock());
    const large = Buffer.alloc(20_000);
    const [small, mine, yours] = [messageFrame('s'), messageFrame('mine'), messageFrame('yours')];
    const begin = () => writeBatcher.begin({ flush: () => {} }, small).with(large);
    assert.equal(begin().with(mine).chunks[1], large);
    assert.equal(begin().with(yours).chunks[1], large);
    assert.deepEqual(begin().with(mine).with(yours).chunks, [
      small,
      large,
      Buffer.concat([mine, yours]),
    ]);
  });

  it('are released with their turn', () => {
    const clock = new VirtualClock();
    const writeBatcher = new WriteBatcher(clock);
    let flushed = 0;
    const only = messageFrame('1');
    const batch = writeBatcher.begin({ flush: () => (flushed += 1) }, only);
    assert.equal(writeBatcher.number, 0);
    clock.step(0);
    clock.step(0);
    assert.deepEqual([writeBatcher.number, flushed], [1, 1]);
    assert.notEqual(writeBatcher.begin({ flush: () => {} }, only), batch);
  });
});

describe('an outbox that throws when its turn ends', () => {
  it('never keeps the frames of the others from leaving', () => {
    const clock = new VirtualClock();
    const writeBatcher = new WriteBatcher(clock);
    const flushed: string[] = [];
    const failing = () => {
      throw new Error('out of order');
    };
    const only = messageFrame('1');
    writeBatcher.begin({ flush: failing }, only);
    writeBatcher.begin({ flush: () => flushed.push('second') }, only);
    writeBatcher.begin({ flush: failing }, only);
    writeBatcher.begin({ flush: () => flushed.push('fourth') }, only);
    assert.throws(() => clock.step(0), { name: 'AggregateError', message: /2 errors.*out of/ });
    assert.deepEqual([flushed, writeBatcher.number], [['second', 'fourth'], 1]);
  });
});

describe('a frame whose sender waits for the result', () => {
  it('is sent once the operating system has it', async () => {
    const bench = new OutboxBench();
    const result = bench.outbox.sendAndFlush(frame('hi'));
    bench.endTurn();
    assert.equal(await Promise.race([result, turns(2)]), undefined, 'the peer has not taken it');
    bench.socket.take();
    assert.equal(await result, 'sent');
  });

  it('is refused while congested', async () => {
    const bench = new OutboxBench();
    bench.fill(10_000);
    assert.equal(await bench.outbox.sendAndFlush(frame('hi')), 'refused');
  });

  it('is lost when its write fails', async () => {
    const bench = new OutboxBench();
    const result = bench.outbox.sendAndFlush(frame('hi'));
    bench.endTurn();
    bench.socket.break(new Error('EPIPE'));
    assert.equal(await result, 'lost');
  });

  it('is lost when the socket is gone before the turn is over', async () => {
    const bench = new OutboxBench();
    const result = bench.outbox.sendAndFlush(frame('hi'));
    bench.socket.destroy();
    bench.endTurn();
    assert.equal(await result, 'lost');
  });

  it('is sent once the operating system accepted it, whatever happens to the socket next', async () => {
    const bench = new OutboxBench();
    bench.socket.isFast = true;
    const written = bench.outbox.sendAndFlush(frame('hi'));
    bench.endTurn();
    bench.socket.destroy();
    assert.equal(await written, 'sent');
    await turns(2);
    assert.deepEqual(bench.log, []);
  });

  it('is lost when the socket is gone first', async () => {
    const bench = new OutboxBench();
    const written = bench.outbox.sendAndFlush(frame('hi'));
    bench.endTurn();
    const waiting = bench.outbox.sendAndFlush(frame('ho'));
    bench.socket.destroy();
    bench.endTurn();
    assert.deepEqual(await Promise.all([written, waiting]), ['lost', 'lost']);
  });
});
