import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import {
  asyncScheduler,
  EMPTY,
  filter,
  map,
  mergeMap,
  type Observable,
  observeOn,
  of,
  share,
  tap,
  throwError,
} from 'rxjs';
import type { HandlerName, SupervisorOptions } from '../../src/index.ts';
import { failures, isVictim, Stage } from '../support/stage.ts';
import { until } from '../support/until.ts';

type Options = SupervisorOptions<unknown, unknown, unknown>;

/** Keeps what `onHandlerError` received, for errors that cause no event. */
function recordErrors() {
  const told: { handler: HandlerName; message: string }[] = [];
  const options: Options = {
    onHandlerError: ({ message }, handler) => told.push({ handler, message }),
  };
  return { told, options };
}

function boom(): never {
  throw new Error('boom');
}

interface Trouble {
  readonly title: string;
  subscribe(stream$: Observable<unknown>): void;
}

const rejection = () => Promise.reject(new Error('boom'));

/** Every way in which a subscriber can fail. */
const troubles: readonly Trouble[] = [
  ...failures.map(({ way, fail }) => ({
    title: `a subscriber ${way}`,
    subscribe: (stream$: Observable<unknown>) => stream$.subscribe(fail),
  })),
  ...failures.map(({ way, fail }) => ({
    title: `an observer's next ${way}`,
    subscribe: (stream$: Observable<unknown>) => stream$.subscribe({ next: fail }),
  })),
  { title: 'map throws', subscribe: (stream$) => stream$.pipe(map(boom)).subscribe() },
  {
    title: 'filter throws',
    subscribe: (stream$) => stream$.pipe(filter(boom)).subscribe(() => {}),
  },
  {
    title: 'a subscriber behind operators throws',
    subscribe: (stream$) =>
      stream$
        .pipe(
          filter(() => true),
          map((value) => [value]),
        )
        .subscribe(boom),
  },
  {
    title: 'a subscriber behind an async operator throws',
    subscribe: (stream$) => stream$.pipe(observeOn(asyncScheduler)).subscribe(boom),
  },
  {
    title: 'a subscriber of a shared stream throws',
    subscribe: (stream$) => stream$.pipe(share()).subscribe(boom),
  },
  {
    title: 'a mergeMap rejects',
    subscribe: (stream$) => stream$.pipe(mergeMap(rejection)).subscribe(),
  },
  {
    title: 'its own error handler throws',
    subscribe: (stream$) => stream$.pipe(tap(boom)).subscribe({ error: boom }),
  },
];

describe('a subscriber of events$ that fails', () => {
  let stage: Stage;
  afterEach(() => stage.stop());

  for (const { title, subscribe } of troubles) {
    it(`${title}: onHandlerError receives it, and no connection closes`, async () => {
      const { told, options } = recordErrors();
      stage = await Stage.set(options);
      subscribe(stage.service.supervisor.events$);
      const after: string[] = [];
      stage.service.supervisor.events$.subscribe(({ type }) => after.push(type));
      await stage.victim();
      await until(() => told.length > 0, 'it is reported');
      assert.deepEqual(told[0], { handler: 'events$', message: 'boom' });
      assert.equal((await stage.victimHandle()).state, 'open');
      assert.deepEqual(after, ['connection.opened']);
      assert.deepEqual(stage.errors, []);
      await stage.assertUnharmed();
    });
  }

  it('one that throws at the completion is reported, too', async () => {
    const { told, options } = recordErrors();
    stage = await Stage.set(options);
    stage.service.supervisor.events$.subscribe({ complete: boom });
    await stage.echoes();
    stage.sibling.destroy();
    await stage.service.supervisor.drain({ withinMs: 2_000 });
    assert.deepEqual(told, [{ handler: 'events$', message: 'boom' }]);
    await stage.watch.assertQuiet();
  });
});

describe('a subscriber of messages$ that fails', () => {
  let stage: Stage;
  afterEach(() => stage.stop());

  const onOpen = (subscribe: Trouble['subscribe']): Options => ({
    onOpen: (connection) => {
      if (isVictim(connection)) subscribe(connection.messages$);
    },
  });

  for (const { title, subscribe } of troubles) {
    it(`${title}: 1011 for its connection`, async () => {
      stage = await Stage.set(onOpen(subscribe));
      const victim = await stage.victim();
      victim.json('hello');
      await victim.finishPolitely();
      const verdict = await stage.victimVerdict();
      assert.equal(victim.closeFrame?.code, 1011);
      assert.equal(verdict.cause, 'handler-error');
      assert.deepEqual(stage.errors[0], { handler: 'messages$', message: 'boom' });
      await stage.assertUnharmed();
    });
  }

  for (const { way, fail } of failures) {
    it(`a subscriber ${way} and is kept: it gets the next message`, async () => {
      const heard: unknown[] = [];
      stage = await Stage.set({
        ...onOpen((messages$) =>
          messages$.subscribe((message) => {
            heard.push(message);
            return fail();
          }),
        ),
        onHandlerError: () => 'keep',
      });
      const victim = await stage.victim();
      for (const message of [1, 2, 3]) victim.json(message);
      await until(() => heard.length === 3, 'all have arrived');
      assert.deepEqual(heard, [1, 2, 3]);
      await until(() => stage.errors.length === 3, 'all are reported');
      await stage.assertUnharmed();
    });
  }

  it('one that throws at the completion is reported, and onClose is called', async () => {
    const closed: unknown[] = [];
    stage = await Stage.set({
      ...onOpen((messages$) => messages$.subscribe({ complete: boom })),
      onClose: (connection) => closed.push(connection.peer),
    });
    const victim = await stage.victim();
    victim.sendClose(1000);
    assert.equal((await stage.victimVerdict()).code, 1000);
    assert.deepEqual(closed, ['victim']);
    assert.deepEqual(stage.errors, [{ handler: 'messages$', message: 'boom' }]);
    await stage.assertUnharmed();
  });
});

describe('a source of a topic that fails', () => {
  let stage: Stage;
  afterEach(() => stage.stop());

  const circular: { self?: unknown } = {};
  circular.self = circular;

  async function fed(source$: Observable<unknown>): Promise<void> {
    stage = await Stage.set({ onOpen: (connection) => connection.join('prices') });
    await stage.echoes();
    source$.subscribe(stage.service.supervisor.topic('prices'));
  }

  it('errors: it is reported with its cause, and the topic continues', async () => {
    await fed(throwError(() => new Error('boom')));
    const { handler, error } = await stage.service.when('handler.errored');
    assert.equal(handler, 'topic');
    assert.equal((error as NodeJS.ErrnoException).code, 'stream-errored');
    assert.equal((error.cause as Error).message, 'boom');
    const { delivered } = stage.service.supervisor.topic('prices').publish('still here');
    assert.equal(delivered, 1);
    await stage.assertUnharmed();
  });

  it('throws in a map: it is reported', async () => {
    await fed(of(1).pipe(map(boom)));
    assert.deepEqual(
      stage.errors.map(({ handler }) => handler),
      ['topic'],
    );
    await stage.assertUnharmed();
  });

  it('emits values that cannot be encoded: each is reported, and later ones are delivered', async () => {
    const toJson = { toJSON: boom };
    await fed(of('first', circular, 1n, undefined, Symbol('no'), boom, toJson, 'last'));
    assert.deepEqual(
      stage.service.of('handler.errored').map(({ handler, error }) => ({ handler, ...error })),
      new Array(6).fill({ handler: 'topic', name: 'MooringError', code: 'unencodable-message' }),
    );
    await until(() => stage.sibling.texts.includes('"last"'), 'the last arrives');
    assert.deepEqual(stage.sibling.texts.slice(1), ['"first"', '"last"']);
    await stage.assertUnharmed();
  });

  it('completes: the topic continues', async () => {
    await fed(EMPTY);
    assert.equal(stage.service.supervisor.topic('prices').publish('more').delivered, 1);
    assert.deepEqual(stage.errors, []);
    await stage.assertUnharmed();
  });
});
