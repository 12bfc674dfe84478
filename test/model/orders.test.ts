// Goal: whatever facts come in whatever order, the charts give orders that make sense and never throw.
// Method: run the charts with a port that only notes its orders, first from every state with every fact,
// then on random walks.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { type AnyActor, createActor } from 'xstate';
import { connectionMachine } from '../../machines/connection.ts';
import {
  type ConnectionFact,
  type ConnectionOrders,
  connectionFacts,
} from '../../machines/connection-contract.ts';
import {
  type SupervisorFact,
  type SupervisorOrders,
  supervisorFacts,
  supervisorMachine,
} from '../../machines/supervisor.ts';

const facts = Object.keys(connectionFacts) as ConnectionFact['type'][];
const requests = Object.keys(supervisorFacts) as SupervisorFact['type'][];
const crash = { type: 'xstate.error.actor.connection', error: new Error('crash') } as const;
const exit = { type: 'xstate.done.actor.connection' } as const;

/** Runs the connection chart over a stub that notes every order, its parameters included. */
function startConnection(given: string[]) {
  const note = (order: string) => (params?: object) =>
    void given.push([order, ...Object.values(params ?? {})].join(' '));
  const port: ConnectionOrders = {
    upgrade: note('upgrade'),
    refuseUpgrade: note('refuseUpgrade'),
    announceOpen: note('announceOpen'),
    admitMessages: note('admitMessages'),
    announceError: note('announceError'),
    announceClosing: note('announceClosing'),
    sendClose: note('sendClose'),
    destroy: note('destroy'),
    startDeadline: note('startDeadline'),
    announceChange: note('announceChange'),
    finish: note('finish'),
    outcome: () => 'the outcome',
  };
  return createActor(connectionMachine, { input: { port } }).start();
}

function startSupervisor(given: string[]) {
  const note = (order: string) => () => void given.push(order);
  const supervisor: SupervisorOrders = {
    announceSuspended: note('announceSuspended'),
    announceAdmitting: note('announceAdmitting'),
    beginDrain: note('beginDrain'),
    expireAll: note('expireAll'),
    recordCrash: ({ error }) => void given.push(`recordCrash ${error}`),
    finish: note('finish'),
  };
  return createActor(supervisorMachine, { input: { supervisor } }).start();
}

/** A way to every state: the facts that lead there, by the state's value. */
function waysToEverywhere<Fact>(follow: (way: readonly Fact[]) => AnyActor, each: readonly Fact[]) {
  const ways = new Map<string, readonly Fact[]>();
  const queue: (readonly Fact[])[] = [[]];
  for (const way of queue) {
    const value = JSON.stringify(follow(way).getSnapshot().value);
    if (ways.has(value)) continue;
    ways.set(value, way);
    queue.push(...each.map((fact) => [...way, fact]));
  }
  return ways;
}

function followConnection(way: readonly ConnectionFact['type'][], given: string[] = []) {
  const actor = startConnection(given);
  for (const type of way) actor.send({ type });
  return actor;
}

type SupervisorEvent = { type: SupervisorFact['type'] } | typeof crash | typeof exit;

function followSupervisor(way: readonly SupervisorEvent[], given: string[] = []) {
  const actor = startSupervisor(given);
  for (const event of way) actor.send(event);
  return actor;
}

describe('the connection chart under a recording port', () => {
  const ways = waysToEverywhere(
    (way: readonly ConnectionFact['type'][]) => followConnection(way),
    facts,
  );

  it('takes every fact in every state without throwing', () => {
    assert.equal(ways.size, 17);
    for (const [value, way] of ways) {
      for (const fact of facts) {
        const { status } = followConnection([...way, fact]).getSnapshot();
        assert.ok(status === 'active' || status === 'done', `${fact} in ${value}: ${status}`);
      }
    }
  });

  it('leaves a final state for no fact and gives no order there', () => {
    for (const final of ['"closed"', '"failed"']) {
      const given: string[] = [];
      const actor = followConnection(ways.get(final) ?? [], given);
      const before = given.length;
      for (const type of facts) actor.send({ type });
      assert.equal(JSON.stringify(actor.getSnapshot().value), final);
      assert.equal(given.length, before);
      assert.equal(actor.getSnapshot().output, 'the outcome');
    }
  });

  it('gives the orders of an ordinary life in their order', () => {
    const given: string[] = [];
    followConnection(
      [
        'admission.granted',
        'socket.opened',
        'welcome.settled',
        'close.requested',
        'websocket.closed',
      ],
      given,
    );
    assert.deepEqual(given, [
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

const onceAtMost = [
  'upgrade',
  'announceOpen',
  'admitMessages',
  'announceError',
  'announceClosing',
  'sendClose',
  'finish',
];
const onlyOnceOpen = ['admitMessages', 'announceError', 'announceClosing', 'sendClose', 'destroy'];
const onlyBeforeOpen = ['upgrade', 'refuseUpgrade', 'startDeadline handshake'];

/** Asserts that the orders of one life so far make sense. */
function assertSense(given: readonly string[], value: unknown): void {
  const opened = given.indexOf('announceOpen');
  const before = opened === -1 ? given : given.slice(0, opened);
  const after = opened === -1 ? [] : given.slice(opened);
  const told = given.join(', ');
  for (const order of onceAtMost) {
    assert.ok(given.filter((other) => other === order).length <= 1, `${order} twice: ${told}`);
  }
  for (const order of onlyOnceOpen) assert.ok(!before.includes(order), `${order} early: ${told}`);
  for (const order of onlyBeforeOpen) assert.ok(!after.includes(order), `${order} late: ${told}`);
  if (opened !== -1) assert.ok(!given.includes('refuseUpgrade'), `refused and opened: ${told}`);
  const over = value === 'closed' || value === 'failed';
  assert.equal(
    given.indexOf('finish'),
    over ? given.length - 1 : -1,
    `finish is the last: ${told}`,
  );
  if (over) assert.equal(value, opened === -1 ? 'failed' : 'closed', told);
}

describe('the connection chart on random walks', () => {
  // Most facts end a life at once; those that prolong it are repeated, or few walks would get far.
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
        const given: string[] = [];
        const { value, status } = followConnection([...start, ...rest], given).getSnapshot();
        assert.notEqual(status, 'error');
        assertSense(given, value);
      }),
      { numRuns: 1_500 },
    );
  });

  it('comes to an end when its deadlines pass, whatever happened before', () => {
    fc.assert(
      fc.property(opening, fc.array(fact, { maxLength: 20 }), (start, rest) => {
        const actor = followConnection([...start, ...rest]);
        actor.send({ type: 'heartbeat.lost' });
        for (let turn = 0; turn < 3; turn += 1) actor.send({ type: 'deadline.passed' });
        assert.equal(actor.getSnapshot().status, 'done');
      }),
      { numRuns: 500 },
    );
  });
});

describe('the supervisor chart under a recording supervisor', () => {
  const events: SupervisorEvent[] = [...requests.map((type) => ({ type })), crash, exit];
  const ways = waysToEverywhere((way: readonly SupervisorEvent[]) => followSupervisor(way), events);

  it('takes every fact in every state without throwing', () => {
    assert.equal(ways.size, 5);
    for (const [value, way] of ways) {
      for (const event of events) {
        const { status } = followSupervisor([...way, event]).getSnapshot();
        assert.ok(status === 'active' || status === 'done', `${event.type} in ${value}: ${status}`);
      }
    }
  });

  it('leaves stopped for no fact and gives no order there', () => {
    const given: string[] = [];
    const actor = followSupervisor(ways.get('"stopped"') ?? [], given);
    const before = given.length;
    for (const event of events) actor.send(event);
    assert.equal(actor.getSnapshot().value, 'stopped');
    assert.equal(given.length, before);
  });

  it('survives the crash of a connection and reports it, in every state but the last', () => {
    for (const [value, way] of ways) {
      if (value === '"stopped"') continue;
      const given: string[] = [];
      const actor = followSupervisor(way, given);
      actor.send(crash);
      assert.equal(given.at(-1), 'recordCrash Error: crash', value);
      assert.equal(JSON.stringify(actor.getSnapshot().value), value);
    }
  });

  it('drains once, expires once and finishes once on any walk', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...events), { maxLength: 30 }), (way) => {
        const given: string[] = [];
        const { value } = followSupervisor(way, given).getSnapshot();
        for (const order of ['beginDrain', 'expireAll', 'finish']) {
          assert.ok(given.filter((other) => other === order).length <= 1, order);
        }
        assert.equal(given.includes('finish'), value === 'stopped');
      }),
      { numRuns: 300 },
    );
  });
});
