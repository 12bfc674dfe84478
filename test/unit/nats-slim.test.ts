import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Subscription } from '@nats-io/transport-node';
import { slim } from '../../src/bus/nats/slim.ts';

// Goal: subscriptions of any version of nats.js work, whether or not they have what is taken out. Method: give objects of
// several shapes. That subscriptions still work is in the integration tests of the bus.

function deferred(): Promise<void> {
  return Object.assign(new Promise<void>(() => {}), { resolve() {}, reject() {} });
}

describe('a slim subscription', () => {
  it('shares the promises that nobody waits for', () => {
    const one = { signal: deferred(), iterClosed: deferred(), closed: deferred(), sid: 1 };
    const { signal } = one;
    assert.equal(slim(one as unknown as Subscription), one);
    assert.notEqual(one.signal, signal);
    assert.equal(one.signal, one.iterClosed);
    assert.equal(one.signal, one.closed);
    assert.equal(one.sid, 1);
  });

  it('keeps what looks otherwise', () => {
    const closed = Promise.resolve();
    const other = { closed, signal: 'none' };
    slim(other as unknown as Subscription);
    assert.deepEqual(other, { closed, signal: 'none' });
  });
});
