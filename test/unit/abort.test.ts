import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import { describe, it } from 'node:test';
import { whenAborted } from '../../src/core/guard.ts';

describe('whenAborted', () => {
  it('tells everybody who still waits, with one listener for all', () => {
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

  it('lets go of the signal when nobody waits, and takes it up again', () => {
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

  it('reaches the others although one throws, and lets the error out', () => {
    const told: string[] = [];
    // A signal whose listener can be called by hand: a real one throws into the process.
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

  it('bears those who leave, or come, while it tells', () => {
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
