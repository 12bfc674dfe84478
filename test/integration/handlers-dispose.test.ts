import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import { finalize, NEVER, Subscription } from 'rxjs';
import type { SupervisorOptions } from '../../src/index.ts';
import { failures, isVictim, Stage } from '../support/stage.ts';
import { until } from '../support/until.ts';

type Options = SupervisorOptions<unknown, unknown, unknown>;

/** Everything that can be released; each notes that it was. */
const releasables: readonly [string, (release: () => unknown) => unknown][] = [
  ['a function', (release) => release],
  ['a Subscription', (release) => new Subscription(() => void release())],
  [
    'what a stream with finalize returned',
    (release) => NEVER.pipe(finalize(release as () => void)).subscribe(),
  ],
  ['an object with unsubscribe', (release) => ({ unsubscribe: release })],
  ['a Disposable', (release) => ({ [Symbol.dispose]: release })],
  ['an AsyncDisposable', (release) => ({ [Symbol.asyncDispose]: async () => release() })],
  [
    'an object with every face',
    (release) => ({
      ...{ [Symbol.asyncDispose]: release, [Symbol.dispose]: release, unsubscribe: release },
    }),
  ],
  [
    'a Subscription that is a Disposable',
    (release) =>
      Object.defineProperty(new Subscription(() => void release()), Symbol.dispose, {
        value(this: Subscription) {
          this.unsubscribe();
        },
      }),
  ],
];

describe('what onOpen returns', () => {
  let stage: Stage;
  const calls: string[] = [];
  afterEach(() => stage.stop());

  async function start(onOpen: Options['onOpen']): Promise<void> {
    calls.length = 0;
    stage = await Stage.set({
      onOpen: (connection) => (isVictim(connection) ? onOpen?.(connection) : undefined),
      onClose: (connection) => void (isVictim(connection) && calls.push('onClose')),
    });
  }

  async function assertReleasedOnce(): Promise<void> {
    await until(() => calls.includes('released'), 'it is released');
    await stage.assertUnharmed();
    assert.deepEqual(calls, ['onClose', 'released']);
    assert.deepEqual(stage.errors, []);
  }

  for (const [title, make] of releasables) {
    const value = () => make(() => void calls.push('released'));

    it(`is released once, after onClose, when it is ${title}`, async () => {
      await start(value);
      const victim = await stage.victim();
      victim.sendClose(1000);
      await stage.victimVerdict();
      await assertReleasedOnce();
    });

    it(`is released once when onOpen resolves to ${title} after the end`, async () => {
      let settle = (_: unknown) => {};
      await start(() => new Promise((resolve) => (settle = resolve)));
      const victim = await stage.victim();
      victim.reset();
      await stage.victimVerdict();
      assert.deepEqual(calls, []);
      settle(value());
      await assertReleasedOnce();
    });
  }

  it('is released as itself', async () => {
    class Lease implements Disposable {
      readonly #name = 'released';
      [Symbol.dispose](): void {
        calls.push(this.#name);
      }
    }
    await start(() => new Lease());
    const victim = await stage.victim();
    victim.sendClose(1000);
    await stage.victimVerdict();
    await assertReleasedOnce();
  });

  for (const { way, fail } of failures) {
    it(`is reported as dispose when its release ${way}`, async () => {
      await start(() => ({ [Symbol.asyncDispose]: fail }));
      const victim = await stage.victim();
      victim.sendClose(1000);
      await stage.victimVerdict();
      await until(() => stage.errors.length > 0, 'it is reported');
      await stage.assertUnharmed();
      assert.deepEqual(stage.errors, [{ handler: 'dispose', message: 'boom' }]);
    });
  }

  it('costs its connection, and nothing else, when a look at it throws', async () => {
    await start(() =>
      Object.defineProperty({}, 'unsubscribe', {
        get() {
          throw new Error('do not look');
        },
      }),
    );
    const victim = await stage.victim();
    void victim.finishPolitely();
    assert.equal((await stage.victimVerdict()).cause, 'handler-error');
    await stage.assertUnharmed();
    assert.deepEqual(stage.errors, [{ handler: 'onOpen', message: 'do not look' }]);
    assert.deepEqual(calls, ['onClose']);
  });

  it('is ignored when it cannot be released', async () => {
    const others = [null, 0, true, 'text', {}, [], Symbol('no'), { unsubscribe: 'text' }];
    for (const value of [...others, { [Symbol.dispose]: null, [Symbol.asyncDispose]: 1 }]) {
      await start(() => value);
      const victim = await stage.victim();
      victim.sendClose(1000);
      await stage.victimVerdict();
      await stage.assertUnharmed();
      assert.deepEqual([calls, stage.errors], [['onClose'], []]);
      await stage.stop();
    }
  });
});
