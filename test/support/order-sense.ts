import assert from 'node:assert/strict';
import type { RecordingConnection } from './recording-connection.ts';
import type { RecordingSupervisor } from './recording-supervisor.ts';

const onceAtMost = [
  'upgrade',
  'refuseWithClose',
  'announceOpen',
  'announceError',
  'announceClosing',
  'sendClose',
  'finish',
];
const onlyOnceOpen = ['admitMessages', 'announceError', 'announceClosing', 'sendClose', 'destroy'];
const onlyBeforeOpen = [
  'upgrade',
  'refuseUpgrade',
  'refuseWithClose',
  'startDeadline handshake',
  'startDeadline refusal',
];

/** Asserts that the orders of one connection's chart make sense so far. */
export function assertSense({ orders, place }: RecordingConnection): void {
  const opened = orders.indexOf('announceOpen');
  const before = opened === -1 ? orders : orders.slice(0, opened);
  const after = opened === -1 ? [] : orders.slice(opened);
  const told = orders.join(', ');
  assertAtMostOnce(orders, onceAtMost);
  for (const order of onlyOnceOpen) assert.ok(!before.includes(order), `${order} early: ${told}`);
  for (const order of onlyBeforeOpen) assert.ok(!after.includes(order), `${order} late: ${told}`);
  if (opened !== -1) assert.ok(!orders.includes('refuseUpgrade'), `refused and opened: ${told}`);
  const isOver = place === '"closed"' || place === '"failed"';
  const last = isOver ? orders.length - 1 : -1;
  assert.equal(orders.indexOf('finish'), last, `finish is the last: ${told}`);
  if (isOver) assert.equal(place, opened === -1 ? '"failed"' : '"closed"', told);
}

/** Asserts that the orders of a supervisor's chart make sense so far. */
export function assertSupervisorSense({ orders, place }: RecordingSupervisor): void {
  assertAtMostOnce(orders, ['beginDrain', 'expireAll', 'finish']);
  const begun = orders.indexOf('beginDrain');
  const told = orders.join(', ');
  for (const order of ['expireAll', 'finish']) {
    assert.ok(!orders.includes(order) || orders.indexOf(order) > begun, `no drain yet: ${told}`);
  }
  const announced = orders.slice(begun).filter((order) => order.startsWith('announce'));
  if (begun !== -1) assert.deepEqual(announced, [], told);
  assert.equal(orders.includes('finish'), place === '"stopped"', told);
}

function assertAtMostOnce(orders: readonly string[], names: readonly string[]): void {
  for (const name of names) {
    const times = orders.filter((order) => order === name).length;
    assert.ok(times <= 1, `${name} given ${times} times: ${orders.join(', ')}`);
  }
}
