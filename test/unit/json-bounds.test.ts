import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { exceededBound } from '../../src/core/json.ts';

/** How deep arrays and objects nest in a value, computed the slow way. */
function depthOf(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0;
  return 1 + Math.max(0, ...Object.values(value).map(depthOf));
}

/** How many values a value has, itself included, counted the slow way. */
function valuesOf(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 1;
  return Object.values(value).reduce<number>((sum, part) => sum + valuesOf(part), 1);
}

const MANY = 2 ** 31;
const exceeds = (text: string, depthMax: number) =>
  exceededBound(Buffer.from(text), { depthMax, valuesMax: MANY }) !== null;

/** The smallest depth that is not exceeded. */
function measured(text: string): number {
  let depth = 0;
  while (exceeds(text, depth)) depth += 1;
  return depth;
}

const exceedsValues = (text: string, valuesMax: number) =>
  exceededBound(Buffer.from(text), { depthMax: MANY, valuesMax }) !== null;

/** Asserts that a text has this many values: it exceeds one fewer, and does not exceed this many. */
function assertValues(text: string, values: number): void {
  assert.equal(exceedsValues(text, values), false, `${text}: no more than ${values}`);
  assert.equal(exceedsValues(text, values - 1), true, `${text}: more than ${values - 1}`);
}

describe('exceededBound: depth', () => {
  it('counts arrays and objects alike', () => {
    const depths: Record<string, number> = {
      '': 0,
      '1': 0,
      null: 0,
      '"text"': 0,
      '[]': 1,
      '{}': 1,
      '[1,2,3]': 1,
      '[[],[],{}]': 2,
      '{"a":{"b":{"c":[]}}}': 4,
      ' \n[ { "a" : [ ] } ]\t': 3,
    };
    for (const [text, depth] of Object.entries(depths)) assert.equal(measured(text), depth, text);
  });

  it('counts nesting, not volume', () => {
    assert.equal(exceeds(`[${'[],'.repeat(10_000)}[]]`, 2), false);
    assert.equal(exceeds(`[${'[],'.repeat(10_000)}[[]]]`, 2), true);
  });

  it('never counts the content of a string', () => {
    const strings = [
      '"[[[["',
      '"{[{["',
      '"\\"[["',
      '"\\\\\\"[["',
      '"]]]]"',
      '"\\u005b[["',
      '"é[€[😀["',
    ];
    for (const text of strings) {
      assert.equal(exceeds(text, 0), false, text);
      assert.equal(exceeds(`{${text}:${text}}`, 1), false, text);
    }
  });

  it('counts what follows a string, however the string ends', () => {
    for (const string of ['""', '"a"', '"\\\\"', '"\\\\\\\\"', '"\\""', '"\\\\\\""', '"[\\"["']) {
      assert.equal(measured(`[${string},[[]]]`), 3, string);
    }
  });

  it('treats an extra closing bracket as no depth', () => {
    assert.equal(exceeds(']]]]', 0), false);
    assert.equal(exceeds('"never ends [[[[', 0), false);
    assert.equal(exceeds('"never ends \\', 0), false);
    assert.equal(exceeds('\\"[', 0), false);
  });

  it('needs no stack for 10,000 levels, nor for a million', () => {
    for (const levels of [10_000, 1_000_000]) {
      const text = '['.repeat(levels) + ']'.repeat(levels);
      assert.equal(exceeds(text, 64), true);
      assert.equal(exceeds(text, levels - 1), true);
      assert.equal(exceeds(text, levels), false);
    }
  });

  it('looks at each byte of hostile text only a few times', () => {
    const hostile = [`"${'\\'.repeat(200_000)}`, `"${'\\"'.repeat(100_000)}`, '"'.repeat(200_001)];
    for (const text of hostile) {
      const bytes = counted(Buffer.from(text));
      exceededBound(bytes.array, { depthMax: 0, valuesMax: MANY });
      assert.ok(bytes.reads() <= 4 * text.length, `${bytes.reads()} reads of ${text.slice(0, 8)}…`);
    }
  });

  it('agrees with the parsed value for any JSON', () => {
    const options = { maxDepth: 12, depthSize: 'small' } as const;
    const json = fc
      .jsonValue({ ...options, stringUnit: 'grapheme' })
      .map((value) => JSON.stringify(value));
    const spaced = fc.tuple(fc.jsonValue(options), fc.nat(4)).map(([value, indent]) => {
      return JSON.stringify(value, null, indent);
    });
    fc.assert(
      fc.property(fc.oneof(json, spaced), (text) => {
        const value: unknown = JSON.parse(text);
        assert.equal(measured(text), depthOf(value));
        assertValues(text, valuesOf(value));
      }),
      { numRuns: 150 },
    );
  });

  it('agrees with the parsed value for JSON made mostly of quotes, escapes and brackets', () => {
    const nasty = fc.string({
      unit: fc.constantFrom('"', '\\', '[', ']', '{', '}', ',', 'é'),
      maxLength: 12,
    });
    const { value } = fc.letrec((tie) => ({
      value: fc.oneof({ maxDepth: 9 }, nasty, tie('list'), tie('record')),
      list: fc.array(tie('value'), { maxLength: 3 }),
      record: fc.dictionary(nasty, tie('value'), { maxKeys: 3 }),
    }));
    fc.assert(
      fc.property(value, (given) => {
        assert.equal(measured(JSON.stringify(given)), depthOf(given));
        assertValues(JSON.stringify(given), valuesOf(given));
      }),
      { numRuns: 500 },
    );
  });

  it('never throws, whatever the bytes are', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat(200), (bytes, depthMax) => {
        assert.doesNotThrow(() => exceededBound(bytes, { depthMax, valuesMax: depthMax }));
      }),
      { numRuns: 500 },
    );
  });
});

describe('exceededBound: values', () => {
  it('counts scalars, arrays and objects, but not keys', () => {
    const counts: Record<string, number> = {
      '1': 1,
      null: 1,
      '"a,b"': 1,
      '[]': 1,
      '{}': 1,
      '[ \n\t]': 1,
      '{ \r }': 1,
      '[[]]': 2,
      '[1]': 2,
      '[1,2,3]': 4,
      '{"a":1}': 2,
      '{"a":1,"a":2}': 3,
      '{"a":[],"b":{ }}': 3,
      '[[],[[]],{"a":{"b":{}}}]': 7,
      ' [ { "a" : [ 1 , "[" ] } ] ': 5,
      '["\\"",",","]"]': 4,
    };
    for (const [text, values] of Object.entries(counts)) assertValues(text, values);
  });

  it('names the bound that is exceeded', () => {
    const bounds = { depthMax: 2, valuesMax: 5 };
    const exceeded = (text: string) => exceededBound(Buffer.from(text), bounds);
    assert.equal(exceeded('[[1,2,3]]'), null);
    assert.equal(exceeded('[[[1,2]]]'), 'depthMax');
    assert.equal(exceeded('[[1,2,3,4]]'), 'valuesMax');
    assert.equal(exceeded(`[[1,2,3,4,5,6${'['.repeat(10)}`), 'valuesMax');
  });

  it('stops at the first value too many', () => {
    const bytes = counted(Buffer.from(`[${'1,'.repeat(100_000)}1]`));
    exceededBound(bytes.array, { depthMax: 64, valuesMax: 1_000 });
    assert.ok(bytes.reads() <= 3_000, `${bytes.reads()} reads`);
  });

  it('looks at each byte of white space only a few times', () => {
    const spaces = ' '.repeat(50_000);
    const text = `[${spaces}[${spaces}]${spaces},[${spaces}]${spaces}]${spaces}`;
    const bytes = counted(Buffer.from(text));
    assert.equal(exceededBound(bytes.array, { depthMax: 2, valuesMax: 3 }), null);
    assert.ok(bytes.reads() <= 3 * text.length, `${bytes.reads()} reads`);
  });
});

/** Bytes that count how often they are read. */
function counted(bytes: Buffer): { array: Uint8Array; reads: () => number } {
  let reads = 0;
  const array = new Proxy(bytes, {
    get(target, member) {
      if (member === 'indexOf') {
        return (byte: number, from: number) => {
          const found = target.indexOf(byte, from);
          reads += (found === -1 ? target.length : found) - from + 1;
          return found;
        };
      }
      if (typeof member === 'string' && /^-?\d+$/.test(member)) reads += 1;
      return Reflect.get(target, member, target) as unknown;
    },
  });
  return { array, reads: () => reads };
}
