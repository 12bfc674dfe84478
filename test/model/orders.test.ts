// Goal: whatever facts arrive in whatever order, the charts give orders that make sense and never throw.
// Method: run the charts with a connection that only records its orders, first from every state with every
// fact, then on random walks.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { connectionMachine } from '../../machines/connection.ts';
import { type ConnectionFact, connectionFacts } from '../../machines/connection-contract.ts';
import { exitSignals } from '../../machines/exit-signals.ts';
import { supervisorFacts, supervisorMachine } from '../../machines/supervisor.ts';
import { placesOf } from '../support/chart-walk.ts';
import { assertSense, assertSupervisorSense } from '../support/order-sense.ts';
import { RecordingConnection } from '../support/recording-connection.ts';
import { RecordingSupervisor } from '../support/recording-supervisor.ts';

const facts = Object.keys(connectionFacts) as ConnectionFact['type'][];

function followConnection(way: readonly string[]): RecordingConnection {
  const connection = new RecordingConnection();
  for (const type of way) connection.send(type);
  return connection;
}

function followSupervisor(way: readonly string[]): RecordingSupervisor {
  const supervisor = new RecordingSupervisor();
  for (const type of way) supervisor.make(type);
  return supervisor;
}

describe('the connection chart under a recording connection', () => {
  const places = placesOf({ machine: connectionMachine, facts });

  it('accepts every fact in every place without throwing', () => {
    assert.equal(places.size, 29);
    for (const { key, path } of places.values()) {
      for (const fact of facts) {
        const { status } = followConnection([...path, fact]).actor.getSnapshot();
        assert.ok(status === 'active' || status === 'done', `${fact} in ${key}: ${status}`);
      }
    }
  });

  it('never leaves a final state, and gives no order there', () => {
    for (const final of ['"closed"', '"failed"']) {
      const connection = followConnection(places.get(final)?.path ?? []);
      const before = connection.orders.length;
      for (const type of facts) connection.send(type);
      assert.equal(connection.place, final);
      assert.equal(connection.orders.length, before);
      assert.equal(connection.outcomeReported, 'the outcome');
    }
  });

  it('gives the orders of a normal life in sequence', () => {
    const { orders } = followConnection([
      'admission.granted',
      'socket.opened',
      'welcome.settled',
      'close.requested',
      'websocket.closed',
    ]);
    assert.deepEqual(orders, [
      'startDeadline handshake',
      'upgrade',
      'announceOpen',
      'admitMessages',
      'announceClosing',
      'sendClose',
      'startDeadline close',
      'finish',
    ]);
  });
});

describe('the connection chart on random walks', () => {
  // Most facts end a life at once. The ones that prolong it are repeated, or few walks would get far.
  const prolonging = facts.filter((fact) =>
    /opened|granted|settled|outbox|heartbeat\.(a|m)/.test(fact),
  );
  const fact = fc.oneof(
    { weight: 3, arbitrary: fc.constantFrom(...prolonging) },
    { weight: 1, arbitrary: fc.constantFrom(...facts) },
  );
  const opening = fc.constantFrom<ConnectionFact['type'][]>(
    [],
    ['admission.granted'],
    ['admission.granted', 'socket.opened'],
  );

  it('gives orders that make sense, whatever happens', () => {
    fc.assert(
      fc.property(opening, fc.array(fact, { maxLength: 40 }), (start, rest) => {
        const connection = followConnection([...start, ...rest]);
        assert.notEqual(connection.actor.getSnapshot().status, 'error');
        assertSense(connection);
      }),
      { numRuns: 1_500 },
    );
  });

  it('ends when its deadlines expire, whatever happened before', () => {
    fc.assert(
      fc.property(opening, fc.array(fact, { maxLength: 20 }), (start, rest) => {
        const connection = followConnection([...start, ...rest]);
        connection.runOut();
        assert.ok(connection.isDone);
      }),
      { numRuns: 500 },
    );
  });
});

describe('the supervisor chart under a recording supervisor', () => {
  const events = [...Object.keys(supervisorFacts), ...Object.keys(exitSignals)].map((type) =>
    type.replace('*', 'connection'),
  );
  const places = placesOf({ machine: supervisorMachine, facts: events });

  it('accepts every fact in every place without throwing', () => {
    assert.equal(places.size, 5);
    for (const { key, path } of places.values()) {
      for (const fact of events) {
        const { status } = followSupervisor([...path, fact]).actor.getSnapshot();
        assert.ok(status === 'active' || status === 'done', `${fact} in ${key}: ${status}`);
      }
    }
  });

  it('never leaves stopped, and gives no order there', () => {
    const supervisor = followSupervisor(places.get('"stopped"')?.path ?? []);
    const before = supervisor.orders.length;
    for (const type of events) supervisor.make(type);
    assert.equal(supervisor.place, '"stopped"');
    assert.equal(supervisor.orders.length, before);
  });

  it('survives the crash of a connection and reports it, in every place except the last', () => {
    for (const { key, path } of places.values()) {
      if (key === '"stopped"') continue;
      const supervisor = followSupervisor([...path, 'connection.crashed']);
      assert.equal(supervisor.orders.at(-1), 'recordCrash', key);
      assert.equal(supervisor.place, key);
    }
  });

  it('gives orders that make sense on any walk', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...events), { maxLength: 30 }), (way) => {
        assertSupervisorSense(followSupervisor(way));
      }),
      { numRuns: 300 },
    );
  });
});
