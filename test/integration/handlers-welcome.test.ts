import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import type { Connection, SupervisorOptions } from '../../src/index.ts';
import type { RawPeer } from '../support/raw-peer.ts';
import { failures, Stage } from '../support/stage.ts';
import { turns, until } from '../support/until.ts';

type Options = SupervisorOptions<unknown, unknown, unknown>;

/** A promise that is settled from outside. */
class Gate<Value> {
  readonly promise: Promise<Value>;
  resolve: (value: Value) => void = () => {};
  reject: (error: Error) => void = () => {};

  constructor() {
    this.promise = new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
  }
}

/** Records the calls of the victims' handlers in order. */
class Diary {
  readonly calls: string[] = [];
  readonly #onOpen: () => unknown;

  constructor(onOpen: () => unknown) {
    this.#onOpen = onOpen;
  }

  readonly dispose = () => void this.calls.push('dispose');

  get options(): Options {
    const note = (call: string) => (connection: Connection<unknown, unknown, unknown>) =>
      void (connection.peer === 'victim' && this.calls.push(call));
    return {
      onOpen: (connection) => {
        note('onOpen')(connection);
        return connection.peer === 'victim' ? this.#onOpen() : undefined;
      },
      onClose: note('onClose'),
    };
  }
}

describe('onOpen, onClose and the disposer', () => {
  let stage: Stage;
  afterEach(() => stage.stop());

  async function assertCalls(diary: Diary, calls: readonly string[]) {
    await until(() => diary.calls.length >= calls.length, 'all are called');
    await stage.assertUnharmed();
    assert.deepEqual(diary.calls, calls);
  }

  for (const [title, onOpen] of [
    ['returned at once', (dispose: () => void) => dispose],
    ['resolved to', async (dispose: () => void) => dispose],
  ] as const) {
    it(`R4: a disposer that is ${title} is called once, after onClose`, async () => {
      const diary: Diary = new Diary(() => onOpen(diary.dispose));
      stage = await Stage.set(diary.options);
      const victim = await stage.victim();
      victim.json('hello');
      await until(() => stage.service.messages.includes('hello'), 'onOpen has settled');
      victim.sendClose(1000);
      await stage.victimVerdict();
      await assertCalls(diary, ['onOpen', 'onClose', 'dispose']);
    });
  }

  /** An onOpen that settles after the end of its connection. */
  interface Late {
    readonly welcomeMs?: number;
    readonly ends: (victim: RawPeer) => unknown;
    /** Whether onClose waits for it, as it does for less than `welcomeMs`. */
    readonly isAwaited: boolean;
    readonly settles: (gate: Gate<unknown>, dispose: () => void) => void;
    readonly calls: readonly string[];
  }

  const resets = (victim: RawPeer) => victim.reset();
  const disposes = {
    settles: (gate: Gate<unknown>, dispose: () => void) => gate.resolve(dispose),
    calls: ['onOpen', 'onClose', 'dispose'],
  };
  const late: Readonly<Record<string, Late>> = {
    'R4: a disposer that arrives after the end is called once, and onClose waits for it': {
      ...disposes,
      ends: resets,
      isAwaited: true,
    },
    'onOpen that rejects after the end: it is reported, onClose is called, there is no disposer': {
      ends: resets,
      isAwaited: true,
      settles: (gate) => gate.reject(new Error('late')),
      calls: ['onOpen', 'onClose'],
    },
    'onOpen that settles after welcome-timeout: its disposer is called once': {
      ...disposes,
      welcomeMs: 50,
      ends: (victim) => victim.finishPolitely(),
      isAwaited: false,
    },
    'onOpen that never settles on a connection that the peer ends: onClose is called within welcomeMs':
      { ...disposes, welcomeMs: 80, ends: resets, isAwaited: false },
  };
  for (const [title, { welcomeMs = 10_000, ends, isAwaited, settles, calls }] of Object.entries(
    late,
  )) {
    it(title, async () => {
      const gate = new Gate<unknown>();
      const diary = new Diary(() => gate.promise);
      stage = await Stage.set({ ...diary.options, timeouts: { welcomeMs } });
      await ends(await stage.victim());
      const { cause } = await stage.victimVerdict();
      assert.equal(cause, ends === resets ? 'tcp-reset' : 'welcome-timeout');
      if (isAwaited) await turns(3);
      else await until(() => diary.calls.includes('onClose'), 'onClose is called');
      assert.deepEqual(diary.calls, isAwaited ? ['onOpen'] : ['onOpen', 'onClose']);
      settles(gate, diary.dispose);
      await assertCalls(diary, calls);
      const isRejected = !calls.includes('dispose');
      assert.deepEqual(stage.errors, isRejected ? [{ handler: 'onOpen', message: 'late' }] : []);
    });
  }

  for (const { way, fail } of failures) {
    it(`R4: an onOpen that ${way} has no disposer; onClose is called`, async () => {
      const diary = new Diary(fail);
      stage = await Stage.set(diary.options);
      const victim = await stage.victim();
      await victim.finishPolitely();
      await stage.victimVerdict();
      await assertCalls(diary, ['onOpen', 'onClose']);
    });
  }

  it('onOpen that never settles: 1011 welcome-timeout, and onClose is still called', async () => {
    const diary = new Diary(() => new Promise(() => {}));
    stage = await Stage.set({ ...diary.options, timeouts: { welcomeMs: 50 } });
    const victim = await stage.victim();
    victim.json('never delivered');
    await victim.finishPolitely();
    const verdict = await stage.victimVerdict();
    assert.deepEqual(victim.closeFrame, { code: 1011, reason: '' });
    assert.equal(verdict.cause, 'welcome-timeout');
    assert.equal(verdict.level, 'error');
    await assertCalls(diary, ['onOpen', 'onClose']);
    assert.ok(!stage.service.messages.includes('never delivered'));
  });

  it('onOpen that terminates its own connection: onClose waits until it has settled', async () => {
    const gate = new Gate<unknown>();
    const calls: string[] = [];
    stage = await Stage.set({
      onOpen: async (connection) => {
        if (connection.peer !== 'victim') return;
        connection.terminate();
        await gate.promise;
        calls.push('onOpen settles');
      },
      onClose: ({ peer }) => void (peer === 'victim' && calls.push('onClose')),
    });
    await stage.victim();
    assert.equal((await stage.victimVerdict()).cause, 'terminate');
    await turns(3);
    assert.deepEqual(calls, []);
    gate.resolve(undefined);
    await until(() => calls.length === 2, 'both are called');
    assert.deepEqual(calls, ['onOpen settles', 'onClose']);
    await stage.assertUnharmed();
  });
});
