import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import {
  binaryCodec,
  type Codec,
  jsonCodec,
  textCodec,
  UndecodableError,
} from '../../src/core/codec.ts';

function decode(codec: Codec, payload: string | Uint8Array, isBinary = false): unknown {
  return codec.decode(Buffer.from(payload as string), isBinary);
}

function undecodable(closeCode: 1003 | 1007) {
  return (thrown: unknown) => {
    assert.ok(thrown instanceof UndecodableError);
    assert.equal(thrown.closeCode, closeCode);
    assert.ok(thrown.message.length > 0);
    return true;
  };
}

describe('jsonCodec', () => {
  const json = jsonCodec();

  it('writes and reads any JSON value', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 8 }), (value) => {
        const text = json.encode(value);
        assert.equal(typeof text, 'string');
        assert.deepEqual(decode(json, text as string), JSON.parse(JSON.stringify(value)));
      }),
    );
  });

  it('refuses to write a value without a JSON form', () => {
    const circular: Record<string, unknown> = {};
    circular['self'] = circular;
    for (const value of [undefined, () => {}, Symbol('s'), 1n, circular]) {
      assert.throws(() => json.encode(value), TypeError);
    }
  });

  it('treats a binary frame as unsupported (1003)', () => {
    assert.throws(() => decode(json, '{}', true), undecodable(1003));
  });

  it('treats a byte order mark as malformed (1007), in a page as in Node.js', () => {
    const marked = new TextEncoder().encode('\ufeff{}');
    for (const bytes of [marked, Buffer.from(marked)]) {
      assert.throws(() => json.decode(bytes, false), undecodable(1007));
    }
  });

  it('treats malformed text as malformed (1007)', () => {
    for (const text of [
      '',
      ' ',
      '{',
      '{]',
      '[1,]',
      'nul',
      '{"a":1}}',
      "{'a':1}",
      '\ufeff{}',
      '01',
    ]) {
      assert.throws(() => decode(json, text), undecodable(1007), text);
    }
  });

  it('accepts 64 levels by default, and the configured number otherwise', () => {
    const nested = (depth: number) => '['.repeat(depth) + ']'.repeat(depth);
    for (const [codec, depthMax] of [
      [json, 64],
      [jsonCodec(3), 3],
      [jsonCodec(1), 1],
    ] as const) {
      assert.doesNotThrow(() => decode(codec, nested(depthMax)));
      assert.throws(() => decode(codec, nested(depthMax + 1)), undecodable(1007));
    }
    assert.throws(() => decode(json, nested(10_000)), undecodable(1007));
  });

  it('accepts invalid UTF-8 as text, and gives access to no prototype', () => {
    assert.deepEqual(decode(json, Uint8Array.of(0x22, 0xff, 0x22)), '\ufffd');
    const decoded = decode(json, '{"__proto__":{"admin":true}}') as { admin?: boolean };
    assert.equal(decoded.admin, undefined);
    assert.equal(({} as { admin?: boolean }).admin, undefined);
  });

  it('never throws anything but an UndecodableError, whatever the bytes', () => {
    const almostJson = fc.tuple(fc.json(), fc.nat(), fc.nat(255)).map(([text, at, byte]) => {
      const bytes = Buffer.from(text);
      bytes[at % Math.max(1, bytes.length)] = byte;
      return bytes;
    });
    fc.assert(
      fc.property(
        fc.oneof(fc.uint8Array({ maxLength: 80 }), almostJson),
        fc.boolean(),
        (bytes, isBinary) => {
          try {
            decode(json, bytes, isBinary);
          } catch (thrown) {
            assert.ok(undecodable(isBinary ? 1003 : 1007)(thrown));
          }
        },
      ),
      { numRuns: 500 },
    );
  });
});

describe('binaryCodec', () => {
  const binary = binaryCodec();

  it('passes bytes through', () => {
    const bytes = Uint8Array.of(0, 255, 1);
    assert.equal(binary.encode(bytes), bytes);
    assert.deepEqual(decode(binary, bytes, true), Buffer.from(bytes));
  });

  it('refuses to write any other value', () => {
    for (const value of [
      'text',
      [1, 2],
      new ArrayBuffer(2),
      new DataView(new ArrayBuffer(2)),
      null,
    ]) {
      assert.throws(() => binary.encode(value), TypeError);
    }
  });

  it('treats a text frame as unsupported (1003)', () => {
    assert.throws(() => decode(binary, 'text', false), undecodable(1003));
  });
});

describe('textCodec', () => {
  const text = textCodec();

  it('passes strings through', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (given) => {
        assert.equal(decode(text, text.encode(given) as string), given);
      }),
    );
  });

  it('reads bytes without Node.js as it reads a Buffer, including a leading U+FEFF', () => {
    const encoder = new TextEncoder();
    for (const given of ['\ufeff', '\ufeffhi', '\ufeff\ufeffhi', 'h\ufeffi', 'grüß dich']) {
      const bytes = encoder.encode(given);
      assert.equal(text.decode(bytes, false), given);
      assert.equal(text.decode(Buffer.from(bytes), false), given);
    }
  });

  it('refuses to write any other value', () => {
    for (const value of [1, null, undefined, {}, Buffer.from('text'), new String('text')]) {
      assert.throws(() => text.encode(value), TypeError);
    }
  });

  it('treats a binary frame as unsupported (1003)', () => {
    assert.throws(() => decode(text, 'text', true), undecodable(1003));
  });
});

describe('codecs', () => {
  it('have names that events show', () => {
    assert.deepEqual(
      [jsonCodec(), binaryCodec(), textCodec()].map(({ name }) => name),
      ['json', 'binary', 'text'],
    );
  });
});
