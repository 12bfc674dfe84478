import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Clock } from '../../src/core/clock.ts';
import { ReadTurns } from '../../src/transport/reads.ts';

/** A clock whose time and polls the test advances. */
class Turning {
  nowMs = 0;
  #due: (() => void)[] = [];

  readonly turns = new ReadTurns({
    now: () => this.nowMs,
    afterPoll: (callback: () => void) => void this.#due.push(callback),
  } as Clock);

  get isDue(): boolean {
    return this.#due.length > 0;
  }

  endPoll(): void {
    const due = this.#due;
    this.#due = [];
    for (const callback of due) callback();
  }
}

describe('ReadTurns', () => {
  const taken: string[] = [];

  function taker(name: string, isPaused = false) {
    return { awaitTurn: () => !isPaused, takeTurn: () => void taken.push(name) };
  }

  function read(turning: Turning, { ms = 1, bytes = 65_536 }, by = taker('a')): void {
    const beganAtMs = turning.turns.begin(bytes);
    turning.nowMs += ms;
    turning.turns.end(beganAtMs, by);
  }

  it('lets one socket read in each turn of the event loop, in order of arrival', () => {
    taken.length = 0;
    const turning = new Turning();
    for (const name of ['a', 'b', 'c']) read(turning, {}, taker(name));
    const seen: string[] = [];
    while (turning.isDue) {
      turning.endPoll();
      seen.push(taken.join(''));
    }
    assert.deepEqual(seen, ['a', 'ab', 'abc']);
  });

  it('never delays a quick or short read, or a paused socket', () => {
    taken.length = 0;
    const turning = new Turning();
    read(turning, { ms: 0.1 });
    read(turning, { bytes: 100 });
    read(turning, {}, taker('paused', true));
    assert.equal(turning.isDue, false);
  });

  it('skips a socket that has left, without a turn for it', () => {
    taken.length = 0;
    const turning = new Turning();
    const [a, b] = [taker('a'), taker('b')];
    read(turning, {}, a);
    read(turning, {}, b);
    turning.turns.leave(a);
    turning.endPoll();
    assert.deepEqual([taken, turning.isDue], [['b'], false]);
    read(turning, {}, a);
    turning.turns.leave(a);
    turning.endPoll();
    assert.deepEqual([taken, turning.isDue], [['b'], false]);
  });
});
