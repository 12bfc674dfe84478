// Goal: the chart run from memory is the chart. Method: drive both over every edge, and over every edge after
// every other, and compare what they ordered and where they are after each fact.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { inspect } from 'node:util';
import { type ActorRefFrom, createActor, transition } from 'xstate';
import { connectionMachine } from '../../machines/connection.ts';
import { type ConnectionOrders, connectionFacts } from '../../machines/connection-contract.ts';
import { hide } from '../../machines/hidden.ts';
import { supervisorFacts, supervisorMachine } from '../../machines/supervisor.ts';
import { connectionLogic } from '../../src/connection/connection-logic.ts';
import { type Place, placesOf } from '../support/chart-walk.ts';
import { RecordingConnection } from '../support/recording-connection.ts';

const facts = Object.keys(connectionFacts);
const places = placesOf({ machine: connectionMachine, facts });
const edges = [...places.values()].flatMap((place) => place.edges);

/** The remembered chart has the face of the machine, as far as a recording connection uses it. */
function memory(connection: ConnectionOrders): ActorRefFrom<typeof connectionMachine> {
  return createActor(connectionLogic, { input: hide(connection) }) as unknown as ActorRefFrom<
    typeof connectionMachine
  >;
}

function assertSame(path: readonly string[]): void {
  const chart = new RecordingConnection();
  const remembered = new RecordingConnection(undefined, memory);
  for (const fact of path) {
    chart.make(fact);
    remembered.make(fact);
    assert.equal(remembered.place, chart.place, fact);
    assert.deepEqual(remembered.orders, chart.orders, fact);
    assert.equal(remembered.deadline, chart.deadline, fact);
  }
  assert.equal(remembered.outcomeReported, chart.outcomeReported);
  assert.equal(remembered.isDone, chart.isDone);
}

function pathTo(key: string): readonly string[] {
  return (places.get(key) as Place).path;
}

describe('the connection chart, run from memory', () => {
  it('begins as the chart does', () => assertSame([]));

  it('takes every edge as the chart does', () => {
    for (const { from, fact } of edges) assertSame([...pathTo(from), fact]);
  });

  it('takes every pair of edges as the chart does', () => {
    let pairs = 0;
    for (const { from, fact, to } of edges) {
      for (const next of (places.get(to) as Place).edges) {
        assertSame([...pathTo(from), fact, next.fact]);
        pairs += 1;
      }
    }
    assert.equal(pairs, 2490);
  });

  it('shows nobody its port, nor the outcome', () => {
    const secretive = new Proxy({} as ConnectionOrders, { get: () => () => 'secret' });
    const actor = memory(secretive);
    actor.start();
    for (const end of [false, true]) {
      if (end) actor.send({ type: 'socket.closed' });
      const snapshot: object = actor.getSnapshot();
      const status = end ? 'done' : 'active';
      assert.deepEqual(JSON.parse(JSON.stringify(snapshot)), {
        status,
        ...(end && { output: {} }),
      });
      assert.ok(!inspect(structuredClone(snapshot), { depth: 9 }).includes('secret'));
      assert.ok(!inspect(snapshot, { depth: 9, showHidden: true }).includes('secret'));
    }
  });

  it('ignores in every place what the chart ignores', () => {
    for (const { key, path, edges: taken } of places.values()) {
      const ignored = facts.filter((fact) => !taken.some((edge) => edge.fact === fact));
      for (const fact of ignored) {
        const connection = new RecordingConnection(undefined, memory);
        for (const step of path) connection.make(step);
        const before = connection.orders.length;
        connection.send(fact);
        assert.deepEqual([connection.place, connection.orders.length], [key, before], fact);
      }
    }
  });

  it('keeps connections apart: what one has done is ordered of no other', () => {
    const [one, other] = [
      new RecordingConnection(undefined, memory),
      new RecordingConnection(undefined, memory),
    ];
    one.make('admission.granted');
    assert.deepEqual(other.orders, ['startDeadline handshake']);
    assert.equal(other.place, pathless());
  });
});

function pathless(): string {
  return [...places.values()].find(({ path }) => path.length === 0)?.key ?? '';
}

describe('the signal of a connection that has come to its end', () => {
  it('means nothing to the supervisor chart anywhere, so that a supervisor may skip it', () => {
    const signal = { type: 'xstate.done.actor.connection' } as const;
    const all = placesOf({ machine: supervisorMachine, facts: Object.keys(supervisorFacts) });
    assert.ok(all.size > 1);
    for (const { key, snapshot } of all.values()) {
      const [after, orders] = transition(supervisorMachine, snapshot as never, signal);
      assert.deepEqual([JSON.stringify(after.value), orders], [key, []]);
    }
  });
});
