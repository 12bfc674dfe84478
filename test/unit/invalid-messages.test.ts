import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { countInvalid } from '../../src/connection/invalid-messages.ts';
import type { ManagedConnection } from '../../src/connection/managed-connection.ts';

/** What counts of a connection, with how often it was ended. */
function newConnection(invalidPerMinuteMax: number) {
  const ends: string[] = [];
  const context = { limits: { invalidPerMinuteMax } };
  const connection = { context, end: (cause: string) => ends.push(cause) };
  return { connection: connection as unknown as ManagedConnection, ends };
}

describe('countInvalid', () => {
  it('ends the connection at the first that is too many', () => {
    const { connection, ends } = newConnection(3);
    const answers = [0, 1, 59_998, 59_999].map((nowMs) => countInvalid(connection, nowMs));
    assert.deepEqual(answers, [true, true, true, false]);
    assert.deepEqual(ends, ['invalid-message']);
  });

  it('begins a new minute with the first that comes after one', () => {
    const { connection, ends } = newConnection(2);
    const times = [1_000, 60_999, 61_000, 120_999, 500_000, 559_999, 560_000];
    assert.deepEqual(
      new Set(times.map((nowMs) => countInvalid(connection, nowMs))),
      new Set([true]),
    );
    assert.equal(countInvalid(connection, 560_001), true);
    assert.equal(countInvalid(connection, 560_002), false);
    assert.equal(ends.length, 1);
  });

  it('counts each connection for itself', () => {
    const [one, other] = [newConnection(1), newConnection(1)];
    assert.equal(countInvalid(one.connection, 0), true);
    assert.equal(countInvalid(other.connection, 0), true);
    assert.equal(countInvalid(one.connection, 0), false);
    assert.deepEqual([one.ends.length, other.ends.length], [1, 0]);
  });
});
