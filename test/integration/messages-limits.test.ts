import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import { z } from 'zod';
import { type SupervisorOptions, textCodec } from '../../src/index.ts';
import { buildFrame, opcode } from '../support/frames.ts';
import { ProcessWatch } from '../support/process-watch.ts';
import { RawPeer } from '../support/raw-peer.ts';
import { Service } from '../support/service.ts';
import { until } from '../support/until.ts';

type Options = SupervisorOptions<unknown, unknown, unknown>;

const DEEP = 10_000;

describe('depth', () => {
  let service: Service;
  afterEach(() => service.stop());

  const nested: readonly [string, string][] = [
    ['arrays', `${'['.repeat(DEEP)}${']'.repeat(DEEP)}`],
    ['objects', `${'{"a":'.repeat(DEEP)}1${'}'.repeat(DEEP)}`],
    ['arrays in objects', `${'[{"a":'.repeat(DEEP)}1${'}]'.repeat(DEEP)}`],
    ['arrays that are never closed', '['.repeat(DEEP)],
    ['arrays behind a string with brackets', `["]]]]",${'['.repeat(DEEP)}${']'.repeat(DEEP + 1)}`],
    ['arrays behind an escaped quote', `["\\"",${'['.repeat(DEEP)}${']'.repeat(DEEP + 1)}`],
    ['1 MiB of brackets', '['.repeat(1_048_576)],
  ];

  const contracts: readonly [string, Options][] = [
    ['without a contract', {}],
    ['with z.json()', { messages: z.json() }],
  ];

  for (const [title, payload] of nested) {
    for (const [contract, options] of contracts) {
      it(`${title}, ${contract}: the peer is notified, and nothing is delivered`, async () => {
        const watch = new ProcessWatch();
        service = await Service.start(options);
        const peer = await RawPeer.open(service.port);
        peer.text(payload);
        peer.json('fine');
        await until(() => service.messages.length === 1, 'the next message is delivered');
        assert.deepEqual(service.messages, ['fine']);
        await until(() => peer.texts.length === 1, 'the peer is notified');
        assert.match(peer.texts[0] ?? '', /nested deeper than 64/);
        await watch.assertQuiet();
        watch.stop();
      });
    }
  }

  it('closes with 1007 under the close policy', async () => {
    service = await Service.start({ invalidMessages: 'close' });
    const peer = await RawPeer.open(service.port);
    peer.text(nested[0]?.[1] ?? '');
    await peer.finishPolitely();
    await service.closedAs({ code: 1007, cause: 'invalid-message', level: 'warn' });
    assert.deepEqual(peer.closeFrame, {
      code: 1007,
      reason: 'JSON nested deeper than 64 (depthMax)',
    });
  });

  for (const depthMax of [1, 64, 5_000]) {
    it(`depthMax ${depthMax} is delivered, one level more is not`, async () => {
      service = await Service.start({ limits: { depthMax } });
      const peer = await RawPeer.open(service.port);
      peer.text('['.repeat(depthMax) + ']'.repeat(depthMax));
      peer.text('['.repeat(depthMax + 1) + ']'.repeat(depthMax + 1));
      await until(() => peer.texts.length === 1, 'the second is refused');
      assert.equal(service.messages.length, 1);
    });
  }

  it('brackets within strings do not count', async () => {
    service = await Service.start({ limits: { depthMax: 1 } });
    const peer = await RawPeer.open(service.port);
    const texts = ['[[[[', '{"{{', '\\"[[', '\\\\', '"', '[\\'];
    for (const text of texts) peer.json([text]);
    await until(() => service.messages.length === texts.length, 'all are delivered');
    assert.deepEqual(
      service.messages,
      texts.map((text) => [text]),
    );
  });
});

describe('values', () => {
  let service: Service;
  afterEach(() => service.stop());

  const list = (values: number) => JSON.stringify(new Array(values - 1).fill(0));

  for (const valuesMax of [1, 8_000, 20_000]) {
    it(`valuesMax ${valuesMax} are delivered, one more are not`, async () => {
      service = await Service.start(valuesMax === 8_000 ? {} : { limits: { valuesMax } });
      const peer = await RawPeer.open(service.port);
      peer.text(valuesMax === 1 ? '[]' : list(valuesMax));
      peer.text(list(valuesMax + 1));
      await until(() => peer.texts.length === 1, 'the second is refused');
      assert.match(
        peer.texts[0] ?? '',
        new RegExp(`JSON with more than ${valuesMax} values .valuesMax.`),
      );
      assert.equal(service.messages.length, 1);
    });
  }

  it('values count at every depth, and keys do not count', async () => {
    service = await Service.start({ limits: { valuesMax: 6 } });
    const peer = await RawPeer.open(service.port);
    peer.json({ a: { b: [1, 2, { c: {} }] } });
    peer.json({ a: { b: [1, {}] }, c: 'd,e,f,g' });
    await until(() => peer.texts.length === 1, 'the first is refused');
    assert.deepEqual(service.messages, [{ a: { b: [1, {}] }, c: 'd,e,f,g' }]);
  });

  it('closes with 1007 under the close policy', async () => {
    service = await Service.start({ invalidMessages: 'close' });
    const peer = await RawPeer.open(service.port);
    peer.text(list(8_001));
    await peer.finishPolitely();
    await service.closedAs({ code: 1007, cause: 'invalid-message', level: 'warn' });
    assert.deepEqual(peer.closeFrame, {
      code: 1007,
      reason: 'JSON with more than 8000 values (valuesMax)',
    });
  });

  it('the limits apply only to the JSON codec', async () => {
    service = await Service.start({ codec: textCodec(), limits: { valuesMax: 1 } });
    const peer = await RawPeer.open(service.port);
    peer.text('[1,2,3]');
    await until(() => service.messages.length === 1, 'it is delivered');
  });
});

describe('rate', () => {
  let service: Service;
  afterEach(() => service.stop());

  const limits = { messagesPerSecondMax: 20, messageBurstMax: 5 };
  const burst = (count: number, payload = '1') =>
    Buffer.concat(new Array(count).fill(buildFrame({ opcode: opcode.text, payload })));

  async function assertTooMany(peer: RawPeer, delivered: number) {
    await peer.finishPolitely();
    await service.closedAs({
      code: 1008,
      origin: 'local',
      cause: 'message-rate',
      sent: { code: 1008, reason: 'too many messages' },
      level: 'warn',
    });
    assert.equal(service.messages.length, delivered);
  }

  it('a burst is delivered, and one more message ends it with 1008', async () => {
    service = await Service.start({ limits, overRate: 'close' });
    const peer = await RawPeer.open(service.port);
    peer.socket.write(burst(5));
    await until(() => service.messages.length === 5, 'the burst is delivered');
    assert.equal(service.supervisor.counts.open, 1);
    peer.socket.write(burst(10));
    await peer.finishPolitely();
    const { verdict } = await service.when('connection.closed');
    assert.equal(verdict.cause, 'message-rate');
    assert.ok(service.messages.length < 15);
  });

  it('more than a burst in one chunk: the burst is delivered, and nothing more', async () => {
    service = await Service.start({ limits, overRate: 'close' });
    const peer = await RawPeer.open(service.port);
    peer.socket.write(burst(50));
    await assertTooMany(peer, 5);
  });

  it('invalid messages count, too', async () => {
    service = await Service.start({ limits, overRate: 'close', invalidMessages: 'ignore' });
    const peer = await RawPeer.open(service.port);
    peer.socket.write(burst(50, '{'));
    await assertTooMany(peer, 0);
    assert.equal(service.of('message.invalid').length, 5);
  });

  it('fragments and control frames do not count', async () => {
    service = await Service.start({ limits, overRate: 'close' });
    const peer = await RawPeer.open(service.port);
    const parts = Array.from({ length: 30 }, (_, index) =>
      buildFrame({ opcode: index === 0 ? opcode.text : 0, fin: index === 29, payload: '1' }),
    );
    const pongs = new Array(30).fill(buildFrame({ opcode: opcode.pong }));
    peer.socket.write(Buffer.concat([...parts, ...pongs]));
    await until(() => service.messages.length === 1, 'the one message is delivered');
    assert.equal(service.supervisor.counts.open, 1);
  });

  it('a peer that keeps to the rate may continue indefinitely', async () => {
    service = await Service.start({
      limits: { messagesPerSecondMax: 200, messageBurstMax: 5 },
      overRate: 'close',
    });
    const peer = await RawPeer.open(service.port);
    // Ten more than the burst, each after twice the time that it costs.
    for (let count = 1; count <= 15; count += 1) {
      peer.json(count);
      const due = performance.now() + 10;
      await until(() => service.messages.length === count && performance.now() > due, 'its time');
    }
    assert.equal(service.supervisor.counts.open, 1);
  });
});

describe('the text about a fault', () => {
  let service: Service;
  afterEach(() => service.stop());

  const MEGABYTE = 1_000_000;
  const huge: readonly { title: string; messages: z.ZodType; message: unknown }[] = [
    {
      title: 'an unknown key',
      messages: z.strictObject({}),
      message: { ['k'.repeat(MEGABYTE)]: 1 },
    },
    {
      title: 'unknown keys by the thousand',
      messages: z.strictObject({}),
      message: Object.fromEntries(Array.from({ length: 50_000 }, (_, index) => [`k${index}`, 1])),
    },
    {
      title: 'a key on the path',
      messages: z.record(z.string(), z.number()),
      message: { ['k'.repeat(MEGABYTE)]: 'no number' },
    },
    {
      title: 'a key on the path, of many bytes',
      messages: z.record(z.string(), z.number()),
      message: { ['€'.repeat(300_000)]: 'no number' },
    },
    {
      title: 'a key on the path, of surrogate pairs',
      messages: z.record(z.string(), z.number()),
      message: { [`x${'😀'.repeat(200_000)}`]: 'no number' },
    },
    {
      title: 'a problem that quotes the message',
      messages: z.string().refine(() => false, { error: ({ input }) => `bad: ${input}` }),
      message: 'm'.repeat(MEGABYTE),
    },
    {
      title: '200,000 faults at once',
      messages: z.array(z.number()),
      message: new Array(200_000).fill(''),
    },
  ];

  for (const { title, messages, message } of huge) {
    it(`reply: ${title}: the answer is short`, async () => {
      service = await Service.start({ messages, limits: { valuesMax: 1_000_000 } });
      const peer = await RawPeer.open(service.port);
      peer.json(message);
      await until(() => peer.texts.length === 1, 'the peer is notified');
      assert.ok((peer.texts[0] ?? '').length < 2_000);
      assert.ok((peer.texts[0] ?? '').isWellFormed());
      const [told] = service.of('message.invalid');
      assert.ok((told?.fault.path.length ?? 0) + (told?.fault.problem.length ?? 0) < 1_000);
      assert.ok(JSON.stringify(service.logLines()).length < 10_000);
    });

    it(`close: ${title}: the reason has at most 123 bytes`, async () => {
      const limits = { valuesMax: 1_000_000 };
      service = await Service.start({ messages, invalidMessages: 'close', limits });
      const peer = await RawPeer.open(service.port);
      peer.json(message);
      await peer.finishPolitely();
      await service.closedAs({ code: 1008, cause: 'invalid-message', level: 'warn' });
      const reason = peer.closeFrame?.reason ?? '';
      assert.ok(Buffer.byteLength(reason) <= 123);
      assert.ok(!reason.includes('\ufffd'), 'it is cut between characters');
    });
  }
});
