import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import { finalize, NEVER, Subscription } from 'rxjs';
import type { SupervisorOptions } from '../../src/index.ts';
import { RawPeer } from '../support/raw-peer.ts';
import { Service } from '../support/service.ts';
import { failures, isVictim, Stage } from '../support/stage.ts';
import { turns, until } from '../support/until.ts';

type Options = SupervisorOptions<unknown, unknown, unknown>;

/** Everything that can be released. Each records its release. */
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
    'an object with every release method',
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

describe('the result of onOpen', () => {
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

  it('is released with the right this', async () => {
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

  it('ends its connection, and nothing else, when reading it throws', async () => {
    await start(() =>
      Object.defineProperty({}, 'unsubscribe', {
        get() {
          throw new Error('do not read');
        },
      }),
    );
    const victim = await stage.victim();
    void victim.finishPolitely();
    assert.equal((await stage.victimVerdict()).cause, 'handler-error');
    await stage.assertUnharmed();
    assert.deepEqual(stage.errors, [{ handler: 'onOpen', message: 'do not read' }]);
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

describe('the result of onOpen, when onClose is async', () => {
  let service: Service;
  afterEach(() => service.stop());

  const calls: string[] = [];
  const dispose = () => void calls.push('dispose');
  /** An `onClose` that runs until the test settles it. */
  async function start(onOpen: () => unknown, welcomeMs = 10_000) {
    calls.length = 0;
    let goOn = () => {};
    const closing = new Promise<void>((resolve) => (goOn = resolve));
    service = await Service.start({
      timeouts: { welcomeMs },
      onOpen,
      onClose: async () => {
        calls.push('onClose');
        await closing;
        calls.push('onClose is done');
      },
    });
    const peer = await RawPeer.open(service.port);
    await service.opened();
    peer.reset();
    return goOn;
  }

  it('is released when onClose has settled, and not before', async () => {
    const goOn = await start(() => dispose);
    await until(() => calls.length === 1, 'onClose is at work');
    await turns(5);
    assert.deepEqual(calls, ['onClose']);
    goOn();
    await until(() => calls.includes('dispose'), 'it is released');
    await turns(5);
    assert.deepEqual(calls, ['onClose', 'onClose is done', 'dispose']);
  });

  it('is released after both when onOpen settles while onClose runs', async () => {
    let settle = (_: unknown) => {};
    const opening = new Promise((resolve) => (settle = resolve));
    // Short, so that onClose is called although onOpen still runs.
    const goOn = await start(() => opening, 150);
    await until(() => calls.length === 1, 'onClose is at work');
    settle(dispose);
    goOn();
    await until(() => calls.includes('dispose'), 'it is released');
    await turns(5);
    assert.deepEqual(calls, ['onClose', 'onClose is done', 'dispose']);
  });

  it('is released after welcomeMs when onClose never settles', async () => {
    await start(() => dispose, 150);
    await until(() => calls.includes('dispose'), 'it is released');
    assert.deepEqual(calls, ['onClose', 'dispose']);
  });

  it('is awaited by a drain, which starts neither again', async () => {
    const goOn = await start(() => dispose);
    await until(() => calls.length === 1, 'onClose is at work');
    const draining = service.supervisor.drain();
    await turns(3);
    assert.equal(service.supervisor.state, 'draining');
    goOn();
    const { unsettled } = await draining;
    assert.deepEqual([calls, unsettled], [['onClose', 'onClose is done', 'dispose'], 0]);
  });
});
