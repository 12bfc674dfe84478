import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { TokenBucket } from '../../src/core/token-bucket.ts';

/** How many tokens the bucket gives until it is empty. */
function drainedBy(bucket: TokenBucket, nowMs: number): number {
  let taken = 0;
  while (bucket.take(nowMs)) taken += 1;
  return taken;
}

describe('TokenBucket', () => {
  it('gives a burst at once, then nothing', () => {
    const bucket = new TokenBucket({ perSecond: 10, burst: 5 }, 1_000);
    assert.equal(drainedBy(bucket, 1_000), 5);
    assert.equal(bucket.take(1_000), false);
  });

  it('gives a token for each share of a second', () => {
    const bucket = new TokenBucket({ perSecond: 10, burst: 5 }, 0);
    drainedBy(bucket, 0);
    assert.equal(bucket.take(99), false);
    assert.equal(bucket.take(100), true);
    assert.equal(bucket.take(100), false);
    assert.equal(drainedBy(bucket, 400), 3);
  });

  it('never saves more than a burst', () => {
    const bucket = new TokenBucket({ perSecond: 1_000, burst: 3 }, 0);
    assert.equal(drainedBy(bucket, 3_600_000), 3);
  });

  it('saves fractions, so that a refused attempt costs nothing', () => {
    const bucket = new TokenBucket({ perSecond: 1, burst: 1 }, 0);
    assert.equal(bucket.take(0), true);
    for (let nowMs = 1; nowMs < 1_000; nowMs += 1) assert.equal(bucket.take(nowMs), false);
    assert.equal(bucket.take(1_000.001), true);
  });

  it('gives nothing for time that runs backwards', () => {
    const bucket = new TokenBucket({ perSecond: 1_000, burst: 1 }, 5_000);
    assert.equal(bucket.take(5_000), true);
    assert.equal(bucket.take(0), false);
    assert.equal(bucket.take(4_999), false);
    assert.equal(bucket.take(5_001), true);
  });

  it('computes the time until it has as many tokens as a period brings', () => {
    const bucket = new TokenBucket({ perSecond: 100, burst: 20 }, 0);
    assert.equal(bucket.msUntil(100, 0), 0);
    assert.equal(bucket.isSpent, false);
    drainedBy(bucket, 0);
    assert.equal(bucket.isSpent, true);
    assert.equal(bucket.msUntil(100, 0), 100, 'ten tokens');
    assert.equal(bucket.msUntil(100, 40), 60);
    assert.equal(bucket.msUntil(10_000, 40), 160, 'no more than a burst');
    const slow = new TokenBucket({ perSecond: 2, burst: 5 }, 0);
    drainedBy(slow, 0);
    assert.equal(slow.msUntil(100, 0), 500, 'one token at least');
  });

  it('never gives more than the burst plus the rate over any period, and never less', () => {
    const rate = fc.record({
      perSecond: fc.integer({ min: 1, max: 5_000 }),
      burst: fc.integer({ min: 1, max: 5_000 }),
    });
    const gaps = fc.array(fc.nat(500), { minLength: 1, maxLength: 100 });
    fc.assert(
      fc.property(rate, gaps, ({ perSecond, burst }, pausesMs) => {
        const bucket = new TokenBucket({ perSecond, burst }, 0);
        let nowMs = 0;
        let given = drainedBy(bucket, nowMs);
        assert.equal(given, burst);
        for (const pauseMs of pausesMs) {
          nowMs += pauseMs;
          const gained = drainedBy(bucket, nowMs);
          assert.ok(gained <= burst);
          given += gained;
          assert.ok(given <= burst + (nowMs * perSecond) / 1_000 + 1e-6);
        }
        const isNeverFull = pausesMs.every((pauseMs) => (pauseMs * perSecond) / 1_000 < burst - 1);
        if (isNeverFull) assert.ok(given >= burst + (nowMs * perSecond) / 1_000 - 1.000_001);
      }),
    );
  });
});
