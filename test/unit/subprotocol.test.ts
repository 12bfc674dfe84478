import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import {
  agreedSubprotocol,
  agreesOnMooring,
  withMooring,
  withoutMooring,
} from '../../src/core/subprotocol.ts';

const agreed = (offered: readonly string[], spoken: readonly string[]) =>
  agreedSubprotocol(new Set(offered), spoken);

describe('the subprotocol of Mooring', () => {
  it('is negotiated together with the best subprotocol that both sides have', () => {
    assert.equal(agreed(withMooring([]), []), 'mooring.v1');
    assert.equal(agreed(withMooring(['b', 'a']), ['a', 'b']), 'a+mooring.v1');
    assert.equal(agreed(withMooring(['c']), ['a']), false);
  });

  it('is never negotiated with a peer that has not offered it', () => {
    assert.equal(agreed([], []), false);
    assert.equal(agreed(['a'], ['a', 'b']), 'a');
    assert.equal(agreed(['b'], ['a']), false);
  });

  it('comes after the names that another server may know', () => {
    assert.deepEqual(withMooring(['b', 'a']), ['b', 'a', 'b+mooring.v1', 'a+mooring.v1']);
  });

  it('is hidden from the application', () => {
    const name = fc.stringMatching(/^[a-z][a-z.+0-9]{0,12}$/);
    const names = fc.uniqueArray(name, { maxLength: 4 });
    fc.assert(
      fc.property(names, names, fc.boolean(), (offered, spoken, hasMooring) => {
        const answer = agreed(hasMooring ? withMooring(offered) : offered, spoken);
        const best = spoken.find((each) => offered.includes(each));
        assert.equal(answer === false ? '' : withoutMooring(answer), best ?? '');
        const isPossible = best !== undefined || offered.length === 0;
        assert.equal(answer !== false && agreesOnMooring(answer), hasMooring && isPossible);
      }),
    );
  });
});
