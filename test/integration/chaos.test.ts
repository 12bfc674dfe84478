// Goal: every message that was acknowledged reaches every client once and in order, or the client is told. Method: three nodes on a
// real nats-server and 120 clients; nodes are killed, frozen and drained, the server is killed, stopped and gets an older disk.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ChaosRun, isSound } from '../chaos/chaos-run.ts';
import { plants } from '../chaos/plants.ts';

const quiet = { say: () => {} };
const SEEDS = [3, 1, 2, 5, 8, 13];

describe('chaos', () => {
  it('misses, doubles and disorders nothing in 45 seconds', async (test) => {
    const seed = Math.floor(Math.random() * 2 ** 31);
    const result = await ChaosRun.play({ ...quiet, seed, seconds: 45, plant: null });
    test.diagnostic(`seed ${seed}: ${JSON.stringify(result)}`);
    assert.ok(result.checked > 10_000, `${result.checked} are checked`);
    assert.ok(isSound(result), `seed ${seed}: ${JSON.stringify(result)}`);
  });

  for (const plant of Object.keys(plants))
    it(`finds a planted fault: no ${plant}`, async (test) => {
      // A short run may be lucky: no message was on its way to a node that was away.
      for (const seed of SEEDS) {
        const result = await ChaosRun.play({ ...quiet, seed, seconds: 15, plant });
        test.diagnostic(
          `seed ${seed}: ${JSON.stringify({ ...result, faults: result.faults.length })}`,
        );
        if (!isSound(result)) return;
      }
      assert.fail(`not found with the seeds ${SEEDS.join(', ')}`);
    });
});
