import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import {
  agreedSubprotocol,
  agreesOnBeat,
  beatAnswer,
  beatKind,
  beatRequest,
  withBeat,
  withoutBeat,
} from '../../src/core/beat.ts';

const bytes = (text: string) => new TextEncoder().encode(text);
const agreed = (offered: readonly string[], spoken: readonly string[]) =>
  agreedSubprotocol(new Set(offered), spoken);

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

describe('the subprotocol of the beat', () => {
  it('is negotiated together with the best subprotocol that both sides have', () => {
    assert.equal(agreed(withBeat([]), []), 'mooring.beat');
    assert.equal(agreed(withBeat(['b', 'a']), ['a', 'b']), 'a+mooring.beat');
    assert.equal(agreed(withBeat(['c']), ['a']), false);
  });

  it('is never negotiated with a peer that has not offered it', () => {
    assert.equal(agreed([], []), false);
    assert.equal(agreed(['a'], ['a', 'b']), 'a');
    assert.equal(agreed(['b'], ['a']), false);
  });

  it('comes after the names that a server without the beat may know', () => {
    assert.deepEqual(withBeat(['b', 'a']), ['b', 'a', 'b+mooring.beat', 'a+mooring.beat']);
  });

  it('is hidden from the application', () => {
    const name = fc.stringMatching(/^[a-z][a-z.+0-9]{0,12}$/);
    const names = fc.uniqueArray(name, { maxLength: 4 });
    fc.assert(
      fc.property(names, names, fc.boolean(), (offered, spoken, hasBeat) => {
        const answer = agreed(hasBeat ? withBeat(offered) : offered, spoken);
        const best = spoken.find((each) => offered.includes(each));
        assert.equal(answer === false ? '' : withoutBeat(answer), best ?? '');
        const isPossible = best !== undefined || offered.length === 0;
        assert.equal(answer !== false && agreesOnBeat(answer), hasBeat && isPossible);
      }),
    );
  });
});
