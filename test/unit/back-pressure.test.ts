// Goal: a slow peer is handled alike whichever side dialed. Method: one table for both outboxes, each over a fake
// socket whose peer reads as much as the test allows, on virtual time.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { DialedBench } from '../support/dialed-bench.ts';
import { OutboxBench, PAUSED_MS, STALLED_MS } from '../support/outbox-bench.ts';
import { turns } from '../support/until.ts';

const marks = { high: 1_000, low: 250 };
const FRAME_BYTES = 100;
const TICK_MS = 100;
const SLACK_MS = 2 * TICK_MS;

const filled = ['outbox.filled'];
const drained = ['outbox.filled', 'outbox.drained'];
const ended = ['outbox.filled', 'end slow-consumer'];

/** An outbox that gets frames of {@link FRAME_BYTES}, and a peer that reads some of them. */
abstract class Stage {
  abstract readonly bench: OutboxBench | DialedBench;
  protected abstract takeOne(): void;

  get log(): readonly string[] {
    return this.bench.log;
  }

  write(frames = 1): string {
    let result = '';
    for (let left = frames; left > 0; left -= 1) result = this.bench.write(FRAME_BYTES);
    return result;
  }

  /** Eleven frames: just above the high mark. */
  fill(): void {
    this.write(11);
    assert.deepEqual(this.log, filled);
  }

  async take(frames: number): Promise<void> {
    for (let left = frames; left > 0; left -= 1) this.takeOne();
    await turns(2);
    this.pass(TICK_MS);
  }

  pass(ms: number): void {
    this.bench.clock.advance(ms);
  }

  /** Lets time pass in which nothing is read. */
  pause(ms: number, reason: 'user' | 'handlers'): void {
    for (let left = ms; left > 0; left -= TICK_MS) {
      this.bench.pausedMs += TICK_MS;
      if (reason === 'handlers') this.bench.handlersPausedMs += TICK_MS;
      this.pass(TICK_MS);
    }
  }
}

class AcceptedStage extends Stage {
  readonly bench = new OutboxBench(marks);

  protected takeOne(): void {
    this.bench.socket.take();
  }
}

class DialedStage extends Stage {
  readonly bench: DialedBench;

  constructor(high = marks.high) {
    super();
    this.bench = new DialedBench({ ...marks, high });
  }

  protected takeOne(): void {
    this.bench.take(FRAME_BYTES);
  }
}

for (const [side, NewStage] of [
  ['an accepted connection', AcceptedStage],
  ['a dialed connection', DialedStage],
] as const) {
  describe(`back-pressure of ${side}`, () => {
    it('accepts the frame that passes the high mark, and none after it', () => {
      const stage = new NewStage();
      assert.equal(stage.write(10), 'queued');
      assert.deepEqual(stage.log, [], 'at the mark is not above it');
      assert.equal(stage.write(), 'queued');
      assert.deepEqual(stage.log, filled);
      assert.equal(stage.write(2), 'refused');
      assert.deepEqual(stage.log, filled, 'sent once');
    });

    it('accepts frames again at the low mark, and not before', async () => {
      const stage = new NewStage();
      stage.fill();
      await stage.take(8);
      assert.equal(stage.write(), 'refused');
      await stage.take(1);
      assert.deepEqual(stage.log, drained);
      assert.equal(stage.write(), 'queued');
      assert.equal(stage.bench.wheel.size, 0);
    });

    it('fills and drains in alternation', async () => {
      const stage = new NewStage();
      for (let round = 0; round < 3; round += 1) {
        stage.write(11);
        await stage.take(11);
      }
      assert.deepEqual(stage.log, [...drained, ...drained, ...drained]);
    });

    it('ends a connection whose peer reads no byte for stalledMs', () => {
      const stage = new NewStage();
      stage.fill();
      stage.pass(STALLED_MS - 1);
      assert.deepEqual(stage.log, filled);
      stage.pass(SLACK_MS);
      assert.deepEqual(stage.log, ended);
    });

    it('keeps a peer that reads a little in every stalledMs, and ends the connection when it stops', async () => {
      const stage = new NewStage();
      stage.write(60);
      stage.fill();
      for (let round = 0; round < 8; round += 1) {
        stage.pass(STALLED_MS - 2 * TICK_MS);
        await stage.take(1);
      }
      assert.deepEqual(stage.log, filled);
      stage.pass(STALLED_MS - 2 * TICK_MS);
      assert.deepEqual(stage.log, filled);
      stage.pass(TICK_MS + SLACK_MS);
      assert.deepEqual(stage.log, ended);
    });

    for (const [reason, pauseMs] of [
      ['user', 10 * PAUSED_MS],
      ['handlers', PAUSED_MS],
    ] as const) {
      it(`never counts time in which reading is paused: ${reason}`, () => {
        const stage = new NewStage();
        stage.fill();
        stage.pass(STALLED_MS / 2);
        stage.pause(pauseMs, reason);
        assert.deepEqual(stage.log, filled);
        stage.pass(STALLED_MS / 2 + SLACK_MS);
        assert.deepEqual(stage.log, ended);
      });
    }

    it('counts handler time beyond pausedMs while no byte leaves', async () => {
      const stage = new NewStage();
      stage.fill();
      stage.pause(PAUSED_MS, 'handlers');
      // The first frame on an idle socket leaves without a notification.
      await stage.take(2);
      stage.pause(PAUSED_MS + STALLED_MS - SLACK_MS, 'handlers');
      assert.deepEqual(stage.log, filled);
      stage.pause(2 * SLACK_MS, 'handlers');
      assert.deepEqual(stage.log, ended);
    });

    it('never watches a peer that is not congested', () => {
      const stage = new NewStage();
      stage.write(10);
      assert.equal(stage.bench.wheel.size, 0);
      stage.pass(10 * STALLED_MS);
      assert.deepEqual(stage.log, []);
    });

    it('holds no deadline and reports nothing once stopped', async () => {
      const stage = new NewStage();
      stage.fill();
      stage.bench.outbox.stop();
      stage.bench.outbox.stop();
      assert.equal(stage.bench.wheel.size, 0);
      await stage.take(11);
      stage.pass(10 * STALLED_MS);
      assert.deepEqual(stage.log, filled);
    });
  });
}

describe('a message that a dialed connection has queued', () => {
  it('is sent once enough bytes have left, and lost when the connection ends first', () => {
    const { bench } = new DialedStage();
    const results: string[] = [];
    for (const name of ['first', 'second']) {
      bench.outbox.send(new Uint8Array(FRAME_BYTES), {
        message: name,
        settle: (result) => results.push(`${name} ${result}`),
      });
    }
    bench.take(FRAME_BYTES);
    assert.deepEqual(results, ['first sent']);
    bench.outbox.stop();
    assert.deepEqual(results, ['first sent']);
    bench.outbox.end();
    assert.deepEqual([results, bench.lost], [['first sent', 'second lost'], ['second']]);
  });

  it('is sent when it leaves after the outbox was stopped', () => {
    const { bench } = new DialedStage();
    const results: string[] = [];
    const settle = (result: string) => results.push(result);
    bench.outbox.send(new Uint8Array(FRAME_BYTES), { message: 'last', settle });
    bench.outbox.stop();
    assert.equal(bench.write(FRAME_BYTES), 'refused');
    bench.take(FRAME_BYTES);
    bench.outbox.end();
    assert.deepEqual([results, bench.lost], [['sent'], []]);
  });

  it('is lost when a listener for the full outbox ends the connection', () => {
    const { bench } = new DialedStage();
    const results: string[] = [];
    bench.whenFilled = () => bench.outbox.end();
    const settle = (result: string) => results.push(result);
    bench.outbox.send(new Uint8Array(2 * marks.high), { message: 'large', settle });
    assert.deepEqual(results, ['lost']);
    assert.equal(bench.wheel.size, 0);
  });

  it('leaves room for as much as fits into the window, or for one message that does not fit', () => {
    const { bench } = new DialedStage(100_000);
    const fits = (bytes: number) => bench.outbox.hasRoom(bytes);
    assert.equal(fits(1_000_000), true);
    bench.outbox.send(new Uint8Array(60_000), { message: 'first', settle: undefined });
    assert.deepEqual([fits(5_536), fits(5_537)], [true, false]);
    bench.take(60_000);
    assert.equal(fits(1_000_000), true);
  });

  it('must leave within stalledMs when another message waits for room', () => {
    const { bench } = new DialedStage(100_000);
    bench.outbox.send(new Uint8Array(60_000), { message: 'first', settle: undefined });
    bench.clock.advance(10 * STALLED_MS);
    assert.deepEqual(bench.log, []);
    bench.outbox.awaitRoom(true);
    bench.clock.advance(STALLED_MS - TICK_MS);
    bench.take(1);
    bench.clock.advance(STALLED_MS - TICK_MS);
    assert.deepEqual(bench.log, ['room']);
    bench.clock.advance(2 * TICK_MS + SLACK_MS);
    assert.deepEqual(bench.log, ['room', 'end slow-consumer']);
  });

  it('makes room once it has left, and then nothing is watched', () => {
    const { bench } = new DialedStage(100_000);
    bench.outbox.send(new Uint8Array(70_000), { message: 'first', settle: undefined });
    bench.outbox.awaitRoom(true);
    bench.take(70_000);
    assert.deepEqual(bench.log, ['room']);
    bench.outbox.awaitRoom(false);
    assert.equal(bench.wheel.size, 0);
    bench.clock.advance(10 * STALLED_MS);
    assert.deepEqual(bench.log, ['room']);
  });
});
