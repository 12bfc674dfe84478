import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import { describe, it } from 'node:test';
import { whenAborted } from '../../src/core/guard.ts';

describe('whenAborted', () => {
  it('calls every waiter through one listener on the signal', () => {
    const controller = new AbortController();
    const { signal } = controller;
    const told: number[] = [];
    const stops = Array.from({ length: 20 }, (_, index) =>
      whenAborted(signal, () => told.push(index)),
    );
    assert.equal(getEventListeners(signal, 'abort').length, 1);
    for (const stop of stops.slice(2)) stop();
    controller.abort();
    assert.deepEqual(told, [0, 1]);
  });

  it('removes its listener when nobody waits, and adds it again for the next waiter', () => {
    const controller = new AbortController();
    const { signal } = controller;
    let told = 0;
    const wait = () => whenAborted(signal, () => (told += 1));
    const stop = wait();
    stop();
    stop();
    assert.equal(getEventListeners(signal, 'abort').length, 0);
    wait();
    controller.abort();
    assert.equal(told, 1);
  });

  it('calls the other waiters when one throws, and rethrows the error', () => {
    const told: string[] = [];
    // A signal whose listener the test calls by hand: a real signal would throw into the process.
    const listeners: ((event: Event) => void)[] = [];
    const signal = {
      addEventListener: (_type: string, listener: (event: Event) => void) =>
        void listeners.push(listener),
      removeEventListener: () => {},
    } as unknown as AbortSignal;
    whenAborted(signal, () => told.push('first'));
    whenAborted(signal, () => {
      throw new Error('out of order');
    });
    whenAborted(signal, () => told.push('third'));
    assert.throws(() => listeners[0]?.({ target: signal } as unknown as Event), /out of order/);
    assert.deepEqual(told, ['first', 'third']);
  });

  it('copes with waiters that leave or arrive during the call', () => {
    const controller = new AbortController();
    const { signal } = controller;
    const told: string[] = [];
    const stop = whenAborted(signal, () => {
      told.push('first');
      stop();
      whenAborted(signal, () => told.push('late'));
    });
    whenAborted(signal, () => told.push('second'));
    controller.abort();
    assert.deepEqual(told, ['first', 'second']);
  });
});
