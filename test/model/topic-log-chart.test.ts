// Goal: whatever happens, in whatever order, the log of a topic tells entries only while it has a place, and finishes once.
// Method: every edge, every pair of edges and random walks over the chart with recorded orders, and rules for them.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { createActor } from 'xstate';
import { hide } from '../../machines/hidden.ts';
import { topicLogMachine } from '../../machines/topic-log.ts';
import {
  type TopicLogFact,
  type TopicLogOrders,
  topicLogFacts,
} from '../../machines/topic-log-contract.ts';
import { Coverage, type Edge, placesOf } from '../support/chart-walk.ts';

type Fact = TopicLogFact['type'];

const names = Object.keys(topicLogFacts) as Fact[];

/** Orders that start the deadline of a state, and end the question of the state before. */
const beginning = ['subscribe', 'askStart', 'scheduleCheck', 'checkTail', 'expectEntry'];
const waiting = [...beginning, 'readOn', 'pause', 'linger', 'finish'];

/** Runs facts through the chart. */
function run(facts: readonly string[], coverage?: Coverage) {
  const steps: string[][] = [[]];
  const log = new Proxy({} as TopicLogOrders, {
    get: (_, order) => () => steps.at(-1)?.push(String(order)),
  });
  const inspect = coverage?.note;
  const actor = createActor(topicLogMachine, {
    input: hide(log),
    ...(inspect && { inspect }),
  }).start();
  for (const type of facts) {
    steps.push([]);
    actor.send({ type: type as Fact });
  }
  const snapshot = actor.getSnapshot();
  return { steps, orders: steps.flat(), snapshot, isDone: snapshot.status === 'done' };
}

/** Asserts what holds on every walk. */
function assertSense(facts: readonly string[]): void {
  const { steps, orders, snapshot, isDone } = run(facts);
  const told = `${facts.join(', ')}: ${orders.join(', ')}`;
  assert.equal(orders.filter((order) => order === 'finish').length, isDone ? 1 : 0, told);
  if (isDone) assert.equal(orders.at(-1), 'finish', told);
  assert.equal(orders.filter((order) => order === 'subscribe').length, 1, told);
  const places = orders.filter((order) => ['begin', 'interrupt'].includes(order));
  for (const [at, order] of places.entries())
    assert.equal(order, at % 2 === 0 ? 'begin' : 'interrupt', told);
  const hasPlace = places.at(-1) === 'begin';
  if (!isDone) assert.equal(hasPlace, !snapshot.matches('opening'), told);
  const needPlace = ['checkTail', 'readOn', 'scheduleCheck', 'expectEntry', 'linger'];
  const first = orders.findIndex((order) => needPlace.includes(order));
  if (first !== -1) assert.ok(orders.indexOf('begin') < first, told);
  // A step that gives orders starts one deadline: without one, nothing would end the state; with two, one would end the next.
  for (const step of steps.filter(({ length }) => length > 0))
    assert.equal(step.filter((order) => waiting.includes(order)).length, 1, told);
}

describe('the topic log chart', () => {
  const places = placesOf({ machine: topicLogMachine, facts: names });
  const edges = [...places.values()].flatMap((place) => place.edges);
  const pathTo = (key: string) => places.get(key)?.path ?? [];
  const coverage = new Coverage(topicLogMachine);

  for (const { from, fact, to } of edges) {
    it(`${from} ─ ${fact} → ${to}`, () => {
      const path = [...pathTo(from), fact];
      assert.equal(JSON.stringify(run(path, coverage).snapshot.value), to);
      assertSense(path);
    });
  }

  it('covers every transition', () => assert.deepEqual(coverage.missing, []));

  it('makes sense on every pair of edges', () => {
    const nextOf = ({ to }: Edge) => places.get(to)?.edges ?? [];
    for (const first of edges)
      for (const { fact } of nextOf(first)) assertSense([...pathTo(first.from), first.fact, fact]);
  });

  it('makes sense on any walk', () => {
    const prolonging = names.filter((fact) => !/left|rewritten|expired/.test(fact));
    const fact = fc.oneof(
      { weight: 5, arbitrary: fc.constantFrom(...prolonging) },
      { weight: 1, arbitrary: fc.constantFrom(...names) },
    );
    fc.assert(fc.property(fc.array(fact, { maxLength: 50 }), assertSense), { numRuns: 2_000 });
  });

  it('closes when nobody needs it and time passes, wherever it is', () => {
    for (const { path } of places.values())
      assert.ok(run([...path, 'audience.left', 'deadline.passed']).isDone);
  });

  it('comes back to its place from everywhere when the bus answers', () => {
    for (const { path, snapshot } of places.values()) {
      if (snapshot.status === 'done') continue;
      const answered = ['audience.returned', 'deadline.passed', 'deadline.passed', 'bus.returned'];
      const rest = ['interest.ready', 'tail.told', 'gap.filled', 'tail.told'];
      assert.ok(run([...path, ...answered, ...rest]).snapshot.matches('following'));
    }
  });
});
