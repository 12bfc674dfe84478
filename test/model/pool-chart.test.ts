// Goal: whatever happens, in whatever order, a pool drains once and finishes once. Method: random walks over the chart
// with recorded orders, and rules for them.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { createActor } from 'xstate';
import { hide } from '../../machines/hidden.ts';
import { poolMachine } from '../../machines/pool.ts';
import { type PoolFact, type PoolOrders, poolFacts } from '../../machines/pool-contract.ts';

type Fact = PoolFact['type'];

/** Runs facts through the chart. Returns the orders after each, and the final state. */
function run(facts: readonly Fact[]) {
  const log: string[] = [];
  const pool = new Proxy({} as PoolOrders, { get: (_, order) => () => log.push(String(order)) });
  const actor = createActor(poolMachine, { input: hide(pool) }).start();
  for (const type of facts) {
    log.push(`(${type})`);
    actor.send({ type });
  }
  const { value, status } = actor.getSnapshot();
  return { log, value, isDone: status === 'done' };
}

const facts = fc.array(fc.constantFrom(...(Object.keys(poolFacts) as Fact[])), { maxLength: 30 });
const orders = ({ log }: ReturnType<typeof run>) => log.filter((entry) => !entry.startsWith('('));
const check = (property: (walk: Fact[]) => void) =>
  fc.assert(fc.property(facts, property), { numRuns: 2_000 });

describe('the pool chart on any walk', () => {
  it('begins to drain once, on request, and never otherwise', () => {
    check((walk) => {
      const drains = orders(run(walk)).filter((order) => order === 'beginDrain').length;
      assert.equal(drains, walk.includes('drain.requested') ? 1 : 0);
    });
  });

  it('destroys the remaining connections once, and only while it drains', () => {
    check((walk) => {
      const course = orders(run(walk));
      const at = course.indexOf('expireAll');
      if (at !== -1) assert.deepEqual(course.slice(0, at + 1), ['beginDrain', 'expireAll']);
      assert.ok(course.filter((order) => order === 'expireAll').length <= 1);
    });
  });

  it('finishes once, last of all, when no member is left or everything else has failed', () => {
    check((walk) => {
      const result = run(walk);
      const course = orders(result);
      assert.equal(course.filter((order) => order === 'finish').length, result.isDone ? 1 : 0);
      if (!result.isDone) return;
      assert.equal(course.at(-1), 'finish');
      const { log } = result;
      const cause = log[log.indexOf('finish') - 1];
      if (cause === '(deadline.passed)') assert.ok(course.includes('expireAll'));
      else assert.equal(cause, '(pool.emptied)');
    });
  });

  it('follows its members until it drains', () => {
    check((walk) => {
      const counted = walk.filter((fact) => fact === 'pool.filled' || fact === 'pool.thinned');
      const { value } = run(counted);
      const last = counted.at(-1);
      const expected = last === 'pool.filled' ? 'operational' : 'degraded';
      assert.equal(value, last === undefined ? 'starting' : expected);
    });
  });

  it('can always be drained', () => {
    check((walk) => {
      assert.ok(run([...walk, 'drain.requested', 'pool.emptied']).isDone);
    });
  });
});
