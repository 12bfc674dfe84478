import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import { admitted, type SupervisorOptions } from '../../src/index.ts';
import { VirtualClock } from '../../src/testing/virtual-clock.ts';
import { Premises } from '../support/before-open-premises.ts';
import { RawPeer } from '../support/raw-peer.ts';
import { Service } from '../support/service.ts';
import { turns, until } from '../support/until.ts';

type Options = SupervisorOptions<unknown, unknown, unknown>;

let premises: Premises;

afterEach(() => premises.close());

/** A promise that the test settles. */
function gate<Value = void>() {
  let open: (value: Value) => void = () => {};
  const opened = new Promise<Value>((resolve) => {
    open = resolve;
  });
  return { open, opened };
}

/** A resource that `authenticate` takes and that must be released once. */
class Seat {
  readonly log: string[] = [];

  readonly release = (): void => void this.log.push('release');

  get released(): number {
    return this.log.filter((entry) => entry === 'release').length;
  }

  readonly admit = () => admitted('somebody', { release: this.release });

  /** Waits for the release, and a little longer for a second one. */
  async free(): Promise<void> {
    await until(() => this.released > 0, 'it is released');
    await turns(5);
    assert.equal(this.released, 1);
  }
}

describe('release: after a connection that was open', { timeout: 60_000 }, () => {
  it('runs once and last, after the async onClose and the disposer have settled', async () => {
    const seat = new Seat();
    const [closing, disposing] = [gate(), gate()];
    premises = await Premises.start({
      authenticate: seat.admit,
      onOpen: () => async () => {
        seat.log.push('dispose');
        await disposing.opened;
        seat.log.push('disposed');
      },
      onClose: async () => {
        seat.log.push('onClose');
        await closing.opened;
        seat.log.push('onClose is done');
      },
    });
    (await premises.open()).sendClose(1000);
    await until(() => seat.log.length === 1, 'onClose is at work');
    await turns(5);
    assert.deepEqual(seat.log, ['onClose']);
    closing.open();
    await until(() => seat.log.length === 3, 'the disposer is at work');
    await turns(5);
    assert.deepEqual(seat.log.slice(1), ['onClose is done', 'dispose']);
    disposing.open();
    await seat.free();
    assert.deepEqual(seat.log.slice(3), ['disposed', 'release']);
  });

  it('runs at once where neither is async', async () => {
    const calls: string[] = [];
    premises = await Premises.start({
      authenticate: () => admitted(1, { release: () => void calls.push('release') }),
      onOpen: () => () => void calls.push('dispose'),
      onClose: () => {
        calls.push('onClose');
        queueMicrotask(() => calls.push('a microtask of onClose'));
      },
    });
    (await premises.open()).reset();
    await premises.service.when('connection.closed');
    await turns(2);
    assert.deepEqual(calls, ['onClose', 'dispose', 'release', 'a microtask of onClose']);
  });

  it('waits for a running onOpen, and for the disposer that it returns', async () => {
    const seat = new Seat();
    const opening = gate<() => void>();
    premises = await Premises.start({ authenticate: seat.admit, onOpen: () => opening.opened });
    (await premises.open()).reset();
    await until(() => premises.service.supervisor.counts.closed === 1, 'it is closed');
    assert.deepEqual(seat.log, []);
    opening.open(() => void seat.log.push('dispose'));
    await seat.free();
    assert.deepEqual(seat.log, ['dispose', 'release']);
  });

  it('waits at most welcomeMs for what never settles', async () => {
    const seat = new Seat();
    premises = await Premises.start({
      authenticate: seat.admit,
      onOpen: () => new Promise(() => {}),
      onClose: () => new Promise(() => {}),
      timeouts: { welcomeMs: 100 },
    });
    (await premises.open()).reset();
    await seat.free();
  });

  it('is awaited by a drain, and only causes a report when it throws', async () => {
    const releasing = gate();
    let isDone = false;
    premises = await Premises.start({
      authenticate: () =>
        admitted('somebody', {
          release: async () => {
            await releasing.opened;
            isDone = true;
            throw new Error('the seat is broken');
          },
        }),
    });
    const peer = await premises.open();
    void peer.finishPolitely();
    const draining = premises.service.supervisor.drain();
    await until(() => premises.service.supervisor.counts.closed === 1, 'it is closed');
    assert.equal(premises.service.supervisor.state, 'draining');
    releasing.open();
    const { unsettled } = await draining;
    assert.deepEqual([isDone, unsettled], [true, 0]);
    const [told] = premises.service.of('handler.errored');
    assert.deepEqual([told?.handler, told?.error.message], ['release', 'the seat is broken']);
  });
});

describe('release: of a connection that never opens', { timeout: 60_000 }, () => {
  it('runs after onFailed when ws finds a fault in the request', async () => {
    const seat = new Seat();
    premises = await Premises.start({
      authenticate: seat.admit,
      onFailed: () => void seat.log.push('onFailed'),
    });
    await premises.refused({ headers: { 'Sec-WebSocket-Protocol': 'a, a' } });
    await seat.free();
    assert.deepEqual(seat.log, ['onFailed', 'release']);
  });

  it('runs when key throws', async () => {
    const seat = new Seat();
    premises = await Premises.start({
      authenticate: seat.admit,
      key: () => {
        throw new Error('no key');
      },
    });
    assert.equal((await premises.refused()).status, 500);
    await seat.free();
  });

  it('runs when the socket dies at the moment of the upgrade', async () => {
    const seat = new Seat();
    premises = await Premises.start({
      authenticate: ({ socket }) => {
        queueMicrotask(() => socket.destroy());
        return Promise.resolve().then(seat.admit);
      },
    });
    await premises.ask();
    await seat.free();
    assert.deepEqual(premises.service.calls, ['onFailed']);
  });

  const tooLate: Readonly<Record<string, [Options, (peer: RawPeer) => void]>> = {
    'the client has left (FIN)': [{}, (peer) => peer.end()],
    'the client has left (RST)': [{}, (peer) => peer.reset()],
    'the time is up': [{ timeouts: { handshakeMs: 100 } }, () => {}],
    'the supervisor drains': [{}, () => void premises.service.supervisor.drain()],
  };
  for (const [title, [options, end]] of Object.entries(tooLate)) {
    it(`runs when authenticate answers too late: ${title}`, async () => {
      const seat = new Seat();
      const asked = gate();
      premises = await Premises.start({
        ...options,
        authenticate: () => asked.opened.then(seat.admit),
      });
      const peer = await premises.ask();
      await until(() => premises.service.inFlight === 1, 'it is being admitted');
      end(peer);
      await premises.service.when('connection.failed');
      assert.equal(seat.released, 0);
      asked.open();
      await seat.free();
      assert.deepEqual(premises.service.calls, ['onFailed']);
    });
  }

  it('runs once for each of many clients that leave at any moment', async () => {
    let [taken, released] = [0, 0];
    const count = () => {
      released += 1;
    };
    premises = await Premises.start({
      authenticate: async () => {
        await turns(3);
        taken += 1;
        return admitted(taken, { release: count });
      },
    });
    for (let round = 0; round < 40; round += 1) {
      const peer = await premises.ask();
      await turns(round % 8);
      if (round % 2 === 0) peer.reset();
      else peer.destroy();
    }
    await premises.vacant();
    await until(() => taken === 40 && released === taken, 'as many are released as were taken');
  });
});

describe('authenticate: its signal', { timeout: 60_000 }, () => {
  /** Starts a service whose `authenticate` waits for its signal. */
  async function start(options: Options = {}): Promise<AbortSignal[]> {
    const signals: AbortSignal[] = [];
    premises = await Premises.start({
      ...options,
      authenticate: (_request, { signal }) => {
        signals.push(signal);
        return new Promise((_resolve, reject) => {
          signal.addEventListener('abort', () => reject(signal.reason));
        });
      },
    });
    return signals;
  }

  const endings: Readonly<Record<string, [Options, (peer: RawPeer) => void]>> = {
    'the client leaves (FIN)': [{}, (peer) => peer.end()],
    'the client leaves (RST)': [{}, (peer) => peer.reset()],
    'the time is up': [{ timeouts: { handshakeMs: 100 } }, () => {}],
    'the supervisor drains': [{}, () => void premises.service.supervisor.drain()],
  };
  for (const [title, [options, end]] of Object.entries(endings)) {
    it(`aborts when ${title}, and the error that authenticate then throws is ignored`, async () => {
      const signals = await start(options);
      const peer = await premises.ask();
      await until(() => signals.length === 1, 'it is asked');
      assert.equal(signals[0]?.aborted, false);
      end(peer);
      await until(() => signals[0]?.aborted === true, 'it aborts');
      await turns(3);
      assert.deepEqual(premises.service.of('handler.errored'), []);
      assert.equal(premises.service.of('connection.failed').length, 1);
    });
  }

  it('has already aborted when it is read only then', async () => {
    const context = gate<{ readonly signal: AbortSignal }>();
    premises = await Premises.start({
      authenticate: (_request, given) => {
        context.open(given);
        return new Promise(() => {});
      },
    });
    (await premises.ask()).reset();
    await premises.service.when('connection.failed');
    assert.equal((await context.opened).signal.aborted, true);
  });

  it('never aborts for an admitted connection, nor for a refused one', async () => {
    const signals: AbortSignal[] = [];
    premises = await Premises.start({
      authenticate: async ({ headers }, { signal }) => {
        signals.push(signal);
        return headers.cookie ?? null;
      },
    });
    (await premises.open({ headers: { Cookie: 'a=b' } })).reset();
    await premises.refused();
    await premises.vacant();
    assert.deepEqual(
      signals.map(({ aborted }) => aborted),
      [false, false],
    );
  });

  it('still reports an error of another kind', async () => {
    premises = await Premises.start({
      authenticate: (_request, { signal }) =>
        new Promise((_resolve, reject) => {
          signal.addEventListener('abort', () => reject(new Error('the pool is broken')));
        }),
    });
    const peer = await premises.ask();
    await until(() => premises.service.inFlight === 1, 'it is being admitted');
    peer.reset();
    const { error } = await premises.service.when('handler.errored');
    assert.equal(error.message, 'the pool is broken');
  });
});

describe('release: while time stands still', { timeout: 60_000 }, () => {
  it('leaves no timer behind', async () => {
    const clock = new VirtualClock();
    premises = await Premises.start();
    const service = await Service.start({
      clock,
      authenticate: () => admitted(1, { release: () => {}, expiresInMs: 60_000 }),
      onClose: async () => {},
    });
    (await RawPeer.open(service.port)).reset();
    await service.when('connection.closed');
    await until(() => clock.timersPending === 0, 'no timer is left');
    await service.stop();
  });
});
