import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Stops } from '../support/stops.ts';

describe('what a test has started', () => {
  it('is all stopped, the last first, although a stop throws, and the first error is thrown', async () => {
    const stops = new Stops();
    const stopped: string[] = [];
    for (const name of ['a', 'b', 'c', 'd'])
      stops.add(async () => {
        stopped.push(name);
        if (name === 'b' || name === 'c') throw new Error(name);
      });
    await assert.rejects(stops.all(), /^Error: c$/);
    assert.deepEqual(stopped, ['d', 'c', 'b', 'a']);
    await stops.all();
    assert.equal(stopped.length, 4);
  });
});
