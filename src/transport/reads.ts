import type { Clock } from '../core/clock.ts';
import type { Limits, Timeouts } from '../core/limits.ts';
import type { TimerWheel } from '../core/timer-wheel.ts';
import { UnfinishedMessages } from './reassembly.ts';

/** What the sockets of one supervisor, or of clients with the same options, share. */
interface ReadContext {
  readonly clock: Clock;
  readonly wheel: TimerWheel;
  readonly limits: Readonly<Limits>;
  readonly timeouts: Readonly<Timeouts>;
}

/** Limits the reads of the sockets of one supervisor, or of clients with the same options. */
export class Reads {
  readonly limits: Readonly<Limits>;
  readonly turns: ReadTurns;
  readonly unfinished: UnfinishedMessages;

  /** @param bytesMax - bytes that all unfinished messages together may hold. */
  constructor(context: ReadContext, bytesMax = Number.POSITIVE_INFINITY) {
    const { clock, wheel, limits, timeouts } = context;
    const { bufferedChunksMax } = limits;
    const { messageMs } = timeouts;
    this.limits = limits;
    this.turns = new ReadTurns(clock);
    this.unfinished = new UnfinishedMessages(wheel, { bufferedChunksMax, messageMs, bytesMax });
  }
}

/** Shorter reads are not timed: they cannot hold thousands of frames. */
const TIMED_BYTES_MIN = 4_096;

/** A read that takes longer than this counts as long. Node.js gives a socket up to 32 reads in a row. */
const READ_MS_MAX = 0.5;

/** A socket whose reads may take long. */
export interface TurnTaker {
  /** Stops reading until its turn. Returns `false`, and does nothing, if it is already paused. */
  awaitTurn(): boolean;
  takeTurn(): void;
}

/**
 * Lets sockets with long reads take turns: one socket in each turn of the event loop.
 *
 * A peer may fill its reads with thousands of tiny frames that no rate limit counts, even while its connection is
 * closing. Without turns, each such socket would get 32 reads in a row, and all other sockets would wait.
 */
export class ReadTurns {
  readonly #clock: Clock;
  /** Sockets that wait for a turn, in order. */
  readonly #waiting = new Set<TurnTaker>();
  #isDue = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Begins a read of this length. Returns the current time; `null` if the read is too short to be timed. */
  begin(bytes: number): number | null {
    return bytes < TIMED_BYTES_MIN ? null : this.#clock.now();
  }

  /** Ends a read. If it took long, its socket waits for a turn. */
  end(beganAtMs: number | null, taker: TurnTaker): void {
    if (beganAtMs === null || this.#clock.now() - beganAtMs < READ_MS_MAX) return;
    if (!taker.awaitTurn()) return;
    this.#waiting.add(taker);
    this.#nextLater();
  }

  /** Removes a socket that reads again, or is paused for another reason. */
  leave(taker: TurnTaker): void {
    this.#waiting.delete(taker);
  }

  #nextLater(): void {
    if (this.#isDue) return;
    this.#isDue = true;
    this.#clock.afterPoll(() => {
      this.#isDue = false;
      const [next] = this.#waiting;
      if (next === undefined) return;
      this.#waiting.delete(next);
      next.takeTurn();
      if (this.#waiting.size > 0) this.#nextLater();
    });
  }
}
