import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { headingText, isHeading, isMooringText, readHeading } from '../../src/core/heading.ts';

const bytes = (text: string) => new TextEncoder().encode(text);

describe('a heading', () => {
  it('is read as it was written', () => {
    fc.assert(
      fc.property(fc.string(), fc.array(fc.jsonValue()), (word, values) => {
        const payload = bytes(headingText(word, ...values));
        assert.ok(isHeading(payload, false));
        assert.deepEqual(readHeading(payload), JSON.parse(JSON.stringify([word, ...values])));
      }),
    );
  });

  it('is never JSON, and never binary', () => {
    fc.assert(
      fc.property(fc.json(), (json) => {
        assert.equal(isHeading(bytes(json), false), false);
        assert.equal(isMooringText(json), false);
      }),
    );
    assert.equal(isHeading(bytes(headingText('go')), true), false);
    assert.equal(isHeading(new Uint8Array(), false), false);
  });

  it('is null for more values or levels than the protocol allows', () => {
    const nested = (levels: number) => `["go",${'['.repeat(levels)}${']'.repeat(levels)}]`;
    // The array itself and the word are values, too.
    const long = (values: number) => JSON.stringify(['from', ...Array(values).fill(0)]);
    for (const text of [nested(63), long(15_998)])
      assert.notEqual(readHeading(bytes(`\u0001${text}`)), null);
    for (const text of [nested(64), long(15_999)])
      assert.equal(readHeading(bytes(`\u0001${text}`)), null);
  });

  it('is null for anything that no version writes', () => {
    for (const text of ['', '{}', '[]', '[1]', '["go"', `${'['.repeat(100_000)}`, '"go"', 'null'])
      assert.equal(readHeading(bytes(`\u0001${text}`)), null, text.slice(0, 9));
    assert.equal(readHeading(Uint8Array.of(1, 0xff, 0x5b)), null);
  });
});

describe('isMooringText', () => {
  it('finds beats and headings', () => {
    for (const text of ['\u0001', '\u0001x', '\u0005', '\u0006']) assert.ok(isMooringText(text));
    for (const text of ['', '\u0005\u0006', '\u0002', 'x\u0001']) assert.ok(!isMooringText(text));
  });
});
