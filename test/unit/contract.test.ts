import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { z } from 'zod';
import { type Codec, jsonCodec, textCodec, UndecodableError } from '../../src/core/codec.ts';
import { Contract, faultMessage } from '../../src/core/contract.ts';
import type { InvalidMessage } from '../../src/core/events.ts';
import { heapUsed } from '../support/garbage.ts';

const order = z.strictObject({
  type: z.literal('order'),
  items: z.array(z.strictObject({ price: z.number(), note: z.string().optional() })),
});
type Order = z.infer<typeof order>;

const orders = new Contract<Order, Order>(jsonCodec(), order, order);
const open = new Contract<unknown, unknown>(jsonCodec());

function faultOf(
  contract: Contract<unknown, unknown>,
  text: string,
  isBinary = false,
): InvalidMessage {
  const intake = contract.read(Buffer.from(text), isBinary);
  assert.ok('fault' in intake, `${text} is a message`);
  return intake.fault;
}

describe('Contract.read', () => {
  it('returns a valid message as the schema transforms it', () => {
    const trimmed = new Contract(jsonCodec(), z.string().trim().toUpperCase());
    assert.deepEqual(trimmed.read(Buffer.from('"  hi "'), false), { message: 'HI' });
    assert.deepEqual(open.read(Buffer.from('[1,null]'), false), { message: [1, null] });
    assert.deepEqual(open.read(Buffer.from('null'), false), { message: null });
  });

  it('names the path of the first fault, and 1008', () => {
    const paths: Record<string, string> = {
      '{"type":"order","items":[{"price":1},{"price":2},{"price":"3"}]}': 'items[2].price',
      '{"type":"order","items":[{"price":1,"note":2}]}': 'items[0].note',
      '{"type":"order","items":7}': 'items',
      '{"type":"ordr","items":[]}': 'type',
      '[]': '',
      null: '',
      '{"type":"order","items":[],"more":1}': '',
    };
    for (const [text, path] of Object.entries(paths)) {
      const fault = faultOf(orders, text);
      assert.equal(fault.path, path, text);
      assert.equal(fault.closeCode, 1008);
      assert.ok(fault.problem.length > 0);
    }
  });

  it('writes paths that begin with an index, and keys that are no identifiers', () => {
    const rows = new Contract(jsonCodec(), z.array(z.record(z.string(), z.number())));
    assert.equal(faultOf(rows, '[{},{"a b.c":"x"}]').path, '[1].a b.c');
    assert.equal(faultOf(rows, '[{"":"x"}]').path.startsWith('[0]'), true);
  });

  it('distinguishes malformed text (1007) from an unsupported kind of frame (1003)', () => {
    assert.equal(faultOf(orders, '{').closeCode, 1007);
    assert.equal(faultOf(orders, '{}', true).closeCode, 1003);
    assert.equal(faultOf(open, '[['.repeat(100)).closeCode, 1007);
  });

  it('treats anything else that a codec throws as malformed (1007)', () => {
    for (const thrown of [new Error('no'), 'no', null, undefined, Object.create(null)]) {
      const codec: Codec = {
        name: 'bad',
        encode: () => '',
        decode: () => {
          throw thrown;
        },
      };
      const { closeCode, problem, path } = faultOf(new Contract(codec), 'x');
      assert.deepEqual([closeCode, path], [1007, '']);
      assert.equal(problem, thrown instanceof Error ? 'no' : 'undecodable');
    }
  });

  it('lets a codec choose the close code', () => {
    const codec: Codec = {
      name: 'choosy',
      encode: () => '',
      decode: () => {
        throw new UndecodableError(1003, 'not this');
      },
    };
    const fault = { path: '', problem: 'not this', closeCode: 1003 };
    assert.deepEqual(faultOf(new Contract(codec), 'x'), fault);
  });

  it('keeps the text about a fault short, whatever the peer put into it', () => {
    const records = new Contract(jsonCodec(), z.record(z.string(), z.number()));
    for (const key of ['k'.repeat(100_000), '😀'.repeat(50_000), '\ud800'.repeat(1_000)]) {
      const { path } = faultOf(records, JSON.stringify({ [key]: 'x' }));
      assert.ok(path.length <= 201, `${path.length} characters`);
      assert.ok(path.length <= key.length);
    }
    const strict = faultOf(
      orders,
      JSON.stringify({ type: 'order', items: [], ['x'.repeat(5_000)]: 1 }),
    );
    assert.ok(strict.problem.length <= 201, `${strict.problem.length} characters`);
  });

  it('releases a message although its fault is kept', async () => {
    const strict = new Contract(jsonCodec(), z.strictObject({}));
    const before = await heapUsed();
    const faults = Array.from({ length: 30 }, (_, index) =>
      faultOf(strict, JSON.stringify({ [index + 'k'.repeat(1_000_000)]: 1 })),
    );
    const held = (await heapUsed()) - before;
    assert.ok(held < 5_000_000, `${faults.length} faults hold ${held} bytes`);
  });

  it('throws for a schema that is faulty, so that the peer is not blamed', () => {
    const later = new Contract(
      jsonCodec(),
      z.string().refine(async () => true),
    );
    assert.throws(() => later.read(Buffer.from('"text"'), false));
  });

  it('never throws, whatever a peer sends', () => {
    const payload = fc.oneof(
      fc.uint8Array({ maxLength: 60 }),
      fc.json().map((text) => Buffer.from(text)),
      fc.jsonValue().map((items) => Buffer.from(JSON.stringify({ type: 'order', items }))),
    );
    fc.assert(
      fc.property(payload, fc.boolean(), (bytes, isBinary) => {
        const intake = orders.read(Buffer.from(bytes), isBinary);
        if ('message' in intake) assert.deepEqual(order.parse(intake.message), intake.message);
        else assert.ok([1003, 1007, 1008].includes(intake.fault.closeCode));
      }),
      { numRuns: 300 },
    );
  });
});

describe('Contract.payload', () => {
  it('encodes a valid message', () => {
    const payload = orders.payload({ type: 'order', items: [] });
    assert.equal(payload, '{"type":"order","items":[]}');
  });

  it('names the path of the first fault in the error that it throws', () => {
    const wrong = { type: 'order', items: [{ price: 'free' }] } as unknown as Order;
    assert.throws(() => orders.payload(wrong), {
      name: 'MooringError',
      code: 'invalid-message',
      message: /^message\.items\[0\]\.price: /,
    });
    assert.throws(() => orders.payload(null as unknown as Order), {
      code: 'invalid-message',
      message: /^message: /,
    });
  });

  it('names the codec that could not write the message', () => {
    const circular: Record<string, unknown> = {};
    circular['self'] = circular;
    for (const message of [undefined, 1n, circular]) {
      assert.throws(() => open.payload(message), {
        name: 'MooringError',
        code: 'unencodable-message',
        message: /^the json codec cannot encode the message: /,
      });
    }
    const text = new Contract<string, unknown>(textCodec());
    assert.throws(() => text.payload(7), { code: 'unencodable-message', message: /text codec/ });
  });

  it('refuses a text that a Mooring client would take for a message of Mooring itself', () => {
    const text = new Contract<string, unknown>(textCodec());
    for (const message of ['\u0001["go"]', '\u0001', '\u0005', '\u0006']) {
      assert.throws(() => text.payload(message), {
        code: 'unencodable-message',
        message: /must not begin with U\+0001/,
      });
    }
    for (const message of ['', 'x\u0001', '\u0005\u0006'])
      assert.equal(text.payload(message), message);
  });

  it('throws only a MooringError, whatever a codec throws', () => {
    for (const thrown of [
      new Error('no'),
      'no',
      null,
      undefined,
      Symbol('no'),
      Object.create(null),
    ]) {
      const fail = () => {
        throw thrown;
      };
      const contract = new Contract({ name: 'bad', encode: fail, decode: fail });
      assert.throws(() => contract.payload(1), {
        name: 'MooringError',
        code: 'unencodable-message',
        cause: thrown,
      });
    }
  });

  it('sends what the schema makes of a message, not what the application passed', () => {
    const note = z.object({ kind: z.string().default('note'), text: z.string().toUpperCase() });
    const contract = new Contract(jsonCodec(), undefined, note);
    const given = { text: 'hi', passwordHash: 's3cret' };
    assert.equal(contract.payload(given), '{"kind":"note","text":"HI"}');
    assert.deepEqual(given, { text: 'hi', passwordHash: 's3cret' });
  });

  it('encodes a message that was transformed into what the codec accepts', () => {
    const dates = new Contract(
      jsonCodec(),
      undefined,
      z.date().transform((date) => ({ at: date.getTime() })),
    );
    assert.equal(dates.payload(new Date(5)), '{"at":5}');
    const maps = new Contract(
      jsonCodec(),
      undefined,
      z.string().transform((text) => new Map([[text, 1]])),
    );
    assert.throws(() => maps.payload('key'), { code: 'unencodable-message' });
  });
});

describe('faultMessage', () => {
  it('reports place and fault to the peer, in the same form for all contracts', () => {
    const fault = { path: 'items[2].price', problem: 'expected number', closeCode: 1008 } as const;
    assert.deepEqual(faultMessage(fault), {
      type: 'error',
      code: 'invalid-message',
      path: 'items[2].price',
      message: 'expected number',
    });
  });
});
