import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { HeartbeatStagger } from '../../src/connection/heartbeat-stagger.ts';

const NEIGHBOURS = 16;
const start = fc.double({ min: 0, max: 1, noNaN: true });

function take(stagger: HeartbeatStagger, count: number): number[] {
  return Array.from({ length: count }, () => stagger.next(assert.fail));
}

describe('HeartbeatStagger', () => {
  it('begins at the given place, and asks for it when the first connection arrives', () => {
    let asked = 0;
    const stagger = new HeartbeatStagger(() => {
      asked += 1;
      return 0.25;
    });
    assert.equal(asked, 0);
    assert.equal(stagger.next(assert.fail), 0.25);
    take(stagger, 1_000);
    assert.equal(asked, 1);
  });

  it('begins in the middle when random returns no valid place, and reports that', () => {
    const wrong = ['NaN', 'undefined', '1.1', '-0.1', 'a string'];
    for (const [index, answer] of [Number.NaN, undefined, 1.1, -0.1, '0.5'].entries()) {
      const reported: string[] = [];
      const stagger = new HeartbeatStagger(() => answer as number);
      assert.equal(
        stagger.next(({ message }) => reported.push(message)),
        0.5,
      );
      const told = `random must return a number from 0 to 1, not ${wrong[index]}`;
      assert.deepEqual(reported, [told]);
    }
  });

  it('gives neighbours the same phase, and the next group another one', () => {
    const phases = take(new HeartbeatStagger(() => 0), 3 * NEIGHBOURS);
    assert.equal(new Set(phases).size, 3);
    for (const block of [0, 1, 2]) {
      const neighbours = phases.slice(block * NEIGHBOURS, (block + 1) * NEIGHBOURS);
      assert.equal(new Set(neighbours).size, 1);
    }
  });

  it('spreads any crowd: no gap between two phases is more than twice the even one', () => {
    fc.assert(
      fc.property(start, fc.integer({ min: 1, max: 300 }), (first, blocks) => {
        const phases = new Set(take(new HeartbeatStagger(() => first), blocks * NEIGHBOURS));
        const sorted = [...phases].sort((a, b) => a - b);
        for (const phase of sorted) assert.ok(phase >= 0 && phase < 1, `${phase}`);
        const last = sorted.at(-1) ?? 0;
        const gaps = sorted.map((phase, index) => phase - (sorted[index - 1] ?? last - 1));
        assert.equal(sorted.length, blocks);
        assert.ok(Math.max(...gaps) <= 2 / blocks, `a gap of ${Math.max(...gaps)} in ${blocks}`);
      }),
    );
  });
});
