import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import type { HandlerName, SupervisorOptions } from '../../src/index.ts';
import { RawPeer } from '../support/raw-peer.ts';
import { failures, isVictim, Stage } from '../support/stage.ts';
import { until } from '../support/until.ts';

type Options = SupervisorOptions<unknown, unknown, unknown>;

describe('a handler that fails', () => {
  let stage: Stage;
  afterEach(() => stage.stop());

  async function assertClosedWith1011(victim: RawPeer, handler: HandlerName) {
    await victim.finishPolitely();
    const verdict = await stage.victimVerdict();
    assert.deepEqual(victim.closeFrame, { code: 1011, reason: '' });
    assert.equal(verdict.cause, 'handler-error');
    assert.equal(verdict.origin, 'local');
    assert.equal(verdict.level, 'error');
    assert.equal(verdict.error?.message, 'boom');
    assert.deepEqual(verdict.sent, { code: 1011, reason: '' });
    assert.deepEqual(stage.errors, [{ handler, message: 'boom' }]);
    await stage.assertUnharmed();
  }

  for (const { way, fail } of failures) {
    it(`onOpen ${way}: 1011`, async () => {
      stage = await Stage.set({ onOpen: (connection) => isVictim(connection) && fail() });
      await assertClosedWith1011(await stage.victim(), 'onOpen');
    });

    it(`F04, F05: onMessage ${way}: 1011`, async () => {
      stage = await Stage.set({ onMessage: fail });
      const victim = await stage.victim();
      victim.json('hello');
      await assertClosedWith1011(victim, 'onMessage');
    });

    it(`F04: onMessage ${way} and is kept: the next messages are delivered`, async () => {
      stage = await Stage.set({ onMessage: fail, onHandlerError: () => 'keep' });
      const victim = await stage.victim();
      for (const message of [1, 2, 3]) victim.json(message);
      await until(() => stage.service.messages.length === 3, 'three messages are delivered');
      await until(() => stage.errors.length === 3, 'three errors are reported');
      assert.equal((await stage.victimHandle()).state, 'open');
      assert.deepEqual(stage.service.messages, [1, 2, 3]);
      await stage.assertUnharmed();
    });

    it(`onOpen ${way} and is kept: it stays open and gets messages`, async () => {
      stage = await Stage.set({
        onOpen: (connection) => isVictim(connection) && fail(),
        onHandlerError: () => 'keep',
      });
      const victim = await stage.victim();
      victim.json('hello');
      await until(() => stage.service.messages.includes('hello'), 'the message is delivered');
      assert.equal((await stage.victimHandle()).state, 'open');
      assert.deepEqual(stage.errors, [{ handler: 'onOpen', message: 'boom' }]);
      await stage.assertUnharmed();
    });

    it(`onHandlerError ${way} itself: 1011 all the same`, async () => {
      stage = await Stage.set({
        onMessage: () => {
          throw new Error('first');
        },
        onHandlerError: fail,
      });
      const victim = await stage.victim();
      victim.json('hello');
      await victim.finishPolitely();
      const verdict = await stage.victimVerdict();
      assert.equal(verdict.error?.message, 'first');
      assert.equal(victim.closeFrame?.code, 1011);
      await until(() => stage.errors.length === 2, 'both are reported');
      assert.deepEqual(stage.errors, [
        { handler: 'onMessage', message: 'first' },
        { handler: 'onHandlerError', message: 'boom' },
      ]);
      await stage.assertUnharmed();
    });

    it(`onClosing ${way}: the peer's close is answered and keeps its code`, async () => {
      stage = await Stage.set({ onClosing: fail });
      const victim = await stage.victim();
      victim.sendClose(1001, 'bye');
      const verdict = await stage.victimVerdict();
      assert.equal(verdict.code, 1001);
      assert.equal(verdict.cause, 'peer-close');
      assert.equal(verdict.clean, true);
      assert.equal(verdict.level, 'info');
      assert.equal(verdict.error, undefined);
      assert.deepEqual(victim.closeFrame, { code: 1001, reason: 'bye' });
      await until(() => stage.errors.length === 1, 'it is reported');
      assert.deepEqual(stage.errors, [{ handler: 'onClosing', message: 'boom' }]);
      await stage.assertUnharmed();
    });

    for (const [handler, options] of [
      ['onClose', { onClose: fail }],
      ['dispose', { onOpen: () => fail }],
      ['dispose', { onOpen: async () => fail }],
    ] satisfies [HandlerName, Options][]) {
      const kind = handler === 'onClose' ? '' : ` of ${String(options.onOpen)}`;
      it(`F04e: ${handler}${kind} ${way}: the connection ends all the same`, async () => {
        stage = await Stage.set(options);
        const victim = await stage.victim();
        victim.sendClose(1000);
        const verdict = await stage.victimVerdict();
        assert.equal(verdict.code, 1000);
        await until(() => stage.errors.length === 1, 'it is reported');
        assert.deepEqual(stage.errors, [{ handler, message: 'boom' }]);
        const { open, closing, errored, closed } = stage.service.supervisor.counts;
        assert.deepEqual([open, closing, errored, closed], [1, 0, 0, 1]);
        await stage.assertUnharmed();
      });
    }
  }
});

describe('a callback before open that fails', () => {
  let stage: Stage;
  afterEach(() => stage.stop());

  /** Requests an upgrade that is refused, and returns once it is. */
  async function refused(): Promise<RawPeer> {
    const victim = await RawPeer.connect(stage.service.port);
    victim.request();
    await until(() => victim.closed, 'the victim is refused');
    return victim;
  }

  const onlyFor = (role: string, fail: () => unknown, otherwise: unknown) => (seen: unknown) =>
    seen === role ? fail() : otherwise;

  for (const { way, fail } of failures) {
    it(`authenticate ${way}: 500, failed, and the answer reveals nothing of it`, async () => {
      stage = await Stage.set({
        authenticate: ({ headers }) => (headers['x-role'] === 'sibling' ? 'sibling' : fail()),
      });
      const victim = await refused();
      assert.equal(victim.status, 500);
      assert.doesNotMatch(victim.answer, /boom/);
      const { failure } = await stage.service.when('connection.failed');
      assert.equal(failure.cause, 'authenticate-error');
      assert.equal(failure.level, 'error');
      assert.equal(failure.error?.message, 'boom');
      assert.deepEqual(stage.errors, [{ handler: 'authenticate', message: 'boom' }]);
      await stage.assertUnharmed();
    });

    it(`key ${way}: it is reported, and there is one ending`, async () => {
      stage = await Stage.set({
        key: onlyFor('victim', fail, 'a sibling') as () => string | undefined,
      });
      const victim = await RawPeer.connect(stage.service.port);
      victim.request();
      await until(() => victim.closed || victim.closeFrame !== undefined, 'the victim is released');
      await victim.finishPolitely();
      await until(() => stage.service.inFlight === 1, 'only the sibling is left');
      const ends = stage.service.of('connection.failed').length;
      assert.equal(ends + stage.service.of('connection.closed').length, 1);
      assert.deepEqual(
        stage.errors.map(({ handler }) => handler),
        ['key'],
      );
      assert.equal(stage.service.supervisor.byKey('a sibling').length, 1);
      await stage.assertUnharmed();
    });

    it(`onFailed ${way}: it is reported`, async () => {
      stage = await Stage.set({ onFailed: fail });
      const victim = await RawPeer.connect(stage.service.port);
      victim.request({ path: '/elsewhere' });
      await until(() => victim.closed, 'the victim is refused');
      assert.equal(victim.status, 404);
      await until(() => stage.errors.length === 1, 'it is reported');
      assert.deepEqual(stage.errors, [{ handler: 'onFailed', message: 'boom' }]);
      assert.equal(stage.service.of('connection.failed').length, 1);
      await stage.assertUnharmed();
    });

    it(`addressOf ${way}: the address of the TCP connection counts`, async () => {
      stage = await Stage.set({
        admission: { addressOf: ({ url }) => (url === '/ws' ? (fail() as string) : 'other') },
      });
      await stage.victim();
      assert.equal((await stage.victimHandle()).address, '127.0.0.1');
      await until(() => stage.errors.length === 2, 'both are reported');
      assert.deepEqual(stage.errors[0], { handler: 'addressOf', message: 'boom' });
      await stage.assertUnharmed();
    });

    it(`random ${way}: it is reported for random, and ends no connection`, async () => {
      const said =
        way === 'throws' ? 'boom' : 'random must return a number from 0 to 1, not a Promise';
      stage = await Stage.set({ random: fail as () => number });
      await stage.victim();
      await stage.victimHandle();
      await until(() => stage.errors.length > 0, 'it is reported');
      assert.deepEqual(stage.errors[0], { handler: 'random', message: said });
      assert.deepEqual(stage.service.of('connection.crashed'), []);
      await stage.assertUnharmed();
    });

    it(`where ${way}: it is reported and counts as no`, async () => {
      stage = await Stage.set({ onOpen: (connection) => connection.join('all') });
      const victim = await stage.victim();
      await stage.victimHandle();
      const where = (connection: Parameters<typeof isVictim>[0]) =>
        isVictim(connection) ? (fail() as boolean) : true;
      const { supervisor } = stage.service;
      const toAll = supervisor.broadcast('to all', { where });
      const toTopic = supervisor.topic('all').publish('to the topic', { where });
      assert.deepEqual([toAll.delivered, toTopic.delivered], [1, 1]);
      await until(() => stage.sibling.texts.length === 2, 'the sibling gets both');
      await until(() => stage.errors.length === 2, 'both are reported');
      assert.deepEqual(stage.errors[0], { handler: 'where', message: 'boom' });
      assert.deepEqual(victim.texts, []);
      assert.equal((await stage.victimHandle()).state, 'open');
      await stage.assertUnharmed();
    });
  }
});
