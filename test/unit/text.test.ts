import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { byteLength } from '../../src/core/text.ts';

describe('byteLength', () => {
  it('returns the length of bytes, or of text in UTF-8', () => {
    assert.equal(byteLength(new Uint8Array(3)), 3);
    for (const text of ['', 'a', 'é', '日', '😀', '\ud800', '\udc00a', '\ud800\ud800\udc00'])
      assert.equal(byteLength(text), Buffer.byteLength(text), JSON.stringify(text));
  });

  it('is right also where a character crosses the end of a chunk', () => {
    for (const character of ['a', 'é', '日', '😀']) {
      for (let before = 0; before < 4; before += 1) {
        const text = 'x'.repeat(before) + character.repeat(30_000);
        assert.equal(byteLength(text), Buffer.byteLength(text), `${character} after ${before}`);
      }
    }
  });
});
