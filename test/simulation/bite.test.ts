import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { plantedFaults } from './planted.ts';
import { simulate } from './simulation.ts';

// Goal: the simulation finds faults. Method: plant a mistake in production code, run seeds until a rule
// breaks, and check that it is a rule that the mistake breaks.

const SEEDS_MAX = 12_000;

describe('the simulation detects that', () => {
  for (const { mistake, plant, breaks } of plantedFaults) {
    it(mistake, async (t) => {
      const restore = plant();
      try {
        const found = await firstViolation();
        t.diagnostic(`seed ${found?.seed}: ${found?.violation?.problem.split('\n')[0]}`);
        assert.ok(found?.violation, `nothing found in ${SEEDS_MAX} seeds`);
        assert.ok(breaks.includes(found.violation.invariant), found.violation.invariant);
      } finally {
        restore();
      }
    });
  }
});

async function firstViolation() {
  for (let seed = 1; seed <= SEEDS_MAX; seed += 1) {
    const result = await simulate(seed);
    if (result.violation !== null) return result;
  }
  return undefined;
}
