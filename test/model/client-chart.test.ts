// Goal: whatever happens, in whatever order, a client has one attempt at a time and finishes once. Method: random
// walks over the chart with recorded orders, and rules for them.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { createActor } from 'xstate';
import { clientMachine } from '../../machines/client.ts';
import { type ClientFact, type ClientOrders, clientFacts } from '../../machines/client-contract.ts';
import { hide } from '../../machines/hidden.ts';

type Fact = ClientFact['type'];

/** Runs facts through the chart. Returns the orders after each. */
function run(facts: readonly Fact[]): { log: string[]; state: string; isDone: boolean } {
  const log: string[] = [];
  const note = (order: string) => (params?: { name?: string }) =>
    void log.push(params?.name === undefined ? order : `${order} ${params.name}`);
  const client = new Proxy({} as ClientOrders, { get: (_, order) => note(String(order)) });
  const actor = createActor(clientMachine, { input: hide(client) }).start();
  for (const type of facts) {
    log.push(`(${type})`);
    actor.send({ type });
  }
  const snapshot = actor.getSnapshot();
  return { log, state: JSON.stringify(snapshot.value), isDone: snapshot.status === 'done' };
}

const ends: readonly string[] = [
  '(ended.now)',
  '(ended.backoff)',
  '(ended.slow)',
  '(ended.deferred)',
  '(ended.never)',
  '(restarts.exceeded)',
];
const facts = fc.array(fc.constantFrom(...(Object.keys(clientFacts) as Fact[])), { maxLength: 40 });

describe('the client chart on any walk', () => {
  it('begins no attempt before the last one has ended', () => {
    const property = fc.property(facts, (walk) => {
      const { log } = run(walk);
      const course = log.filter((entry) => entry === 'dial' || ends.includes(entry));
      const overlaps = course.filter((entry, at) => entry === 'dial' && course[at - 1] === 'dial');
      assert.deepEqual(overlaps, []);
    });
    fc.assert(property, { numRuns: 2_000 });
  });

  it('finishes once, and orders nothing after that', () => {
    const property = fc.property(facts, (walk) => {
      const { log, isDone } = run(walk);
      const orders = log.filter((entry) => !entry.startsWith('('));
      assert.equal(orders.filter((order) => order === 'finish').length, isDone ? 1 : 0);
      if (isDone) assert.equal(orders.at(-1), 'finish');
    });
    fc.assert(property, { numRuns: 2_000 });
  });

  it('forgets failures only after a connection that proved stable', () => {
    const property = fc.property(facts, (walk) => {
      const { log } = run(walk);
      for (const [index, entry] of log.entries()) {
        if (entry !== 'resetBackoff') continue;
        const before = log.slice(0, index);
        assert.equal(before.at(-1), '(deadline.passed)');
        const started = before.findLast((earlier) => earlier.startsWith('startDelay'));
        assert.equal(started, 'startDelay stable');
      }
    });
    fc.assert(property, { numRuns: 2_000 });
  });

  it('can always be stopped, together with its connection if there is one', () => {
    const property = fc.property(facts, (walk) => {
      const { isDone } = run([...walk, 'stop.requested', 'ended.backoff']);
      assert.equal(isDone, true);
    });
    fc.assert(property, { numRuns: 2_000 });
  });

  it('probes its connection after sleep or when the network is back, while it is up', () => {
    const up: Fact[] = ['dial.requested', 'connection.opened'];
    const probes = (more: readonly Fact[]) =>
      run([...up, ...more]).log.filter((entry) => entry === 'probe').length;
    assert.equal(probes(['wake.noticed']), 1);
    assert.equal(probes(['deadline.passed', 'wake.noticed', 'network.returned']), 2);
    const ended: Fact[] = ['connection.ending', 'ended.backoff'];
    assert.equal(probes([...ended, 'wake.noticed', 'network.returned']), 0);
  });

  it('dials again after a wait, and as soon as the network is back', () => {
    const lost: Fact[] = [
      'dial.requested',
      'connection.opened',
      'connection.ending',
      'ended.backoff',
    ];
    const dials = (more: readonly Fact[]) =>
      run([...lost, ...more]).log.filter((entry) => entry === 'dial').length;
    assert.equal(dials([]), 1);
    assert.equal(dials(['deadline.passed']), 2);
    assert.equal(dials(['wake.noticed']), 1);
    assert.equal(dials(['network.lost']), 1);
    assert.equal(dials(['network.lost', 'wake.noticed']), 2);
    assert.equal(dials(['network.lost', 'deadline.passed']), 2);
    assert.equal(dials(['network.lost', 'network.returned']), 2);
  });

  it('waits as its ending requires, and a wake-up shortens only a backoff', () => {
    const lastDelay = (...more: Fact[]) =>
      run(['dial.requested', 'connection.opened', 'connection.ending', ...more]).log.findLast(
        (entry) => entry.startsWith('startDelay'),
      );
    for (const ended of ['now', 'backoff', 'slow', 'deferred'] as const) {
      assert.equal(lastDelay(`ended.${ended}`), `startDelay ${ended}`);
      const awake = ended === 'backoff' ? 'awake' : ended;
      assert.equal(lastDelay(`ended.${ended}`, 'wake.noticed'), `startDelay ${awake}`);
      // The delay that the peer asked for remains, whatever the network does.
      const isAsked = ended === 'deferred' || ended === 'slow';
      const offline = isAsked ? ended : 'offline';
      assert.equal(lastDelay(`ended.${ended}`, 'network.lost'), `startDelay ${offline}`);
    }
    assert.equal(lastDelay('ended.backoff', 'wake.noticed', 'wake.noticed'), 'startDelay awake');
  });
});
