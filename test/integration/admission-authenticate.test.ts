import assert from 'node:assert/strict';
import { once } from 'node:events';
import { afterEach, describe, it } from 'node:test';
import { createSupervisor, type HandlerName, Refusal } from '../../src/index.ts';
import { answerOf } from '../support/before-open-answer.ts';
import { arrived, tallied } from '../support/before-open-instants.ts';
import { Premises } from '../support/before-open-premises.ts';
import { buildFrame, opcode } from '../support/frames.ts';
import { RawPeer } from '../support/raw-peer.ts';
import { Service } from '../support/service.ts';
import { turns, until } from '../support/until.ts';

let premises: Premises;

afterEach(() => premises.close());

const serverError = {
  states: ['handshaking.admitting', 'failed'],
  phase: 'admission',
  cause: 'authenticate-error',
  httpStatus: 500,
  retry: 'backoff',
  level: 'error',
} as const;

/** Everything that can be thrown and is not a Refusal. */
const thrown: Readonly<Record<string, unknown>> = {
  'an Error': new Error('no database'),
  'a string': 'no',
  undefined: undefined,
  null: null,
  'an object': { status: 401 },
  'an object that cannot be a string': Object.create(null),
  'an Error that looks like a Refusal': Object.assign(new Error('no'), {
    name: 'Refusal',
    status: 401,
    headers: {},
  }),
};

describe('authenticate: whatever it throws becomes an answer and one report', {
  timeout: 60_000,
}, () => {
  for (const [what, value] of Object.entries(thrown)) {
    for (const [how, authenticate] of [
      [
        'throws',
        () => {
          throw value;
        },
      ],
      ['rejects with', () => Promise.reject(value)],
      ['rejects later with', () => turns(3).then(() => Promise.reject(value))],
    ] as const) {
      it(`${how} ${what}: 500`, async () => {
        const handlers: HandlerName[] = [];
        premises = await Premises.start({
          authenticate,
          onHandlerError: (_error, handler, connection) => {
            assert.equal(connection, undefined);
            handlers.push(handler);
          },
        });
        const answer = await premises.refused();
        assert.equal(answer.status, 500);
        const { error } = await premises.service.failedAs(serverError);
        assert.ok(error instanceof Error);
        assert.deepEqual(handlers, ['authenticate']);
        await premises.vacant();
      });
    }
  }

  it('throws a Refusal of a subclass: the status of the subclass', async () => {
    class Banned extends Refusal {
      constructor() {
        super(403, 'banned');
      }
    }
    premises = await Premises.start({ authenticate: () => Promise.reject(new Banned()) });
    assert.equal((await premises.refused()).status, 403);
    await premises.service.failedAs({ cause: 'refused', httpStatus: 403, level: 'info' });
    assert.deepEqual(premises.service.of('handler.errored'), []);
  });

  for (const [how, authenticate] of [
    ['returns', () => new Refusal(403, 'banned')],
    ['resolves to', async () => new Refusal(403, 'banned')],
  ] as const) {
    it(`${how} a Refusal instead of throwing it: its status`, async () => {
      premises = await Premises.start({ authenticate });
      const { status, body } = await premises.refused();
      assert.deepEqual([status, body], [403, 'banned']);
      await premises.service.failedAs({ cause: 'refused', httpStatus: 403, level: 'info' });
      assert.deepEqual(premises.service.of('handler.errored'), []);
    });
  }

  it('makes a Refusal with invalid arguments: 500, and an error of this handler', async () => {
    premises = await Premises.start({
      authenticate: () => {
        throw new Refusal(200);
      },
    });
    assert.equal((await premises.refused()).status, 500);
    await premises.service.failedAs(serverError);
    const [told] = premises.service.of('handler.errored');
    assert.equal(told?.handler, 'authenticate');
    assert.match(String(told?.error.message), /^status: must be a number from 400 to 599/);
  });

  it('returns a thenable that settles twice: the first settling counts', async () => {
    premises = await Premises.start({
      authenticate: () => ({
        // biome-ignore lint/suspicious/noThenProperty: a thenable that breaks its promise is the point.
        then(grant: (peer: string) => void, refuse: (error: unknown) => void) {
          grant('first');
          grant('second');
          refuse(new Refusal(403));
        },
      }),
    });
    const peer = await premises.open();
    assert.equal((await premises.service.opened()).peer, 'first');
    peer.sendClose(1000);
    await premises.service.closedAs({ code: 1000, level: 'info' });
    assert.deepEqual(premises.service.of('handler.errored'), []);
  });

  it('returns a thenable whose then throws: 500', async () => {
    premises = await Premises.start({
      authenticate: () => ({
        // biome-ignore lint/suspicious/noThenProperty: a thenable that throws is the point.
        get then(): never {
          throw new Error('no then');
        },
      }),
    });
    assert.equal((await premises.refused()).status, 500);
    await premises.service.failedAs(serverError);
  });
});

describe('authenticate: what it returns', { timeout: 60_000 }, () => {
  it('becomes connection.peer, with its type', async () => {
    const seen: number[] = [];
    const supervisor = createSupervisor({
      authenticate: async ({ headers }) => ({ userId: Number(headers['x-user']) }),
      onOpen: ({ peer }) => void seen.push(peer.userId satisfies number),
    });
    premises = await Premises.start();
    premises.service.server.on('upgrade', (request, _stream, head: Buffer) => {
      if (request.url !== '/typed') return;
      supervisor.handleUpgrade({ request, socket: request.socket, head });
    });
    await premises.open({ path: '/typed', headers: { 'X-User': '7' } });
    assert.deepEqual(seen, [7]);
    await supervisor.drain({ withinMs: 100 });
  });

  for (const peer of [0, '', Number.NaN, true]) {
    it(`may be ${peer === '' ? 'an empty string' : peer}: the client is admitted`, async () => {
      premises = await Premises.start({ authenticate: async () => peer });
      await premises.open();
      assert.equal((await premises.service.opened()).peer, peer);
    });
  }

  for (const [how, authenticate] of [
    ['returns', (nobody: unknown) => nobody],
    ['resolves to', async (nobody: unknown) => nobody],
  ] as const) {
    for (const nobody of [false, null]) {
      it(`${how} ${nobody}: 401, and no error`, async () => {
        premises = await Premises.start({ authenticate: () => authenticate(nobody) });
        const { status, body } = await premises.refused();
        assert.deepEqual([status, body], [401, 'not admitted']);
        await premises.service.failedAs({
          states: ['handshaking.admitting', 'failed'],
          ...{ phase: 'admission', cause: 'unauthorized', httpStatus: 401, retry: 'slow' },
          level: 'info',
        });
        assert.deepEqual(premises.service.of('handler.errored'), []);
        await premises.vacant();
      });
    }
  }

  it('is undefined: 401, and a single warning that names what to return instead', async () => {
    const warnings: NodeJS.ErrnoException[] = [];
    const onWarning = (warning: Error) => void warnings.push(warning);
    process.on('warning', onWarning);
    const service = await Service.start({ authenticate: () => undefined });
    for (let times = 0; times < 3; times += 1) {
      const peer = await RawPeer.connect(service.port);
      peer.request();
      assert.equal((await answerOf(peer)).status, 401);
    }
    await until(() => warnings.length > 0, 'the warning is given');
    process.off('warning', onWarning);
    assert.deepEqual(
      warnings.map(({ code }) => code),
      ['MOORING_NO_PEER'],
    );
    assert.match(String(warnings[0]?.message), /Return admitted\(\)/);
    await service.stop();
  });

  it('may be omitted: everybody is admitted', async () => {
    premises = await Premises.start();
    await premises.open();
    assert.equal((await premises.service.opened()).peer, undefined);
  });

  it('runs once, with the whole request, and never for a request that is refused before', async () => {
    const urls: unknown[] = [];
    premises = await Premises.start({
      authenticate: ({ url, headers }) => urls.push([url, headers.cookie]),
    });
    await premises.refused({ path: '/other' });
    await premises.refused({ headers: { Origin: 'http://evil.example' } });
    await premises.refused({ headers: { 'Sec-WebSocket-Key': 'x' } });
    await premises.open({ path: '/ws?token=1', headers: { Cookie: 'a=b' } });
    assert.deepEqual(urls, [['/ws?token=1', 'a=b']]);
  });
});

describe('authenticate: one absolute deadline', { timeout: 60_000 }, () => {
  const handshakeMs = 300;
  const timedOut = {
    states: ['handshaking.admitting', 'failed'],
    phase: 'admission',
    cause: 'handshake-timeout',
    httpStatus: 503,
    retry: 'backoff',
    level: 'warn',
  } as const;

  it('a slowly dripping client cannot outlive it', async () => {
    premises = await Premises.start({
      authenticate: () => new Promise(() => {}),
      timeouts: { handshakeMs },
    });
    const beganAtMs = performance.now();
    const peer = await premises.ask();
    const ping = buildFrame({ opcode: opcode.ping });
    const drip = setInterval(() => peer.socket.write(ping), 20);
    const answer = await answerOf(peer).finally(() => clearInterval(drip));
    assert.ok(performance.now() - beganAtMs >= handshakeMs - 50, 'not before the deadline');
    assert.equal(answer.status, 503);
    assert.equal(answer.headers.get('retry-after'), '1');
    await premises.service.failedAs(timedOut);
    await premises.vacant();
  });

  it('a client that continues to drip behind its answer is cut', async () => {
    premises = await Premises.start({
      authenticate: () => new Promise(() => {}),
      timeouts: { handshakeMs },
    });
    const peer = await premises.connect({ allowHalfOpen: true });
    peer.request();
    const drip = setInterval(() => peer.socket.write('drip'), 20);
    await until(() => peer.status === 503, 'it is answered');
    await premises.vacant().finally(() => clearInterval(drip));
    await premises.service.failedAs(timedOut);
  });

  it('expires on an idle event loop', async () => {
    premises = await Premises.start({
      authenticate: () => new Promise(() => {}),
      timeouts: { handshakeMs },
    });
    const peer = await premises.ask();
    await until(() => premises.service.inFlight === 1, 'it is being admitted');
    // Polling would keep the loop turning. Here nothing wakes it but the answer, or this timer in the end.
    let wake: NodeJS.Timeout | undefined;
    const late = new Promise((resolve) => {
      wake = setTimeout(resolve, 8_000, 'late');
    });
    const answered = once(peer.socket, 'data').then(() => 'in time');
    assert.equal(await Promise.race([answered, late]), 'in time');
    clearTimeout(wake);
    assert.equal(peer.status, 503);
    await premises.service.failedAs(timedOut);
  });

  for (const [how, settle] of [
    ['grants', () => 'somebody'],
    [
      'refuses',
      () => {
        throw new Refusal(403);
      },
    ],
  ] as const) {
    it(`authenticate ${how} after the deadline: the deadline has decided`, async () => {
      let proceed: () => void = () => {};
      const waiting = new Promise<void>((resolve) => {
        proceed = resolve;
      });
      premises = await Premises.start({
        authenticate: () => waiting.then(settle),
        timeouts: { handshakeMs: 100 },
      });
      assert.equal((await premises.refused()).status, 503);
      proceed();
      await turns(5);
      await premises.service.failedAs(timedOut);
      await premises.vacant();
    });
  }

  it('authenticate throws after the client has left: reported as a handler error, failed once', async () => {
    let fail: (error: Error) => void = () => {};
    premises = await Premises.start({
      authenticate: () =>
        new Promise((_resolve, reject) => {
          fail = reject;
        }),
    });
    const peer = await premises.ask();
    await until(() => premises.service.inFlight === 1, 'it is being admitted');
    peer.end();
    await premises.service.when('connection.failed');
    fail(new Error('too late'));
    await until(() => premises.service.of('handler.errored').length > 0, 'the error is reported');
    await premises.service.failedAs({ cause: 'abandoned', phase: 'tcp', level: 'info' });
    assert.equal(premises.service.of('handler.errored')[0]?.error.message, 'too late');
  });

  it('a thousand calls that never settle hold nothing once their clients are gone', async () => {
    premises = await Premises.start({ authenticate: () => new Promise(() => {}) });
    for (let batch = 0; batch < 10; batch += 1) {
      const peers = await Promise.all(Array.from({ length: 100 }, () => premises.ask()));
      await until(() => premises.service.inFlight === peers.length, 'all are being admitted');
      for (const peer of peers) peer.reset();
      await premises.vacant();
    }
    assert.deepEqual(tallied(premises.service), { failed: 1_000, opened: 0, closed: 0 });
  });
});

describe('a refused client is released', { timeout: 60_000 }, () => {
  const refuse = () => Promise.reject(new Refusal(403, 'x'.repeat(100)));

  it('after about a second when it never leaves, with its answer complete', async () => {
    premises = await Premises.start({ authenticate: refuse });
    const peer = await premises.connect({ allowHalfOpen: true });
    peer.request();
    assert.equal((await answerOf(peer)).body.length, 100);
    const answeredAtMs = performance.now();
    await premises.vacant();
    const keptMs = performance.now() - answeredAtMs;
    assert.ok(keptMs >= 800 && keptMs < 8_000, `kept for ${keptMs} ms`);
    await premises.service.failedAs({ cause: 'refused', level: 'info' });
  });

  it('when it never reads, however long the answer', async () => {
    const body = 'x'.repeat(20_000_000);
    premises = await Premises.start({
      authenticate: () => Promise.reject(new Refusal(403, body)),
    });
    const peer = await premises.connect({ allowHalfOpen: true });
    peer.pause();
    peer.request();
    await premises.service.failedAs({ cause: 'refused', level: 'info' });
    await premises.vacant();
  });

  it('when it never stops sending, and it can still read its answer', async () => {
    premises = await Premises.start({ authenticate: refuse });
    const peer = await premises.connect({ allowHalfOpen: true });
    peer.request();
    const flood = setInterval(() => peer.socket.write(Buffer.alloc(60_000)), 5);
    await answerOf(peer).finally(() => clearInterval(flood));
    assert.equal(peer.status, 403);
    await premises.vacant();
  });

  it('at once when it leaves, whatever it sent behind its request', async () => {
    let decide: (error: Error) => void = () => {};
    premises = await Premises.start({
      authenticate: () =>
        new Promise((_resolve, reject) => {
          decide = reject;
        }),
    });
    const beganAtMs = performance.now();
    for (let round = 0; round < 20; round += 1) {
      const peer = await premises.ask();
      await until(() => premises.service.inFlight === 1, 'it is being admitted');
      peer.socket.write('more');
      await arrived([peer], premises.sockets);
      decide(new Refusal(403));
      assert.equal((await answerOf(peer)).status, 403);
      await until(() => premises.sockets.size === 0, 'it is released');
    }
    assert.ok(performance.now() - beganAtMs < 15_000, '20 polite clients do not take 20 seconds');
  });

  it('and no timer waits for it afterwards, were time to stand still', async () => {
    premises = await Premises.start({ authenticate: refuse });
    premises.clock.stop();
    await premises.refused();
    await premises.vacant();
  });

  it('at once when it leaves', async () => {
    premises = await Premises.start({ authenticate: refuse });
    const beganAtMs = performance.now();
    for (let round = 0; round < 20; round += 1) await premises.refused();
    await premises.vacant();
    assert.ok(performance.now() - beganAtMs < 10_000, '20 polite clients do not take 20 seconds');
    assert.deepEqual(tallied(premises.service), { failed: 20, opened: 0, closed: 0 });
  });
});
