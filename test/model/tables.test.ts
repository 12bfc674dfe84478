// Goal: the table that runs in production is equivalent to the chart. Method: for each chart, drive a runner on its
// table and XState on its machine over every edge, and over every edge after every other, and compare orders and states
// after each fact.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type AnyMachineSnapshot, initialTransition, transition } from 'xstate';
import { hide } from '../../machines/hidden.ts';
import { Chart } from '../../src/chart/chart.ts';
import { Notifications } from '../../src/chart/notifications.ts';
import { type ChartOwner, ChartRunner } from '../../src/chart/runner.ts';
import { nested } from '../../src/chart/table.ts';
import { type Place, placesOf } from '../support/chart-walk.ts';
import { charts } from '../tables/charts.ts';
import { tableOf } from '../tables/table-of.ts';
import { staleTables, tables } from '../tables/table-source.ts';

/** How many edges and pairs of edges each chart has. A walk that finds fewer has lost some. */
const known = {
  connection: [386, 2422],
  client: [81, 377],
  pool: [11, 16],
  supervisor: [12, 27],
  'topic-log': [52, 281],
} as Record<string, readonly [edges: number, pairs: number]>;

/** Accepts every order, and records it. */
function recordingOwner(orders: string[]): ChartOwner {
  const crashed = (error: Error) => {
    throw error;
  };
  return new Proxy({ chartCrashed: crashed } as ChartOwner, {
    get(owner, name) {
      if (name === 'chartCrashed') return owner.chartCrashed;
      if (['chartSettled', 'chartMoved', 'chartEnded'].includes(String(name))) return undefined;
      return (params: unknown) => orders.push(orderText(String(name), params));
    },
  });
}

function orderText(name: string, params: unknown): string {
  return params === undefined ? name : `${name} ${JSON.stringify(params)}`;
}

for (const { name, machine, facts } of charts) {
  const table = tables.find((each) => each.name === name) ?? assert.fail(`${name} has no table`);
  const places = placesOf({ machine, facts });
  const edges = [...places.values()].flatMap((place) => place.edges);
  const pathTo = (key: string) => (places.get(key) as Place).path;

  const assertSame = (path: readonly string[]) => {
    const orders: string[] = [];
    const runner = new ChartRunner(new Chart(table), recordingOwner(orders), new Notifications());
    runner.start();
    let [snapshot, actions] = initialTransition(machine, hide({ outcome: () => undefined }));
    const assertStep = (fact: string) => {
      assert.deepEqual(nested(runner.state.paths), snapshot.value, fact);
      assert.equal(runner.isOver, snapshot.status === 'done', fact);
      assert.deepEqual(
        orders.splice(0),
        actions.map(({ type, params }) => orderText(type, params)),
        fact,
      );
    };
    assertStep('start');
    for (const fact of path) {
      runner.send(fact);
      [snapshot, actions] = transition(machine, snapshot as AnyMachineSnapshot, { type: fact });
      assertStep(fact);
    }
  };

  const assertInert = (path: readonly string[]) => {
    const orders: string[] = [];
    const runner = new ChartRunner(new Chart(table), recordingOwner(orders), new Notifications());
    for (const fact of path) runner.send(fact);
    const before = [runner.state, orders.length];
    for (const fact of facts) runner.send(fact);
    assert.deepEqual([runner.state, orders.length], before);
  };

  describe(`the table of the ${name} chart`, () => {
    it('takes every edge as the machine does', () => {
      assert.equal(edges.length, known[name]?.[0]);
      for (const { from, fact } of edges) assertSame([...pathTo(from), fact]);
    });

    it('takes every pair of edges as the machine does', () => {
      let pairs = 0;
      for (const { from, fact, to } of edges) {
        for (const next of (places.get(to) as Place).edges) {
          assertSame([...pathTo(from), fact, next.fact]);
          pairs += 1;
        }
      }
      assert.equal(pairs, known[name]?.[1]);
    });

    it('ignores in every state the facts that the machine ignores', () => {
      for (const { path, edges: taken, snapshot } of places.values()) {
        // XState calls no actor that is done. The function would accept what the root accepts.
        if (snapshot.status === 'done') continue;
        const ignored = facts.filter((fact) => !taken.some((edge) => edge.fact === fact));
        for (const fact of ignored) assertSame([...path, fact]);
      }
    });

    it('accepts nothing at the end', () => {
      for (const { path, snapshot } of places.values()) {
        if (snapshot.status === 'done') assertInert(path);
      }
    });

    it('has nothing that the machine lacks', () =>
      assert.deepEqual(table, tableOf({ name, machine, facts })));
  });
}

describe('npm run tables', () => {
  it('finds no stale table', () => assert.deepEqual(staleTables(), []));
});
