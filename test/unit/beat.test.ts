import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { beatAnswer, beatKind, beatRequest } from '../../src/core/beat.ts';

const bytes = (text: string) => new TextEncoder().encode(text);
describe('beatKind', () => {
  it('distinguishes beats from messages', () => {
    assert.equal(beatKind(bytes(beatRequest), false), 'request');
    assert.equal(beatKind(bytes(beatAnswer), false), 'answer');
    for (const text of ['', '1', `${beatRequest}1`, '{}']) {
      assert.equal(beatKind(bytes(text), false), null);
    }
  });

  it('never treats a binary frame as a beat', () => {
    assert.equal(beatKind(bytes(beatRequest), true), null);
    assert.equal(beatKind(bytes(beatAnswer), true), null);
  });

  it('never treats JSON as a beat', () => {
    fc.assert(
      fc.property(fc.json(), (json) => {
        assert.equal(beatKind(bytes(json), false), null);
      }),
    );
  });
});
