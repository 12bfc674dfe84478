import assert from 'node:assert/strict';
import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { afterEach, describe, it } from 'node:test';
import { type Failure, Refusal } from '../../src/index.ts';
import { answerOf } from '../support/before-open-answer.ts';
import { Premises } from '../support/before-open-premises.ts';
import type { RawPeer } from '../support/raw-peer.ts';
import { turns, until } from '../support/until.ts';

const whileAdmitting = ['handshaking.admitting', 'failed'];
const whileUpgrading = ['handshaking.admitting', 'handshaking.upgrading', 'failed'];

/** A promise that the test settles. */
function pending<Value>() {
  let resolve: (value: Value) => void = () => {};
  let reject: (error: unknown) => void = () => {};
  const promise = new Promise<Value>((onResolve, onReject) => {
    resolve = onResolve;
    reject = onReject;
  });
  return { promise, resolve, reject };
}

let premises: Premises;

afterEach(() => premises.close());

const takenAway = {
  phase: 'config',
  cause: 'taken-away',
  retry: 'backoff',
  level: 'error',
} as const;
const abandoned = {
  states: whileAdmitting,
  phase: 'tcp',
  cause: 'abandoned',
  retry: 'backoff',
  level: 'info',
} as const;

const reset = { ...abandoned, cause: 'tcp-reset' } as const;

describe('before open: authenticate never answers', { timeout: 60_000 }, () => {
  it('A06c: authenticate never answers and the client leaves', async () => {
    premises = await Premises.start({ authenticate: () => new Promise(() => {}) });
    const peer = await premises.ask();
    await until(() => premises.service.inFlight === 1, 'it is being admitted');
    peer.destroy();
    const failure = await premises.service.failedAs(abandoned);
    assert.equal('httpStatus' in failure, false);
    await premises.vacant();
  });
});

describe('before open: the client leaves during authenticate', { timeout: 60_000 }, () => {
  const departures = [
    ['A08: FIN', (peer: RawPeer) => peer.end(), abandoned],
    ['A08b: RST', (peer: RawPeer) => peer.reset(), reset],
  ] as const;
  for (const [outcome, settle] of [
    ['grants', (asked: ReturnType<typeof pending>) => asked.resolve('somebody')],
    ['refuses', (asked: ReturnType<typeof pending>) => asked.reject(new Refusal(403))],
  ] as const) {
    for (const [what, leave, expected] of departures) {
      it(`${what}; authenticate ${outcome} too late`, async () => {
        const asked = pending<unknown>();
        premises = await Premises.start({ authenticate: () => asked.promise });
        const peer = await premises.ask();
        await until(() => premises.service.inFlight === 1, 'it is being admitted');
        leave(peer);
        const { error } = await premises.service.failedAs(expected);
        const { code } = (error ?? {}) as NodeJS.ErrnoException;
        assert.equal(code, expected === reset ? 'ECONNRESET' : undefined);
        settle(asked);
        await turns(5);
        await premises.service.failedAs(expected);
        assert.equal(peer.answer, '');
        await premises.vacant();
      });
    }
  }

  it('A08d: RST before authenticate has started to wait', async () => {
    premises = await Premises.start({ authenticate: () => new Promise(() => {}) });
    const peer = await premises.ask();
    await until(() => peer.socket.writableLength === 0, 'the request is written');
    await until(() => premises.sockets.size === 1, 'the server has the connection');
    peer.reset();
    await until(() => premises.sockets.size === 0, 'the server holds no socket');
    const { counts } = premises.service.supervisor;
    // The reset may overtake the request. Then authenticate never ran, and the reset right behind the
    // request reads as an end.
    assert.equal(premises.service.of('connection.failed').length, counts.failed);
    if (counts.failed > 0) await premises.service.failedAs({ phase: 'tcp', level: 'info' });
  });

  it('A08c: RST in the very turn in which authenticate grants', async () => {
    const asked = pending<unknown>();
    premises = await Premises.start({ authenticate: () => asked.promise });
    const peer = await premises.ask();
    await until(() => premises.service.inFlight === 1, 'it is being admitted');
    const [socket] = premises.sockets;
    socket?.once('error', () => asked.resolve('somebody'));
    peer.reset();
    await premises.service.failedAs(reset);
    await premises.vacant();
  });

  it('A09: authenticate itself resets the connection', async () => {
    const calls: string[] = [];
    premises = await Premises.start({
      authenticate: (request) => {
        calls.push('authenticate');
        request.socket.resetAndDestroy();
        return 'somebody';
      },
    });
    const peer = await premises.ask();
    await premises.service.failedAs({ ...takenAway, states: whileUpgrading });
    await until(() => peer.closed, 'the connection is gone');
    assert.deepEqual(calls, ['authenticate']);
    assert.equal(peer.answer, '');
    await premises.vacant();
  });
});

describe('before open: the upgrade itself cannot happen', { timeout: 60_000 }, () => {
  for (const [when, authenticate] of [
    ['', undefined],
    [' and authenticate grants later', async () => 'somebody'],
  ] as const) {
    it(`A18: the socket is destroyed before it is handed over${when}`, async () => {
      premises = await Premises.start(authenticate ? { authenticate } : {});
      handOver((upgrade) => {
        upgrade.socket.destroy();
        premises.service.supervisor.handleUpgrade(upgrade);
      });
      await premises.ask({ path: '/handed' });
      await premises.service.failedAs({ ...takenAway, states: whileAdmitting, path: '/handed' });
      await premises.vacant();
    });
  }

  it('A18: the socket is destroyed long before: authenticate is not awaited', async () => {
    premises = await Premises.start({
      authenticate: () => new Promise(() => {}),
    });
    let closed = false;
    handOver((upgrade) => {
      upgrade.socket.on('close', () => {
        closed = true;
        premises.service.supervisor.handleUpgrade(upgrade);
      });
      upgrade.socket.destroy();
    });
    await premises.ask({ path: '/handed' });
    const { failure } = await premises.service.when('connection.failed');
    assert.equal(closed, true);
    assert.equal(failure.cause, 'taken-away');
    assert.deepEqual(premises.service.calls, ['onFailed']);
    await premises.vacant();
  });
});

describe('before open: the supervisor stops', { timeout: 60_000 }, () => {
  const draining = {
    states: whileAdmitting,
    phase: 'admission',
    cause: 'draining',
    httpStatus: 503,
    retry: 'backoff',
    level: 'info',
  } as const;

  it('I04: the supervisor drains during authenticate, which then grants', async () => {
    const asked = pending<unknown>();
    premises = await Premises.start({ authenticate: () => asked.promise });
    const peer = await premises.ask();
    await until(() => premises.service.inFlight === 1, 'it is being admitted');
    const drained = premises.service.supervisor.drain();
    asked.resolve('somebody');
    const answer = await answerOf(peer);
    assert.equal(answer.status, 503);
    assert.ok(answer.headers.has('retry-after'));
    await premises.service.failedAs(draining);
    assert.deepEqual({ ...(await drained), tookMs: 0 }, emptyDrain);
    await premises.vacant();
  });

  it('I04: authenticate itself drains the supervisor and then grants', async () => {
    premises = await Premises.start({
      authenticate: () => {
        void premises.service.supervisor.drain();
        return 'somebody';
      },
    });
    assert.equal((await premises.refused()).status, 503);
    await premises.service.failedAs(draining);
    await premises.vacant();
  });

  it('A11b, G05: every upgrade during a drain gets 503 with Retry-After', async () => {
    premises = await Premises.start();
    const peer = await premises.open();
    const drained = premises.service.supervisor.drain();
    for (let count = 1; count <= 5; count += 1) {
      const answer = await premises.refused();
      assert.equal(answer.status, 503);
      assert.ok(Number(answer.headers.get('retry-after')) > 0);
      const failures = premises.service.of('connection.failed').map(({ failure }) => failure);
      assert.deepEqual(failures.map(outline), Array(count).fill(outlineOfDraining));
    }
    peer.destroy();
    assert.deepEqual({ ...(await drained), tookMs: 0 }, { ...emptyDrain, closed: 1 });
  });

  it('A11: after the drain an upgrade still gets 503, and onFailed still gets the failure', async () => {
    const failures: Failure[] = [];
    premises = await Premises.start({ onFailed: (failure) => failures.push(failure) });
    await premises.service.supervisor.drain();
    assert.equal(premises.service.supervisor.state, 'stopped');
    const answer = await premises.refused();
    assert.equal(answer.status, 503);
    assert.ok(answer.headers.has('retry-after'));
    assert.deepEqual(failures.map(outline), [outlineOfDraining]);
    assert.equal(premises.service.supervisor.counts.failed, 1);
    await premises.vacant();
  });
});

const emptyDrain = { closed: 0, forced: 0, unsettled: 0, tookMs: 0 };
const outlineOfDraining = 'admission draining 503 info backoff';

function outline({ phase, cause, httpStatus, level, retry }: Failure): string {
  return `${phase} ${cause} ${httpStatus} ${level} ${retry}`;
}

/** Lets `take` handle the upgrade requests for `/handed`, as a host with its own router does. */
function handOver(take: (upgrade: Upgrade) => void): void {
  premises.service.server.on('upgrade', (request, stream, head: Buffer) => {
    if (request.url === '/handed') take({ request, socket: stream as Socket, head });
  });
}

interface Upgrade {
  request: IncomingMessage;
  socket: Socket;
  head: Buffer;
}
