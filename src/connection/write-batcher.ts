import type { Clock } from '../core/clock.ts';
import type { Frame } from '../core/frame.ts';
import { runEach } from '../core/guard.ts';

/** A frame of this size is written without a copy. */
const LARGE_BYTES = 16_384;

/**
 * The frames of one turn of the event loop for one member, in order.
 *
 * Publications go to many members in the same order, so members with the same frames share one batch, and its bytes are
 * joined once for all of them.
 */
export class FrameBatch {
  /** Bytes of all its frames. */
  readonly bytes: number;

  readonly #before: FrameBatch | null;
  readonly #frame: Frame;
  #next: FrameBatch | null = null;
  #chunks: readonly Buffer[] | null = null;

  constructor(before: FrameBatch | null, frame: Frame) {
    this.#before = before;
    this.#frame = frame;
    this.bytes = (before?.bytes ?? 0) + frame.length;
  }

  /** Returns this batch with one more frame: the same object for all members that get the same frame next. */
  with(frame: Frame): FrameBatch {
    if (this.#next === null || !this.#next.endsWith(frame))
      this.#next = new FrameBatch(this, frame);
    return this.#next;
  }

  endsWith(frame: Frame): boolean {
    return this.#frame === frame;
  }

  /** The bytes to write, the same for all members: small frames joined, large ones unchanged. */
  get chunks(): readonly Buffer[] {
    this.#chunks ??= this.#before === null ? [this.#frame] : joined(this.frames);
    return this.#chunks;
  }

  get frames(): Frame[] {
    const frames: Frame[] = [];
    for (let batch: FrameBatch | null = this; batch !== null; batch = batch.#before) {
      frames.push(batch.#frame);
    }
    return frames.reverse();
  }
}

/** Joins small frames in a row: a copy costs less than a chunk of its own. */
function joined(frames: readonly Frame[]): Buffer[] {
  const chunks: Buffer[] = [];
  let small: Frame[] = [];
  for (const frame of frames) {
    if (frame.length < LARGE_BYTES) small.push(frame);
    else {
      if (small.length > 0) chunks.push(Buffer.concat(small));
      chunks.push(frame);
      small = [];
    }
  }
  if (small.length > 0) chunks.push(Buffer.concat(small));
  return chunks;
}

/** Has a batch of its own, and writes it when the turn is over. */
export interface Flushable {
  flush(): unknown;
}

/**
 * Tracks the turns of the event loop, and flushes outboxes at the end of each. A turn lasts from its first frame until all
 * waiting input has been read.
 *
 * The batch of a turn leaves in one write, because a write costs twenty times as much as the rest of a delivery
 * (measured).
 */
export class WriteBatcher {
  /** Runs at the end of each turn, before the outboxes write their batches. */
  beforeFlush: () => void = () => {};

  readonly #clock: Clock;
  #number = 0;
  #isEndDue = false;
  #waiting: Flushable[] = [];
  #first: FrameBatch | null = null;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The number of the current turn. */
  get number(): number {
    return this.#number;
  }

  /** Begins a batch that is flushed at the end of this turn. */
  begin(outbox: Flushable, frame: Frame): FrameBatch {
    this.flushLater(outbox);
    if (this.#first === null || !this.#first.endsWith(frame))
      this.#first = new FrameBatch(null, frame);
    return this.#first;
  }

  /** Flushes an outbox at the end of this turn. */
  flushLater(outbox: Flushable): void {
    this.endLater();
    this.#waiting.push(outbox);
  }

  /** Schedules the end of this turn, unless that is done already. */
  endLater(): void {
    if (this.#isEndDue) return;
    this.#isEndDue = true;
    this.#clock.afterPoll(() => this.#end());
  }

  #end(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    this.#first = null;
    this.#isEndDue = false;
    this.#number += 1;
    try {
      this.beforeFlush();
    } finally {
      runEach(waiting, (outbox) => outbox.flush());
    }
  }
}
