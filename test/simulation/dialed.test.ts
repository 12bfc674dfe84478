import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { clientMachine } from '../../machines/client.ts';
import { simulateDialed } from './dialed/dialed-simulation.ts';
import { dialedFaults } from './dialed/planted-faults.ts';
import { arrowsOf, describeFaults, firstBroken } from './seeds.ts';

// Goal: a client accounts for every message that it accepted. Each one leaves in order, or is reported once.
// Method: production code on virtual time, over sockets of Node.js and of a page that break anywhere.

const SEEDS = 1_200;

describe('a simulated client', () => {
  const taken = new Set<string>();

  it(`breaks no rule, ${SEEDS} times`, async (t) => {
    const sums = { attempts: 0, accepted: 0 };
    const broken = await firstBroken(simulateDialed, SEEDS, (result) => {
      sums.attempts += result.attempts;
      sums.accepted += result.accepted;
      for (const { from, fact } of result.arrows.client) taken.add(`${from} ${fact}`);
    });
    t.diagnostic(JSON.stringify(sums));
    assert.deepEqual(broken && { seed: broken.seed, ...broken.violation }, undefined);
  });

  it('takes every transition of its chart', () => {
    assert.deepEqual(
      arrowsOf(clientMachine).filter((arrow) => !taken.has(arrow)),
      [],
    );
  });

  it('gives the same result for the same seed', async () => {
    for (let seed = 1; seed <= 5; seed += 1) {
      assert.deepEqual(await simulateDialed(seed), await simulateDialed(seed));
    }
  });
});

describeFaults('the simulation of clients detects that', dialedFaults, () =>
  firstBroken(simulateDialed, SEEDS),
);
