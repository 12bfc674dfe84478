import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import { z } from 'zod';
import { type Codec, jsonCodec, type SupervisorOptions } from '../../src/index.ts';
import { RawPeer } from '../support/raw-peer.ts';
import { failures, isVictim, Stage } from '../support/stage.ts';
import { until } from '../support/until.ts';

type Options = SupervisorOptions<unknown, unknown, unknown>;

/** JSON that fails for some messages. */
function badCodec(broken: Partial<Codec>): Codec {
  const json = jsonCodec();
  return {
    name: 'bad',
    encode: (message) =>
      message === 'poison' && broken.encode ? broken.encode(message) : json.encode(message),
    decode: (payload, isBinary) =>
      broken.decode && Buffer.from(payload).includes('poison')
        ? broken.decode(payload, isBinary)
        : json.decode(payload, isBinary),
  };
}

describe('a codec that fails', () => {
  let stage: Stage;
  afterEach(() => stage.stop());

  for (const { way, fail } of failures) {
    const codec = badCodec({ decode: fail });

    it(`decode ${way}: the peer is notified that its message is invalid`, async () => {
      stage = await Stage.set({ codec, messages: z.string() });
      const victim = await stage.victim();
      victim.json('poison');
      await until(() => victim.texts.length === 1, 'the peer is notified');
      assert.equal(JSON.parse(victim.texts[0] ?? '').code, 'invalid-message');
      assert.deepEqual(stage.service.messages, []);
      assert.equal((await stage.victimHandle()).state, 'open');
      await stage.assertUnharmed();
    });

    it(`decode ${way} without a contract: nothing is delivered`, async () => {
      stage = await Stage.set({ codec });
      const victim = await stage.victim();
      victim.json('poison');
      await until(() => victim.texts.length === 1, 'the peer is notified');
      assert.deepEqual(stage.service.messages, []);
      await stage.assertUnharmed();
    });

    it(`encode ${way}: send, publish and broadcast throw unencodable-message`, async () => {
      stage = await Stage.set({ codec: badCodec({ encode: fail as Codec['encode'] }) });
      await stage.victim();
      const connection = await stage.victimHandle();
      const { supervisor } = stage.service;
      const unencodable = { name: 'MooringError', code: 'unencodable-message' };
      assert.throws(() => connection.send('poison'), unencodable);
      assert.throws(() => supervisor.broadcast('poison'), unencodable);
      assert.throws(() => supervisor.topic('all').publish('poison'), unencodable);
      supervisor.topic('all').next('poison');
      assert.deepEqual(
        stage.errors.map(({ handler }) => handler),
        ['topic'],
      );
      assert.equal(connection.state, 'open');
      await stage.assertUnharmed();
    });
  }

  it('encode fails for an answer to an invalid message: the connection is closed with 1007', async () => {
    const encode = (message: unknown) => {
      if (typeof message === 'object') throw new Error('boom');
      return JSON.stringify(message);
    };
    stage = await Stage.set({ codec: { ...jsonCodec(), encode } });
    const victim = await stage.victim();
    victim.text('{');
    await victim.finishPolitely();
    assert.equal((await stage.victimVerdict()).cause, 'invalid-message');
    assert.equal(victim.closeFrame?.code, 1007);
    assert.deepEqual(stage.errors, []);
    await stage.assertUnharmed();
  });

  it('encode returns what is neither a string nor bytes: unencodable-message', async () => {
    for (const result of [undefined, null, 5, {}, new Date()]) {
      stage = await Stage.set({ codec: badCodec({ encode: () => result as string }) });
      const victim = await stage.victim();
      const connection = await stage.victimHandle();
      assert.throws(() => connection.send('poison'), { code: 'unencodable-message' });
      connection.send('fine');
      await until(() => victim.texts.length === 1, 'the next message arrives');
      await stage.assertUnharmed();
      await stage.stop();
    }
  });
});

describe('a schema that fails', () => {
  let stage: Stage;
  afterEach(() => stage.stop());

  const onlyPoison = (fail: () => unknown) => (text: string) =>
    (text === 'poison' ? fail() : true) as boolean;

  for (const [title, options] of [
    ['refine throws', refusing(() => failures[0]?.fail())],
    ['transform throws', { messages: z.string().transform(onlyPoison(() => failures[0]?.fail())) }],
    ['refine is async and resolves', refusing(async () => true)],
    ['transform is async', { messages: z.string().transform(async (text) => text) }],
  ] satisfies [string, Options][]) {
    it(`${title}: the fault is ours, 1011`, async () => {
      stage = await Stage.set(options);
      const victim = await stage.victim();
      victim.json('poison');
      await victim.finishPolitely();
      assert.equal(victim.closeFrame?.code, 1011);
      assert.equal((await stage.victimVerdict()).cause, 'handler-error');
      assert.deepEqual(
        stage.errors.map(({ handler }) => handler),
        ['messages'],
      );
      assert.deepEqual(stage.service.messages, []);
      await assertSiblingOpen();
    });
  }

  function refusing(fail: () => unknown): Options {
    return { messages: z.string().refine(onlyPoison(fail)) };
  }

  async function assertSiblingOpen() {
    assert.equal(stage.service.supervisor.counts.open, 1);
    assert.equal(stage.service.supervisor.state, 'admitting');
    await stage.watch.assertQuiet();
  }

  it('an outbound refine that throws, throws at the sender', async () => {
    stage = await Stage.set({
      sends: z.unknown().refine(onlyPoison(() => failures[0]?.fail()) as () => boolean),
    });
    await stage.victim();
    const connection = await stage.victimHandle();
    assert.throws(() => connection.send('poison'));
    assert.equal(connection.send('fine'), 'sent');
    assert.doesNotThrow(() => stage.service.supervisor.topic('all').next('poison'));
    await stage.assertUnharmed();
  });
});

describe('an inspector that fails', () => {
  let stage: Stage;
  afterEach(() => stage.stop());

  for (const { way, fail } of failures) {
    it(`inspect ${way}: connections open, exchange messages and close as usual`, async () => {
      let failing = false;
      stage = await Stage.set({ inspect: () => (failing ? (fail() as undefined) : undefined) });
      failing = true;
      const victim = await stage.victim();
      victim.sendClose(1000);
      assert.equal((await stage.victimVerdict()).code, 1000);
      await stage.assertUnharmed();
    });
  }
});

describe('hostile promises', () => {
  let stage: Stage;
  afterEach(() => stage.stop());

  const boom = () => {
    throw new Error('boom');
  };
  const thenable = (then: PropertyDescriptor) => Object.defineProperty({}, 'then', then);
  const settlingTwice = (resolve: () => void, reject: (error: Error) => void) => {
    resolve();
    reject(new Error('boom'));
    resolve();
  };
  const hostile: readonly { title: string; value: () => unknown }[] = [
    { title: 'whose then throws', value: () => thenable({ value: boom }) },
    { title: 'whose then is a getter that throws', value: () => thenable({ get: boom }) },
    { title: 'that settles twice', value: () => thenable({ value: settlingTwice }) },
  ];

  for (const { title, value } of hostile) {
    it(`onOpen and onMessage return a thenable ${title}: the process survives`, async () => {
      stage = await Stage.set({
        onOpen: (connection) => isVictim(connection) && value(),
        onMessage: value,
        onHandlerError: () => 'keep',
      });
      const victim = await RawPeer.open(stage.service.port);
      victim.json('hello');
      await until(() => stage.service.messages.includes('hello'), 'the message is delivered');
      victim.sendClose(1000);
      assert.equal((await stage.victimVerdict()).code, 1000);
      await stage.assertUnharmed();
    });
  }
});
