import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import { z } from 'zod';
import {
  binaryCodec,
  type Codec,
  jsonCodec,
  type SupervisorOptions,
  textCodec,
  UndecodableError,
} from '../../src/index.ts';
import { opcode } from '../support/frames.ts';
import { RawPeer } from '../support/raw-peer.ts';
import { Service } from '../support/service.ts';
import { until } from '../support/until.ts';

type Options = SupervisorOptions<unknown, unknown, unknown>;

describe('odd messages', () => {
  let service: Service;
  afterEach(() => service.stop());

  async function echo(options: Options = {}): Promise<RawPeer> {
    service = await Service.start({
      onMessage: (connection, message) => connection.send(message),
      ...options,
    });
    return RawPeer.open(service.port);
  }

  async function delivered(text: string, options: Options = {}): Promise<unknown> {
    const peer = await echo(options);
    peer.text(text);
    await until(() => service.messages.length === 1, 'it is delivered');
    await until(() => peer.texts.length === 1, 'it is answered');
    return service.messages[0];
  }

  const poisons = [
    '{"__proto__":{"polluted":true},"a":1}',
    '{"constructor":{"prototype":{"polluted":true}},"a":1}',
    '{"a":1,"__proto__":null}',
  ];
  const shapes: readonly [string, Options][] = [
    ['no contract', {}],
    ['an object', { messages: z.object({ a: z.number() }) }],
    ['a loose object', { messages: z.looseObject({ a: z.number() }) }],
    ['a record', { messages: z.record(z.string(), z.unknown()) }],
  ];

  for (const text of poisons) {
    for (const [shape, options] of shapes) {
      it(`${text} with ${shape} changes no prototype`, async () => {
        const message = (await delivered(text, options)) as Record<string, unknown>;
        assert.equal(message['a'], 1);
        assert.equal(({} as Record<string, unknown>)['polluted'], undefined);
        assert.equal(Object.getPrototypeOf(message), Object.prototype);
      });
    }
  }

  it('the path of a fault may be the name of a property that every object has', async () => {
    const peer = await echo({ messages: z.record(z.string(), z.number()) });
    peer.text('{"constructor":"x"}');
    await until(() => peer.texts.length === 1, 'the peer is notified');
    assert.equal(JSON.parse(peer.texts[0] ?? '').path, 'constructor');
  });

  it('the last of duplicate keys counts', async () => {
    assert.deepEqual(await delivered('{"a":1,"a":2}'), { a: 2 });
  });

  for (const [text, message] of [
    ['1e400', Number.POSITIVE_INFINITY],
    ['-1e400', Number.NEGATIVE_INFINITY],
    ['1e-400', 0],
    ['-0', -0],
    ['9007199254740993', 9_007_199_254_740_992],
    ['9'.repeat(10_000), Number.POSITIVE_INFINITY],
    ['"\\u0000"', '\0'],
    ['"\\ud800"', '\ud800'],
    ['"\\ud83d\\ude00"', '😀'],
    [' \n\t[ ] \r\n', []],
    ['""', ''],
    ['"\u2028"', '\u2028'],
    ['"\ufeff"', '\ufeff'],
  ] satisfies [string, unknown][]) {
    const title =
      text.length > 40 ? `${text.slice(0, 10)}… (${text.length})` : JSON.stringify(text);
    it(`${title} is what JSON defines`, async () => {
      assert.deepEqual(await delivered(text), message);
    });
  }

  it('values that are not numbers are faults of a contract for numbers', async () => {
    const peer = await echo({ messages: z.number() });
    for (const text of ['1e400', '"1"', 'null', 'true']) peer.text(text);
    await until(() => peer.texts.length === 4, 'the peer is notified');
    assert.deepEqual(service.messages, []);
  });

  it('a lone surrogate leaves as well-formed text, whatever the codec', async () => {
    service = await Service.start({ codec: textCodec() });
    const peer = await RawPeer.open(service.port);
    const connection = await service.opened();
    connection.send('a\ud800b');
    connection.send('\udfff'.repeat(200));
    await until(() => peer.texts.length === 2, 'both arrive');
    assert.deepEqual(peer.texts, ['a\ufffdb', '\ufffd'.repeat(200)]);
  });

  it('a lone surrogate in JSON returns unchanged', async () => {
    const peer = await echo();
    peer.text('{"text":"\\ud800"}');
    await until(() => peer.texts.length === 1, 'the echo arrives');
    assert.deepEqual(JSON.parse(peer.texts[0] ?? ''), { text: '\ud800' });
    assert.ok(peer.texts[0]?.isWellFormed());
  });

  for (const length of [0, 1, 125, 126, 127, 65_535, 65_536, 1_000_000]) {
    it(`binary: ${length} bytes return`, async () => {
      const peer = await echo({ codec: binaryCodec() });
      const payload = Buffer.alloc(length, 0xa5);
      peer.send({ opcode: opcode.binary, payload });
      await until(() => peer.frames.length === 1, 'the echo arrives');
      assert.equal(peer.frames[0]?.opcode, opcode.binary);
      assert.ok(peer.frames[0]?.payload.equals(payload));
    });

    it(`text: ${length} characters return`, async () => {
      const peer = await echo({ codec: textCodec() });
      const payload = 'ä'.repeat(length / 2) + 'x'.repeat(length % 2);
      peer.text(payload);
      await until(() => peer.frames.length === 1, 'the echo arrives');
      assert.equal(peer.texts[0], payload);
    });
  }

  it('binary: a view of a larger buffer is sent without the rest', async () => {
    service = await Service.start({ codec: binaryCodec() });
    const peer = await RawPeer.open(service.port);
    const connection = await service.opened();
    connection.send(new Uint8Array([0, 1, 2, 3, 4]).subarray(1, 3));
    await until(() => peer.frames.length === 1, 'it arrives');
    assert.deepEqual([...(peer.frames[0]?.payload ?? [])], [1, 2]);
  });

  it('binary: changes after send do not affect the sent message', async () => {
    service = await Service.start({ codec: binaryCodec() });
    const peer = await RawPeer.open(service.port);
    const connection = await service.opened();
    const bytes = Buffer.from('before');
    connection.send(bytes);
    bytes.fill('!');
    await until(() => peer.frames.length === 1, 'it arrives');
    assert.equal(peer.frames[0]?.payload.toString(), 'before');
  });

  it('binary: every message is a separate buffer', async () => {
    service = await Service.start({ codec: binaryCodec() });
    const peer = await RawPeer.open(service.port);
    for (const text of ['one', 'two', 'three']) {
      peer.send({ opcode: opcode.binary, payload: text });
    }
    await until(() => service.messages.length === 3, 'all are delivered');
    (service.messages[0] as Buffer).fill('!');
    assert.deepEqual(service.messages.map(String), ['!!!', 'two', 'three']);
  });
});

/** The hexadecimal digits of JSON in binary frames. Anything else is refused with the matching code. */
function hexCodec(): Codec {
  const json = jsonCodec();
  return {
    name: 'hex',
    encode: (message) => Buffer.from(Buffer.from(json.encode(message)).toString('hex')),
    decode(payload, isBinary) {
      if (!isBinary) throw new UndecodableError(1003, 'bytes, please');
      const hex = Buffer.from(payload).toString('latin1');
      if (!/^([0-9a-f]{2})*$/.test(hex)) throw new UndecodableError(1007, 'no hexadecimal digits');
      return json.decode(Buffer.from(hex, 'hex'), false);
    },
  };
}

describe('a codec of the application', () => {
  let service: Service;
  afterEach(() => service.stop());

  it('reads and writes every message, including answers to invalid ones', async () => {
    service = await Service.start({
      codec: hexCodec(),
      messages: z.object({ n: z.number() }),
      onMessage: (connection, message) => connection.send(message),
    });
    const peer = await RawPeer.open(service.port);
    const hex = (message: unknown) => Buffer.from(JSON.stringify(message)).toString('hex');
    const heard = () =>
      peer.frames.map(({ payload }) => Buffer.from(payload.toString(), 'hex').toString());
    peer.send({ opcode: opcode.binary, payload: hex({ n: 1 }) });
    peer.send({ opcode: opcode.binary, payload: hex({ n: 'one' }) });
    await until(() => peer.frames.length === 2, 'both are answered');
    assert.equal(heard()[0], '{"n":1}');
    assert.equal(JSON.parse(heard()[1] ?? '').path, 'n');
    assert.ok(peer.frames.every((frame) => frame.opcode === opcode.binary));
  });

  for (const [title, spec, code] of [
    ['a text frame', { opcode: opcode.text, payload: '{}' }, 1003],
    ['no digits', { opcode: opcode.binary, payload: 'xyz' }, 1007],
    ['no JSON', { opcode: opcode.binary, payload: '00' }, 1007],
  ] as const) {
    it(`chooses the close code: ${title}: ${code}`, async () => {
      service = await Service.start({ codec: hexCodec(), invalidMessages: 'close' });
      const peer = await RawPeer.open(service.port);
      peer.send(spec);
      await peer.finishPolitely();
      await service.closedAs({ code, cause: 'invalid-message', level: 'warn' });
    });
  }
});
