import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import type { DrainReport, SupervisorOptions } from '../../src/index.ts';
import { RawPeer } from '../support/raw-peer.ts';
import { Service } from '../support/service.ts';
import { turns, until } from '../support/until.ts';

type Options = SupervisorOptions<unknown, unknown, unknown>;

describe('drain and the close handlers', () => {
  let service: Service;
  afterEach(() => service.stop());

  async function politePeer(options: Options): Promise<RawPeer> {
    service = await Service.start(options);
    const peer = await RawPeer.open(service.port);
    await service.opened();
    void peer.finishPolitely();
    return peer;
  }

  /** A promise, the function that settles it, and whether it was awaited. */
  function slow() {
    let settle = () => {};
    const promise = new Promise<void>((resolve) => {
      settle = resolve;
    });
    return { promise, settle: () => settle() };
  }

  const places: readonly [string, (promise: Promise<unknown>) => Options][] = [
    ['onClose', (promise) => ({ onClose: () => promise })],
    ['a disposer', (promise) => ({ onOpen: () => () => promise })],
    ['the disposer of an async onOpen', (promise) => ({ onOpen: async () => () => promise })],
    [
      'an AsyncDisposable of onOpen',
      (promise) => ({ onOpen: () => ({ [Symbol.asyncDispose]: () => promise }) }),
    ],
    ['onOpen', (promise) => ({ onOpen: () => promise })],
  ];

  for (const [place, options] of places) {
    it(`waits for ${place}`, async () => {
      const { promise, settle } = slow();
      await politePeer(options(promise));
      const done = service.supervisor.drain({ withinMs: 10_000 });
      await service.when('connection.closed');
      await turns(5);
      assert.equal(service.supervisor.state, 'draining');
      assert.deepEqual(service.of('supervisor.stopped'), []);
      settle();
      const { closed, unsettled } = await done;
      assert.deepEqual([closed, unsettled], [1, 0]);
      assert.equal(service.calls.at(-1), 'onClose');
    });

    it(`never waits for ${place} beyond the deadline`, async () => {
      const { promise, settle } = slow();
      await politePeer({ ...options(promise), timeouts: { welcomeMs: 1_000 } });
      const { closed, forced, unsettled } = await service.supervisor.drain({ withinMs: 200 });
      assert.deepEqual({ closed, forced, unsettled }, { closed: 1, forced: 0, unsettled: 1 });
      settle();
    });
  }

  it('a close handler that rejects counts as settled', async () => {
    await politePeer({ onClose: () => Promise.reject(new Error('boom')) });
    const { unsettled } = await service.supervisor.drain({ withinMs: 10_000 });
    assert.equal(unsettled, 0);
    const { handler } = await service.when('handler.errored');
    assert.equal(handler, 'onClose');
  });

  it('a close handler that awaits the drain itself does not block it', async () => {
    await politePeer({ onClose: () => service.supervisor.drain() });
    const { closed, unsettled } = await service.supervisor.drain({ withinMs: 200 });
    assert.deepEqual([closed, unsettled], [1, 1]);
  });

  it('waits for handlers of connections that closed before', async () => {
    const { promise, settle } = slow();
    const peer = await politePeer({ onClose: () => promise });
    peer.sendClose(1000);
    await service.when('connection.closed');
    await until(() => service.inFlight === 0, 'it is gone');
    let over = false;
    const done = service.supervisor.drain({ withinMs: 10_000 }).then((report) => {
      over = true;
      return report;
    });
    await turns(5);
    assert.equal(over, false);
    settle();
    const { closed, unsettled } = await done;
    assert.deepEqual([closed, unsettled], [0, 0]);
  });
});

describe('drain from inside', () => {
  let service: Service;
  afterEach(() => service.stop());

  type Place = readonly [
    title: string,
    options: (drain: () => void) => Options,
    act?: (peer: RawPeer) => void,
  ];

  const places: readonly Place[] = [
    ['onOpen', (drain) => ({ onOpen: drain })],
    [
      'an async onOpen',
      (drain) => ({
        onOpen: async () => {
          await turns(2);
          drain();
        },
      }),
    ],
    ['onMessage', (drain) => ({ onMessage: drain }), (peer) => peer.json('hello')],
    ['onClosing', (drain) => ({ onClosing: drain }), (peer) => peer.sendClose(1000)],
    ['onClose', (drain) => ({ onClose: drain }), (peer) => peer.sendClose(1000)],
    ['a disposer', (drain) => ({ onOpen: () => drain }), (peer) => peer.sendClose(1000)],
    [
      'onHandlerError',
      (drain) => ({
        onMessage: () => {
          throw new Error('boom');
        },
        onHandlerError: drain,
      }),
      (peer) => peer.json('hello'),
    ],
    [
      'a subscriber of messages$',
      (drain) => ({ onOpen: ({ messages$ }) => void messages$.subscribe(drain) }),
      (peer) => peer.json('hello'),
    ],
    [
      'a where',
      (drain) => ({
        onMessage: () =>
          service.supervisor.broadcast('hello', {
            where: () => {
              drain();
              return true;
            },
          }),
      }),
      (peer) => peer.json('hello'),
    ],
  ];

  for (const [title, options, act] of places) {
    it(`${title}: it resolves, and all connections are gone`, async () => {
      let report: Promise<DrainReport> | undefined;
      const drain = () => {
        report ??= service.supervisor.drain({ withinMs: 5_000, perSecond: 10_000 });
      };
      service = await Service.start(options(drain));
      const others = await openedBefore(title);
      const peer = await RawPeer.open(service.port);
      act?.(peer);
      void peer.finishPolitely();
      await until(() => report !== undefined, 'it has been called');
      const { forced, unsettled } = (await report) as DrainReport;
      assert.deepEqual({ forced, unsettled }, { forced: 0, unsettled: 0 });
      assert.equal(service.supervisor.state, 'stopped');
      assert.equal(service.inFlight, 0);
      assert.equal(service.of('connection.closed').length, others + 1);
      const errors = service.of('handler.errored').map(({ error }) => error.message);
      assert.deepEqual(errors, title === 'onHandlerError' ? ['boom'] : []);
    });
  }

  /** Two more connections, unless their own opening would begin the drain. */
  async function openedBefore(title: string): Promise<number> {
    if (title.includes('onOpen')) return 0;
    for (let count = 0; count < 2; count += 1) {
      const peer = await RawPeer.open(service.port);
      void peer.finishPolitely();
    }
    return 2;
  }

  for (const type of ['connection.opened', 'connection.closing', 'connection.closed'] as const) {
    it(`a subscriber of events$ at ${type}: it resolves`, async () => {
      service = await Service.start();
      const reports: Promise<DrainReport>[] = [];
      service.supervisor.events$.subscribe((event) => {
        if (event.type === type) reports.push(service.supervisor.drain());
      });
      const peer = await RawPeer.open(service.port);
      if (type !== 'connection.opened') peer.sendClose(1000);
      void peer.finishPolitely();
      await until(() => reports.length > 0, 'it has been called');
      assert.equal((await reports[0])?.forced, 0);
      assert.equal(service.supervisor.state, 'stopped');
      assert.deepEqual(service.calls, ['onOpen', 'onClose']);
    });
  }

  it('authenticate: it resolves, and its own request gets 503', async () => {
    let report: Promise<DrainReport> | undefined;
    service = await Service.start({
      authenticate: () => {
        report = service.supervisor.drain();
        return 'somebody';
      },
    });
    const peer = await RawPeer.connect(service.port);
    peer.request();
    await until(() => peer.closed, 'it is refused');
    assert.equal(peer.status, 503);
    assert.deepEqual((await report)?.closed, 0);
    assert.deepEqual(service.calls, ['onFailed']);
  });

  it('onFailed: it resolves', async () => {
    let report: Promise<DrainReport> | undefined;
    service = await Service.start({
      onFailed: () => {
        report = service.supervisor.drain();
      },
    });
    const peer = await RawPeer.connect(service.port);
    peer.request({ path: '/elsewhere' });
    await until(() => report !== undefined, 'it has been called');
    assert.equal((await report)?.closed, 0);
    await until(() => peer.closed, 'it is released');
  });

  it('a subscriber of its own events may terminate all connections at `draining`', async () => {
    service = await Service.start();
    for (let count = 0; count < 3; count += 1) await RawPeer.open(service.port);
    await until(() => service.supervisor.counts.open === 3, 'all are open');
    service.supervisor.events$.subscribe(({ type }) => {
      if (type !== 'supervisor.draining') return;
      for (const connection of service.supervisor.connections) connection.terminate();
    });
    const { closed, forced } = await service.supervisor.drain();
    assert.deepEqual({ closed, forced }, { closed: 3, forced: 0 });
  });
});
