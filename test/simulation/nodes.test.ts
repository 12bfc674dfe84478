import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type NodesResult, simulateNodes } from './nodes/nodes-simulation.ts';
import { nodesFaults } from './nodes/planted-faults.ts';
import { describeFaults, firstBroken } from './seeds.ts';

// Goal: supervisors on one bus keep their promises, whatever the bus does: it delays, goes down, splits, and breaks its contract.
// Method: production code on virtual time, on a simulated bus. The model sees what each node publishes and hears, and knows
// from that alone what each member and each listener must get. `npm run simulate -- --nodes` does the same for other seeds.

const SEEDS = 1_200;

/** Seeds that once found something, and what. */
const regressions: readonly (readonly [seed: number, found: string])[] = [];

describe('a simulated service of several processes', () => {
  const tally = new Map<string, number>();
  const sums = { deliveries: 0, heard: 0, listened: 0, replaced: 0 };

  it(`breaks no rule, ${SEEDS} times`, async (t) => {
    const broken = await firstBroken(simulateNodes, SEEDS, (result) => {
      sums.deliveries += result.deliveries;
      sums.heard += result.heard;
      count(result);
    });
    t.diagnostic(JSON.stringify({ ...sums, ...Object.fromEntries(tally) }));
    assert.deepEqual(broken && { seed: broken.seed, ...broken.violation }, undefined);
  });

  function count(result: NodesResult): void {
    for (const [what, times] of result.tally) tally.set(what, (tally.get(what) ?? 0) + times);
  }

  it('causes everything that a bus can change', () => {
    const must = ['closed replaced', 'closed close', 'closed slow-consumer', 'closed drain'];
    for (const what of [...must, 'listened', 'kept', 'refused'])
      assert.ok((tally.get(what) ?? 0) >= 10, `${what}: ${tally.get(what)}`);
  });

  it('gives the same result for the same seed', async () => {
    for (let seed = 1; seed <= 10; seed += 1) {
      const first = await simulateNodes(seed, { trace: true });
      assert.deepEqual(await simulateNodes(seed, { trace: true }), first);
    }
  });

  for (const [seed, found] of regressions)
    it(`breaks no rule for seed ${seed}, which once found ${found}`, async () => {
      assert.equal((await simulateNodes(seed)).violation, null);
    });
});

describeFaults('the simulation of several processes detects that', nodesFaults, () =>
  firstBroken(simulateNodes, SEEDS),
);
