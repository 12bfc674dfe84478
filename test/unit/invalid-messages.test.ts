import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { countInvalid } from '../../src/connection/invalid-messages.ts';
import type { Port } from '../../src/connection/port.ts';

/** What counts of a connection, with how often it was ended. */
function connection(invalidPerMinuteMax: number) {
  const ends: string[] = [];
  const context = { limits: { invalidPerMinuteMax } };
  const port = { context, end: (cause: string) => ends.push(cause) };
  return { port: port as unknown as Port, ends };
}

describe('countInvalid', () => {
  it('ends the connection at the first that is too many', () => {
    const { port, ends } = connection(3);
    const answers = [0, 1, 59_998, 59_999].map((nowMs) => countInvalid(port, nowMs));
    assert.deepEqual(answers, [true, true, true, false]);
    assert.deepEqual(ends, ['invalid-message']);
  });

  it('begins a new minute with the first that comes after one', () => {
    const { port, ends } = connection(2);
    const times = [1_000, 60_999, 61_000, 120_999, 500_000, 559_999, 560_000];
    assert.deepEqual(new Set(times.map((nowMs) => countInvalid(port, nowMs))), new Set([true]));
    assert.equal(countInvalid(port, 560_001), true);
    assert.equal(countInvalid(port, 560_002), false);
    assert.equal(ends.length, 1);
  });

  it('counts each connection for itself', () => {
    const [one, other] = [connection(1), connection(1)];
    assert.equal(countInvalid(one.port, 0), true);
    assert.equal(countInvalid(other.port, 0), true);
    assert.equal(countInvalid(one.port, 0), false);
    assert.deepEqual([one.ends.length, other.ends.length], [1, 0]);
  });
});
