import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { topicLogMachine } from '../../machines/topic-log.ts';
import { arrowsOf, describeFaults, firstBroken } from './seeds.ts';
import { simulateLog } from './topic-log/log-simulation.ts';
import { topicLogFaults } from './topic-log/planted-faults.ts';

// Goal: what a topic log tells between two interruptions is the log without a gap, and at the end it has everything. Method:
// production code on virtual time, on a scripted bus that loses, doubles and disorders entries, answers late, with an older
// state or never, goes down, forgets, and comes back with an older past. The script knows what was kept.

const SEEDS = 1_200;

/** Seeds that once found something, and what. */
const regressions: readonly (readonly [seed: number, found: string])[] = [];

describe('a simulated log of durable topics', () => {
  const taken = new Set<string>();

  it(`breaks no rule, ${SEEDS} times`, async (t) => {
    const sums = { messages: 0, arrivals: 0, interruptions: 0, readers: 0 };
    const broken = await firstBroken(simulateLog, SEEDS, (result) => {
      for (const what of Object.keys(sums) as (keyof typeof sums)[]) sums[what] += result[what];
      for (const { from, fact } of result.arrows) taken.add(`${from} ${fact}`);
    });
    t.diagnostic(JSON.stringify(sums));
    assert.deepEqual(broken && { seed: broken.seed, ...broken.violation }, undefined);
  });

  it('takes every transition of its chart', () => {
    assert.deepEqual(
      arrowsOf(topicLogMachine).filter((arrow) => !taken.has(arrow)),
      [],
    );
  });

  it('gives the same result for the same seed', async () => {
    for (let seed = 1; seed <= 10; seed += 1) {
      const first = await simulateLog(seed, { trace: true });
      assert.deepEqual(await simulateLog(seed, { trace: true }), first);
    }
  });

  for (const [seed, found] of regressions)
    it(`breaks no rule for seed ${seed}, which once found ${found}`, async () => {
      assert.equal((await simulateLog(seed)).violation, null);
    });
});

describeFaults('the simulation of topic logs detects that', topicLogFaults, () =>
  firstBroken(simulateLog, SEEDS),
);
