import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { AnyStateMachine } from 'xstate';
import { clientMachine } from '../../machines/client.ts';
import { transitionNames } from '../support/chart-walk.ts';
import { type DialedResult, simulateDialed } from './dialed/dialed-simulation.ts';
import { dialedFaults } from './dialed/planted-faults.ts';

// Goal: a client accounts for every message that it accepted. Each one leaves in order, or is reported once.
// Method: production code on virtual time, over sockets of Node.js and of a page that break anywhere.

const SEEDS = 1_200;

describe('a simulated client', () => {
  const taken = new Set<string>();

  it(`breaks no rule, ${SEEDS} times`, async (t) => {
    const sums = { attempts: 0, accepted: 0 };
    let broken: DialedResult | undefined;
    for (let seed = 1; seed <= SEEDS && broken === undefined; seed += 1) {
      const result = await simulateDialed(seed);
      sums.attempts += result.attempts;
      sums.accepted += result.accepted;
      for (const { from, fact } of result.arrows.client) taken.add(`${from} ${fact}`);
      if (result.violation !== null) broken = result;
    }
    t.diagnostic(JSON.stringify(sums));
    assert.deepEqual(broken && { seed: broken.seed, ...broken.violation }, undefined);
  });

  it('takes every transition of its chart', () => {
    assert.deepEqual(
      arrowsOf(clientMachine).filter((arrow) => !taken.has(arrow)),
      [],
    );
  });

  it('is the same for the same seed', async () => {
    for (let seed = 1; seed <= 5; seed += 1) {
      assert.deepEqual(await simulateDialed(seed), await simulateDialed(seed));
    }
  });
});

/** Every arrow that a machine draws, but those for the signals of children. */
function arrowsOf(machine: AnyStateMachine): string[] {
  return [...transitionNames(machine)].flatMap(([{ source, eventType }]) =>
    eventType.startsWith('xstate.') ? [] : [`${source.path.join('.')} ${eventType}`],
  );
}

describe('the simulation of clients finds out when', () => {
  for (const { mistake, plant, breaks } of dialedFaults) {
    it(mistake, async () => {
      const restore = plant();
      try {
        const found = await firstViolation();
        assert.ok(found !== null, 'nothing is found');
        assert.ok(breaks.includes(found.rule), `${found.rule}: ${found.problem}`);
      } finally {
        restore();
      }
    });
  }
});

async function firstViolation(): Promise<DialedResult['violation']> {
  for (let seed = 1; seed <= SEEDS; seed += 1) {
    const { violation } = await simulateDialed(seed);
    if (violation !== null) return violation;
  }
  return null;
}
