import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { Backoff, RestartIntensity } from '../../src/client/reconnect/backoff.ts';

const options = { minMs: 500, maxMs: 20_000, slowMs: 30_000, stableMs: 5_000 };

/** The delays of an outage in which every attempt ends alike. */
function delays(random: number, count: number, ending = {}): number[] {
  const backoff = new Backoff(options, () => random);
  return Array.from({ length: count }, () => backoff.next(ending));
}

describe('Backoff', () => {
  it('doubles its ceiling from the first delay to the last', () => {
    assert.deepEqual(delays(1, 8), [500, 1_000, 2_000, 4_000, 8_000, 16_000, 20_000, 20_000]);
  });

  it('applies full jitter: anything from zero to the ceiling', () => {
    assert.deepEqual(delays(0, 3), [0, 0, 0]);
    assert.deepEqual(delays(0.5, 3), [250, 500, 1_000]);
  });

  it('starts over after a reset', () => {
    const backoff = new Backoff(options, () => 1);
    for (let failures = 0; failures < 5; failures += 1) backoff.next({});
    assert.equal(backoff.next({}), 16_000);
    backoff.reset();
    assert.equal(backoff.next({}), 500);
  });

  it('stays finite after any number of failures', () => {
    assert.equal(delays(1, 2_000).at(-1), 20_000);
  });

  it('waits at least as long as Retry-After asks, and jitters beyond it', () => {
    assert.deepEqual(delays(0, 1, { retryAfterMs: 7_000 }), [7_000]);
    assert.deepEqual(delays(1, 2, { retryAfterMs: 7_000 }), [7_500, 8_000]);
  });

  it('never waits longer than ten minutes for a Retry-After', () => {
    assert.deepEqual(delays(0, 1, { retryAfterMs: 10 ** 12 }), [600_000]);
  });

  it('spreads over 5 to 30 seconds after 1012, and over 10 to 20 seconds after 1013', () => {
    assert.deepEqual(delays(0, 1, { code: 1012 }), [5_000]);
    assert.deepEqual(delays(1, 1, { code: 1012 }), [30_000]);
    assert.deepEqual(delays(0, 1, { code: 1013 }), [10_000]);
    assert.deepEqual(delays(1, 1, { code: 1013 }), [20_000]);
  });

  it('spreads a crowd of a thousand evenly over the first ceilings', () => {
    const property = fc.property(fc.integer(), (seed) => {
      let state = seed >>> 0;
      const random = () => {
        state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
        return state / 2 ** 32;
      };
      const first = Array.from({ length: 1_000 }, () => new Backoff(options, random).next({}));
      const tenths = Array.from(
        { length: 10 },
        (_, tenth) => first.filter((ms) => Math.floor(ms / 50) === tenth).length,
      );
      for (const count of tenths) assert.ok(count > 50 && count < 150, `${tenths}`);
    });
    fc.assert(property, { numRuns: 20 });
  });
});

describe('RestartIntensity', () => {
  it('is exceeded by one more ending than allowed within the time', () => {
    const intensity = new RestartIntensity({ max: 3, withinMs: 1_000 });
    const answers = [0, 10, 20, 30].map((nowMs) => intensity.exceeded(nowMs));
    assert.deepEqual(answers, [false, false, false, true]);
  });

  it('forgets older endings', () => {
    const intensity = new RestartIntensity({ max: 3, withinMs: 1_000 });
    for (let nowMs = 0; nowMs < 100_000; nowMs += 400)
      assert.equal(intensity.exceeded(nowMs), false);
  });
});
