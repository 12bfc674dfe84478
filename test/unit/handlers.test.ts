import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { TimerWheel } from '../../src/core/timer-wheel.ts';
import type { CloseVerdict } from '../../src/core/verdict.ts';
import type { SupervisorOptions } from '../../src/index.ts';
import { Handlers } from '../../src/server/handlers.ts';
import type { InboundConnection } from '../../src/server/inbound-connection.ts';
import { resolveOptions } from '../../src/server/options.ts';
import { Reporter } from '../../src/server/report.ts';
import { VirtualClock } from '../../src/testing/virtual-clock.ts';
import { turns } from '../support/until.ts';

const verdict = { cause: 'peer-close' } as unknown as CloseVerdict;

/** Like the result of a query builder: a description of work that runs each time it is awaited. */
function query(result?: unknown) {
  const work = { times: 0 };
  const run = (done?: (result: unknown) => void) => {
    work.times += 1;
    done?.(result);
  };
  return { work, thenable: Object.fromEntries([['then', run]]) as object };
}

/** The handlers of a supervisor, and one connection to run them for. */
function bench(options: SupervisorOptions) {
  const log: string[] = [];
  const connection = {
    verdict: undefined as CloseVerdict | undefined,
    handle: { complete: () => {}, deliver: () => {} },
    end: (cause: string) => void log.push(`end ${cause}`),
    side: {
      awaitWelcome: () => void log.push('awaitWelcome'),
      settleWelcome: () => void log.push('welcome.settled'),
    },
  };
  const resolved = resolveOptions(options);
  const reporter = new Reporter(resolved);
  reporter.events.observable.subscribe((event) => {
    if (event.type === 'handler.errored') log.push(`${event.handler}: ${event.error.message}`);
  });
  const wheel = new TimerWheel(new VirtualClock(), 100);
  const handlers = new Handlers(resolved, reporter, wheel, () => void log.push('settled'));
  const close = () => {
    connection.verdict = verdict;
    handlers.closed(connection as unknown as InboundConnection, verdict);
  };
  return { handlers, reporter, connection: connection as unknown as InboundConnection, log, close };
}

describe('Handlers', () => {
  it('settles the welcome at once for a sync onOpen, and later for an async one', async () => {
    const sync = bench({ onOpen: () => {} });
    sync.handlers.opened(sync.connection);
    assert.deepEqual(sync.log, ['welcome.settled']);
    const async = bench({ onOpen: async () => {} });
    async.handlers.opened(async.connection);
    assert.deepEqual(async.log, ['awaitWelcome']);
    await turns();
    assert.deepEqual(async.log, ['awaitWelcome', 'welcome.settled']);
  });

  it('settles the welcome when onOpen rejects, and reports it once', async () => {
    const { handlers, connection, log } = bench({
      onOpen: async () => {
        throw new Error('boom');
      },
    });
    handlers.opened(connection);
    await turns();
    assert.deepEqual(log.toSorted(), [
      'awaitWelcome',
      'end handler-error',
      'onOpen: boom',
      'welcome.settled',
    ]);
  });

  it('awaits a thenable of onOpen once, because awaiting some thenables repeats the work', async () => {
    const { work, thenable } = query();
    const { handlers, connection, log } = bench({ onOpen: () => thenable });
    handlers.opened(connection);
    await turns();
    assert.equal(work.times, 1);
    assert.deepEqual(log, ['awaitWelcome', 'welcome.settled']);
  });

  it('awaits a thenable of onClose and of a disposer once', async () => {
    const closed = query();
    const disposed = query();
    const { handlers, connection, log, close } = bench({
      onOpen: () => () => disposed.thenable,
      onClose: () => closed.thenable,
    });
    handlers.opened(connection);
    close();
    await turns(2);
    assert.deepEqual([closed.work.times, disposed.work.times], [1, 1]);
    assert.equal(handlers.unsettled, 0);
    // Whatever waits for onClose settles, too.
    assert.deepEqual(log, ['welcome.settled', 'settled', 'settled', 'settled']);
  });

  it('awaits a thenable of onMessage once', async () => {
    const { work, thenable } = query();
    const { handlers, connection, log } = bench({ onMessage: () => thenable });
    handlers.message(connection, {});
    await turns();
    assert.equal(work.times, 1);
    assert.deepEqual(log, []);
  });

  it('disposes exactly once, whichever comes last: onOpen or the end', async () => {
    let disposed = 0;
    const dispose = () => {
      disposed += 1;
    };
    for (const onOpen of [() => dispose, async () => dispose]) {
      disposed = 0;
      const early = bench({ onOpen });
      early.handlers.opened(early.connection);
      early.close();
      await turns(2);
      assert.equal(disposed, 1);
      const late = bench({ onOpen });
      late.handlers.opened(late.connection);
      await turns(2);
      late.close();
      await turns(2);
      assert.equal(disposed, 2);
    }
  });

  it('counts running close handlers and disposers, for callers that wait for them', async () => {
    const { handlers, connection, log, close } = bench({
      onOpen: () => async () => {},
      onClose: async () => {},
    });
    handlers.opened(connection);
    close();
    assert.equal(handlers.unsettled, 2);
    await turns(2);
    assert.equal(handlers.unsettled, 0);
    assert.ok(log.includes('settled'));
  });

  it('counts no disposer where onOpen returned none', () => {
    const { handlers, connection, close } = bench({ onClose: () => new Promise(() => {}) });
    handlers.opened(connection);
    close();
    assert.equal(handlers.unsettled, 1);
  });

  it('keeps the connection when onHandlerError requests it', () => {
    for (const [choice, expected] of [
      ['keep', []],
      [undefined, ['end handler-error']],
    ] as const) {
      const { reporter, connection, log } = bench({ onHandlerError: () => choice });
      reporter.errored('onMessage', new Error('boom'), connection);
      assert.deepEqual(log, ['onMessage: boom', ...expected]);
    }
  });

  it('survives an onHandlerError that throws', () => {
    const { reporter, connection, log } = bench({
      onHandlerError: () => {
        throw new Error('and again');
      },
    });
    reporter.errored('onMessage', new Error('boom'), connection);
    assert.deepEqual(log, ['onMessage: boom', 'onHandlerError: and again', 'end handler-error']);
  });
});
