import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import { z } from 'zod';
import {
  binaryCodec,
  createSupervisor,
  type FaultMessage,
  type InvalidMessagePolicy,
  listen,
  type SupervisorOptions,
  textCodec,
} from '../../src/index.ts';
import { opcode } from '../support/frames.ts';
import { RawPeer } from '../support/raw-peer.ts';
import { Service } from '../support/service.ts';
import { until } from '../support/until.ts';

type Options = SupervisorOptions<unknown, unknown, unknown>;

const Say = z.object({ type: z.literal('say'), text: z.string().max(20) });
const Order = z.object({
  type: z.literal('order'),
  items: z.array(z.object({ price: z.number(), tags: z.array(z.string()).optional() })),
});
const Contract = z.discriminatedUnion('type', [Say, Order]);

/** Messages, the fault of each, and its path. */
const invalid: readonly { title: string; message: unknown; path: string; says: RegExp }[] = [
  { title: 'wrong root', message: 5, path: '', says: /expected object/i },
  { title: 'null', message: null, path: '', says: /expected object/i },
  { title: 'unknown type', message: { type: 'fly' }, path: 'type', says: /./ },
  { title: 'no type', message: {}, path: 'type', says: /./ },
  {
    title: 'a wrong field',
    message: { type: 'say', text: 7 },
    path: 'text',
    says: /expected string/i,
  },
  {
    title: 'a long text',
    message: { type: 'say', text: 'x'.repeat(21) },
    path: 'text',
    says: /20/,
  },
  {
    title: 'a field deep inside',
    message: { type: 'order', items: [{ price: 1 }, { price: 2 }, { price: 'free' }] },
    path: 'items[2].price',
    says: /expected number/i,
  },
  {
    title: 'an item of a list in a list',
    message: { type: 'order', items: [{ price: 1, tags: ['a', 2] }] },
    path: 'items[0].tags[1]',
    says: /expected string/i,
  },
];

function faultOf(text: string | undefined): FaultMessage {
  return JSON.parse(text ?? 'null') as FaultMessage;
}

describe('the inbound contract', () => {
  let service: Service;
  afterEach(() => service.stop());

  async function started(options: Options) {
    service = await Service.start(options);
    return RawPeer.open(service.port);
  }

  for (const { title, message, path, says } of invalid) {
    it(`reply: ${title}: the peer gets the path ${path || 'of the whole'} and stays`, async () => {
      const peer = await started({ messages: Contract });
      peer.json(message);
      peer.json({ type: 'say', text: 'valid' });
      await until(() => service.messages.length === 1, 'the valid one is delivered');
      assert.deepEqual(service.messages, [{ type: 'say', text: 'valid' }]);
      await until(() => peer.texts.length === 1, 'the peer is notified');
      const { message: problem, ...fault } = faultOf(peer.texts[0]);
      assert.deepEqual(fault, { type: 'error', code: 'invalid-message', path });
      assert.match(problem, says);
      assert.equal(peer.frames.length, 1);
      const [told, ...more] = service.of('message.invalid');
      assert.deepEqual(told?.fault, { path, problem, closeCode: 1008 });
      assert.deepEqual(more, []);
    });

    it(`close: ${title}: 1008 with the path, or with the fault of the whole`, async () => {
      const peer = await started({ messages: Contract, invalidMessages: 'close' });
      peer.json(message);
      peer.json({ type: 'say', text: 'too late' });
      await peer.finishPolitely();
      const problem = service.of('message.invalid')[0]?.fault.problem ?? '';
      const frame = { code: 1008, reason: path || problem };
      await service.closedAs({
        code: 1008,
        origin: 'local',
        cause: 'invalid-message',
        clean: true,
        sent: frame,
        level: 'warn',
      });
      assert.deepEqual(peer.closeFrame, frame);
      assert.match(problem, says);
      assert.deepEqual(service.messages, []);
      assert.equal(service.of('message.invalid').length, 1);
    });
  }

  it('ignore: the peer gets no answer, and the events contain everything', async () => {
    const peer = await started({ messages: Contract, invalidMessages: 'ignore' });
    for (const { message } of invalid) peer.json(message);
    peer.json({ type: 'say', text: 'valid' });
    await until(() => service.messages.length === 1, 'the valid one is delivered');
    assert.equal(service.of('message.invalid').length, invalid.length);
    assert.deepEqual(peer.frames, []);
    const lines = service.logLines().filter(({ fields }) => fields['event'] === 'message.invalid');
    assert.deepEqual(new Set(lines.map(({ level }) => level)), new Set(['warn']));
  });

  const undecodable: readonly { title: string; bytes: Buffer; code: number; binary?: true }[] = [
    { title: 'no JSON', bytes: Buffer.from('hello'), code: 1007 },
    { title: 'half of JSON', bytes: Buffer.from('{"a":'), code: 1007 },
    { title: 'JSON and more', bytes: Buffer.from('{} {}'), code: 1007 },
    { title: 'an empty text', bytes: Buffer.alloc(0), code: 1007 },
    { title: 'a byte order mark', bytes: Buffer.from('\ufeff{}'), code: 1007 },
    { title: 'JSON in a binary frame', bytes: Buffer.from('{}'), code: 1003, binary: true },
    { title: 'an empty binary frame', bytes: Buffer.alloc(0), code: 1003, binary: true },
  ];

  for (const { title, bytes, code, binary } of undecodable) {
    const spec = { opcode: binary ? opcode.binary : opcode.text, payload: bytes };

    it(`reply: ${title}: the path is empty`, async () => {
      const peer = await started({ messages: Contract });
      peer.send(spec);
      await until(() => peer.texts.length === 1, 'the peer is notified');
      const { path, code: told } = faultOf(peer.texts[0]);
      assert.deepEqual([path, told], ['', 'invalid-message']);
      assert.equal(service.of('message.invalid')[0]?.fault.closeCode, code);
      assert.equal(service.supervisor.counts.open, 1);
    });

    it(`close: ${title}: ${code}`, async () => {
      const peer = await started({ invalidMessages: 'close' });
      peer.send(spec);
      await peer.finishPolitely();
      await service.closedAs({ code, cause: 'invalid-message', clean: true, level: 'warn' });
      const problem = service.of('message.invalid')[0]?.fault.problem;
      assert.deepEqual(peer.closeFrame, { code, reason: problem });
      assert.match(problem ?? '', /^malformed JSON$|^expected a text frame/);
    });
  }

  it('what the contract makes of a message is delivered', async () => {
    const messages = z.object({
      n: z.coerce.number(),
      tag: z.string().default('none'),
      at: z.string().transform((text) => text.length),
    });
    const peer = await started({ messages });
    peer.json({ n: '5', at: 'four', unknown: true });
    await until(() => service.messages.length === 1, 'it is delivered');
    assert.deepEqual(service.messages, [{ n: 5, tag: 'none', at: 4 }]);
  });

  it('without a contract any JSON is delivered', async () => {
    const peer = await started({});
    const all = [1, 'two', null, [3], { four: 4 }, false];
    for (const message of all) peer.json(message);
    await until(() => service.messages.length === all.length, 'all are delivered');
    assert.deepEqual(service.messages, all);
  });

  const { text, binary } = opcode;
  const mistaken = [
    { name: 'binary', codec: binaryCodec(), wrong: text, right: binary },
    { name: 'text', codec: textCodec(), wrong: binary, right: text },
  ];

  for (const { name, codec, wrong, right } of mistaken) {
    const serve = async (policy: InvalidMessagePolicy) => {
      const peer = await started({ codec, invalidMessages: policy });
      peer.send({ opcode: wrong, payload: 'wrong' });
      peer.send({ opcode: right, payload: 'right' });
      return peer;
    };
    const assertOneFault = () => {
      assert.deepEqual(
        service.of('message.invalid').map(({ fault }) => fault.closeCode),
        [1003],
      );
      assert.deepEqual(service.of('handler.errored'), []);
    };

    it(`ignore: a wrong kind of frame for a ${name} service is skipped`, async () => {
      const peer = await serve('ignore');
      await until(() => service.messages.length === 1, 'the right one is delivered');
      assert.deepEqual(peer.frames, []);
      assertOneFault();
    });

    it(`close: a wrong kind of frame for a ${name} service: 1003`, async () => {
      const peer = await serve('close');
      await peer.finishPolitely();
      await service.closedAs({ code: 1003, cause: 'invalid-message', level: 'warn' });
      assertOneFault();
    });

    // The codec has no error for this. The fault is not ours, so 1011 would be wrong.
    it(`reply: a wrong kind of frame for a ${name} service is not blamed on us`, async () => {
      const peer = await serve('reply');
      const isOver = () => peer.closeFrame !== undefined || service.messages.length === 1;
      await until(isOver, 'it is handled');
      await (peer.closeFrame && peer.finishPolitely());
      assert.notEqual(peer.closeFrame?.code, 1011);
      assertOneFault();
    });
  }
});

describe('the outbound contract', () => {
  let service: Service;
  afterEach(() => service.stop());

  const sends = z.object({ price: z.number().positive() });
  const refused = { name: 'MooringError', code: 'invalid-message', message: /message\.price/ };

  it('refuses invalid messages at send, publish and broadcast, and writes nothing', async () => {
    service = await Service.start({ sends, onOpen: (connection) => connection.join('prices') });
    const peer = await RawPeer.open(service.port);
    const connection = await service.opened();
    const { supervisor } = service;
    const wrong = { price: -1 };
    assert.throws(() => connection.send(wrong), refused);
    assert.throws(() => supervisor.broadcast(wrong), refused);
    assert.throws(() => supervisor.topic('prices').publish(wrong), refused);
    supervisor.topic('prices').next(wrong);
    const { handler, error } = await service.when('handler.errored');
    assert.equal(handler, 'topic');
    assert.equal((error as NodeJS.ErrnoException).code, 'invalid-message');
    connection.send({ price: 1 });
    await until(() => peer.texts.length === 1, 'the right one arrives');
    assert.deepEqual(peer.texts, ['{"price":1}']);
    assert.equal(connection.state, 'open');
  });

  it('is never applied to our answer to an invalid message', async () => {
    service = await Service.start({ sends, messages: z.string() });
    const peer = await RawPeer.open(service.port);
    peer.json(5);
    await until(() => peer.texts.length === 1, 'the peer is notified');
    assert.equal(faultOf(peer.texts[0]).code, 'invalid-message');
  });

  it('throws in onMessage: that is an error of the handler', async () => {
    service = await Service.start({ sends, onMessage: (connection) => connection.send({}) });
    const peer = await RawPeer.open(service.port);
    peer.json('hello');
    await peer.finishPolitely();
    await service.closedAs({ code: 1011, cause: 'handler-error', level: 'error' });
    assert.deepEqual(peer.texts, []);
  });
});

describe('types', () => {
  it('of messages, peers and sends reach the handlers without annotations', async () => {
    const heard: string[] = [];
    const supervisor = createSupervisor({
      messages: Contract,
      sends: z.object({ echo: z.string() }),
      authenticate: async () => ({ user: 'ada', age: 36 }),
      key: ({ user }) => user,
      onMessage(connection, message) {
        const age: number = connection.peer.age;
        switch (message.type) {
          case 'say': {
            const text: string = message.text;
            connection.send({ echo: `${connection.peer.user} (${age}): ${text}` });
            break;
          }
          case 'order': {
            const prices: number[] = message.items.map(({ price }) => price);
            connection.send({ echo: String(prices) });
          }
        }
        // @ts-expect-error: it is not what `sends` says.
        assert.throws(() => connection.send({ wrong: true }));
        // @ts-expect-error: it is no field of any message.
        assert.equal(message.nothing, undefined);
      },
      onOpen(connection) {
        connection.messages$.subscribe((message) => heard.push(message.type));
      },
    });
    await using listener = await listen(supervisor, { path: '/ws' });
    const peer = await RawPeer.open(listener.port);
    peer.json({ type: 'say', text: 'hi' });
    peer.json({ type: 'order', items: [{ price: 2 }, { price: 3 }] });
    await until(() => peer.texts.length === 2, 'both are answered');
    assert.deepEqual(peer.texts, ['{"echo":"ada (36): hi"}', '{"echo":"2,3"}']);
    assert.deepEqual(heard, ['say', 'order']);
    peer.destroy();
    await supervisor.drain({ withinMs: 1_000 });
  });
});
