import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { runInNewContext } from 'node:vm';
import fc from 'fast-check';
import { jsonCodec } from '../../src/core/codec.ts';

const json = jsonCodec();

/** Every kind of value that JSON writes without its content. */
const lossy: readonly [string, object][] = [
  ['Map', new Map([['a', 1]])],
  ['Map', new Map()],
  ['Set', new Set([1])],
  ['WeakMap', new WeakMap()],
  ['WeakSet', new WeakSet()],
  ['Promise', Promise.resolve(1)],
  ['RegExp', /a/u],
  ['Error', new Error('boom')],
  ['Error', new (class Custom extends RangeError {})('boom')],
  ['Error', new DOMException('boom')],
  ['ArrayBuffer', new ArrayBuffer(2)],
  ['SharedArrayBuffer', new SharedArrayBuffer(2)],
  ['DataView', new DataView(new ArrayBuffer(2))],
  ['Uint8Array', Uint8Array.of(1, 2)],
  ['Uint8Array', new Uint8Array(0)],
  ['Buffer', Buffer.from('ab')],
  ['Buffer', Buffer.alloc(0)],
  ['Float64Array', Float64Array.of(0.5)],
  ['BigInt64Array', new BigInt64Array(0)],
  ['Map', runInNewContext('new Map([[1, 2]])') as object],
  ['Error', runInNewContext('new Error("elsewhere")') as object],
];

function refused(message: RegExp) {
  return (thrown: unknown) => {
    assert.ok(thrown instanceof TypeError);
    assert.match(thrown.message, message);
    return true;
  };
}

describe('jsonCodec, given values that JSON would write without their content', () => {
  for (const [kind, value] of lossy) {
    it(`refuses a ${kind}: ${String(value)}`, () => {
      const whole = new RegExp(`^the message is an? ${kind}, which has no JSON form; `);
      assert.throws(() => json.encode(value), refused(whole));
      const message = { id: 1, items: [{}, { tags: {} }, { tags: value }], rest: {} };
      const within = new RegExp(`^items\\[2\\]\\.tags is an? ${kind}, which has no JSON form; `);
      assert.throws(() => json.encode(message), refused(within));
    });
  }

  it('names what to send instead', () => {
    const table: [object, string][] = [
      [Promise.resolve(), 'a is a Promise, which has no JSON form; await it first'],
      [/b/u, 'a is a RegExp, which has no JSON form; send its source'],
      [new Error('b'), 'a is an Error, which has no JSON form; send its name and its message'],
      [new Map(), 'a is a Map, which has no JSON form; send an object or an array made of it'],
      [new Set(), 'a is a Set, which has no JSON form; send an array made of it'],
      [
        Uint8Array.of(1),
        'a is a Uint8Array, which has no JSON form; send text made of it, or use a binary codec',
      ],
      [
        new ArrayBuffer(1),
        'a is an ArrayBuffer, which has no JSON form; send text made of it, or use a binary codec',
      ],
    ];
    for (const [a, message] of table) assert.throws(() => json.encode({ a }), { message });
  });

  it('finds such a value at any place', () => {
    const value: fc.Arbitrary<fc.JsonValue> = fc.jsonValue({ maxDepth: 3 });
    fc.assert(
      fc.property(fc.array(value), fc.dictionary(fc.string(), value), (items, fields) => {
        const message = { fields: { ...fields, last: [...items, new Map()] } };
        const place = `fields.last[${items.length}] is a Map`;
        assert.throws(
          () => json.encode(message),
          (thrown: TypeError) => thrown.message.startsWith(place),
        );
      }),
    );
  });
});

describe('jsonCodec, given values that JSON throws for', () => {
  it('names the path of a BigInt', () => {
    const tail = 'is a BigInt, which has no JSON form; send it as a string or as a number';
    assert.throws(() => json.encode(7n), { message: `the message ${tail}` });
    const message = { rest: {}, items: [{ id: 1 }, { ids: [1, 2n] }] };
    assert.throws(() => json.encode(message), { message: `items[1].ids[1] ${tail}` });
    assert.throws(() => json.encode({ a: { toJSON: () => ({ b: 1n }) } }), {
      message: `a.b ${tail}`,
    });
  });

  it('names the path of a cycle, and accepts a value that is merely shared', () => {
    const shared = {};
    const message: { list: unknown[] } = { list: [shared, shared] };
    message.list.push({ back: message });
    assert.throws(() => json.encode(message), {
      name: 'TypeError',
      message: 'list[2].back contains itself, which JSON cannot write; leave it out',
    });
  });

  it("rethrows what the message's own code throws, with its cause", () => {
    const toJSON = () => {
      throw new RangeError('mine');
    };
    assert.throws(() => json.encode({ toJSON }), { name: 'RangeError', message: 'mine' });
    assert.throws(
      () => json.encode([1n]),
      ({ cause }: Error) => cause instanceof TypeError,
    );
  });

  it('writes a BigInt with a toJSON of its own', () => {
    Object.defineProperty(BigInt.prototype, 'toJSON', {
      configurable: true,
      value(this: bigint) {
        return String(this);
      },
    });
    try {
      assert.equal(json.encode({ a: 7n }), '{"a":"7"}');
      const cycle: { id: bigint; self?: unknown } = { id: 7n };
      cycle.self = cycle;
      assert.throws(() => json.encode(cycle), { message: /^self contains itself/ });
    } finally {
      Reflect.deleteProperty(BigInt.prototype, 'toJSON');
    }
  });
});

describe('jsonCodec, given values that JSON writes well', () => {
  /** Asserts that the codec writes what JSON writes. */
  function assertWritten(value: unknown): void {
    assert.equal(json.encode(value), JSON.stringify(value));
  }

  it('respects toJSON', () => {
    class Tags extends Map<string, number> {
      toJSON() {
        return Object.fromEntries(this);
      }
    }
    assertWritten({ tags: new Tags([['a', 1]]), none: new Tags(), at: new Date(0) });
    class Base64 extends Uint8Array {
      toJSON() {
        return Buffer.from(this).toString('base64');
      }
    }
    assertWritten({ bytes: Base64.of(1, 2), empty: {} });
    assertWritten({ bytes: Buffer.from('hi').toJSON() });
    assertWritten({ error: Object.assign(new Error('boom'), { toJSON: () => ({}) }) });
    assert.throws(() => json.encode({ a: { toJSON: () => new Set() } }), refused(/^a is a Set/));
    const keys: string[] = [];
    json.encode({ list: [{ toJSON: (key: string) => keys.push(key) && {} }] });
    assert.deepEqual(keys, ['0', '0'], 'the codec calls it as JSON does');
  });

  it('writes instances of classes, and errors and maps that have fields', () => {
    class Empty {}
    class Secret {
      readonly #secret = 1;
      get secret() {
        return this.#secret;
      }
    }
    assertWritten([new Empty(), new Secret(), Object.create(null), new URLSearchParams('a=1')]);
    assertWritten([{}, Object.assign(new Error('boom'), { code: 'ENOENT' })]);
    assertWritten([{}, Object.assign(new Map(), { label: 'empty' })]);
  });

  it('writes texts and keys that look like its marks', () => {
    assertWritten({ source: 'function () {}', text: '{"0":', list: [] });
    assertWritten({ 0: 'zero', nested: { 0: {} }, '': { '': {} } });
    assertWritten(Object.assign([{}], { extra: new Map() }));
    assertWritten({
      [Symbol('hidden')]: new Map(),
      method: () => new Map(),
      none: undefined,
      o: {},
    });
    assertWritten([new String('text'), new Number(1), new Boolean(false), {}]);
  });

  it('writes values that answer only once, or answer inconsistently', () => {
    const once = (first: unknown) => {
      let asked = 0;
      return () => {
        asked += 1;
        if (asked > 1) throw new Error('only once');
        return first;
      };
    };
    assert.equal(json.encode({ a: {}, toJSON: once({ b: {} }) }), '{"b":{}}');
    assert.equal(
      json.encode(Object.defineProperty({}, 'a', { enumerable: true, get: once({}) })),
      '{"a":{}}',
    );
    const trap = new Proxy({}, { getPrototypeOf: () => assert.fail('a trap') });
    assert.equal(json.encode({ trap }), '{"trap":{}}');
    let depth = 0;
    const growing = (): object => {
      depth += 1;
      return depth === 1
        ? {}
        : Object.defineProperty({}, 'more', { enumerable: true, get: growing });
    };
    assert.equal(json.encode({ growing: { toJSON: growing } }), '{"growing":{}}');
  });

  it('writes a shared value as often as it occurs', () => {
    const shared = { empty: {} };
    assertWritten({ one: shared, two: [shared, shared] });
  });

  it('writes whatever JSON writes', () => {
    fc.assert(fc.property(fc.jsonValue({ maxDepth: 6 }), assertWritten), { numRuns: 300 });
  });
});
