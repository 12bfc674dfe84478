import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import { inspect } from 'node:util';
import {
  type AdmittedOptions,
  admitted,
  type Connection,
  MooringError,
  Refusal,
} from '../../src/index.ts';
import { VirtualClock } from '../../src/testing/virtual-clock.ts';
import { RawPeer } from '../support/raw-peer.ts';
import { Service } from '../support/service.ts';
import { turns, until } from '../support/until.ts';

let service: Service;

afterEach(() => service.stop());

/** A second copy of the package in this process. */
const copy: typeof import('../../src/server/authenticate-result.ts') = await import(
  new URL('../../src/server/authenticate-result.js?copy', import.meta.url).href
);

describe('admitted', { timeout: 60_000 }, () => {
  it('admits a client without a peer value', async () => {
    service = await Service.start({ authenticate: () => admitted() });
    await RawPeer.open(service.port);
    assert.equal((await service.opened()).peer, undefined);
  });

  for (const nobody of [undefined, null, false]) {
    for (const make of [admitted, copy.admitted]) {
      it(`refuses with 401 when it gets ${nobody}, and releases the resource`, async () => {
        let released = 0;
        const release = () => {
          released += 1;
        };
        service = await Service.start({ authenticate: async () => make(nobody, { release }) });
        await assert.rejects(RawPeer.open(service.port), /401/);
        await service.failedAs({ cause: 'unauthorized', httpStatus: 401, level: 'info' });
        assert.equal(released, 1);
      });
    }
  }

  it('keeps no deadline when reading the peer ends the connection', async () => {
    const clock = new VirtualClock();
    // Code that looks for a promise calls this getter.
    const then = () => void service.supervisor.drain();
    const peer = Object.defineProperty({}, 'then', { get: then });
    service = await Service.start({
      clock,
      authenticate: () => admitted(peer, { expiresInMs: 60_000 }),
    });
    await assert.rejects(RawPeer.open(service.port), /503/);
    clock.advance(10_000);
    await service.when('supervisor.stopped');
    assert.equal(clock.timersPending, 0);
  });

  it('refuses with the Refusal that it gets', async () => {
    service = await Service.start({ authenticate: () => admitted(new Refusal(403, 'no')) });
    await assert.rejects(RawPeer.open(service.port), /403/);
  });

  for (const peer of [Promise.resolve('late'), admitted('twice')]) {
    it(`is an error of authenticate when it gets ${String(peer)}`, async () => {
      service = await Service.start({ authenticate: () => admitted(peer) });
      await assert.rejects(RawPeer.open(service.port), /500/);
      const [told] = service.of('handler.errored');
      assert.equal(told?.handler, 'authenticate');
      assert.match(told?.error.message ?? '', /peer must not be/);
    });
  }

  it('releases the resource when its headers are wrong', async () => {
    let released = 0;
    const release = () => {
      released += 1;
    };
    const headers = { 'Set-Cookie': 'user=J\u20ac' };
    service = await Service.start({ authenticate: () => admitted('one', { headers, release }) });
    await assert.rejects(RawPeer.open(service.port), /500/);
    assert.equal(released, 1);
  });

  it('prints nothing of its contents', () => {
    const printed = inspect(admitted('secret', { headers: { 'Set-Cookie': 'session=1' } }));
    assert.equal(printed, 'Admitted {}');
  });

  for (const peer of ['', 0, { name: 'Ann' }]) {
    it(`admits ${JSON.stringify(peer)}, as a promise and from another copy of the package`, async () => {
      service = await Service.start({ authenticate: async () => copy.admitted(peer) });
      await RawPeer.open(service.port);
      assert.equal((await service.opened()).peer, peer);
    });
  }

  it('adds its headers to the 101, a list as one header for each value', async () => {
    const cookies = [
      'session=1; Path=/; HttpOnly',
      'seen=2; Expires=Wed, 21 Oct 2026 07:28:00 GMT',
    ];
    service = await Service.start({
      authenticate: ({ headers }) =>
        headers.cookie === undefined
          ? admitted('new', { headers: { 'Set-Cookie': cookies, 'X-Request-Id': 'r-1', 'X-N': 7 } })
          : 'known',
      subprotocols: ['chat'],
    });
    const peer = await RawPeer.open(service.port, {
      headers: { 'Sec-WebSocket-Protocol': 'chat' },
    });
    const lines = peer.answer.trimEnd().split('\r\n');
    const [status, ...own] = lines.slice(0, 5);
    assert.equal(status, 'HTTP/1.1 101 Switching Protocols');
    assert.deepEqual(
      own.map((line) => line.split(':')[0]),
      ['Upgrade', 'Connection', 'Sec-WebSocket-Accept', 'Sec-WebSocket-Protocol'],
    );
    assert.deepEqual(lines.slice(5), [
      `Set-Cookie: ${cookies[0]}`,
      `Set-Cookie: ${cookies[1]}`,
      'X-Request-Id: r-1',
      'X-N: 7',
    ]);
    peer.json('hello');
    await until(() => service.messages.length === 1, 'it is open');
    // The next connection has none of them.
    const next = await RawPeer.open(service.port, { headers: { Cookie: 'session=1' } });
    assert.doesNotMatch(next.answer, /Set-Cookie|X-Request-Id/i);
  });

  const wrong: readonly [string, unknown, RegExp][] = [
    ['no object', null, /^options: must be an object, not null$/],
    [
      'an unknown name',
      { expiresInS: 1 },
      /^options\.expiresInS: unknown option; did you mean expiresInMs\?$/,
    ],
    ['headers', { headers: null }, /^options\.headers: must be an object of .*, not null$/],
    [
      'a header',
      { headers: { 'X-A': 'b\r\nX: y' } },
      /^options\.headers\.X-A: is not a valid header value$/,
    ],
    ['a release', { release: 5 }, /^options\.release: must be a function, not 5$/],
    [
      'a time',
      { expiresInMs: '60000' },
      /^options\.expiresInMs: must be a number .*, not the string '60000'$/,
    ],
    [
      'no time',
      { expiresInMs: Number.NaN },
      /^options\.expiresInMs: must be a number .*, not NaN$/,
    ],
    ...['Connection', 'upgrade', 'Content-Length', 'Transfer-Encoding', 'sec-websocket-accept'].map(
      (name): [string, unknown, RegExp] => [
        `a header of the handshake, ${name}`,
        { headers: { [name]: 'x' } },
        /is a header of the handshake itself; leave it out$/,
      ],
    ),
  ];
  for (const [title, options, message] of wrong) {
    it(`refuses ${title}: 500, and an error of authenticate that names it`, async () => {
      service = await Service.start({
        authenticate: () => admitted('somebody', options as AdmittedOptions),
      });
      const peer = await RawPeer.connect(service.port);
      peer.request();
      const { handler, error } = await service.when('handler.errored');
      assert.equal(handler, 'authenticate');
      assert.ok(error instanceof MooringError && error.code === 'invalid-options');
      assert.match(error.message, message);
      await until(() => peer.status === 500, 'it is refused');
    });
  }
});

describe('headers that were valid and are modified later', { timeout: 60_000 }, () => {
  const injection = 'a\r\nInjected: 1';
  /** Writes into headers that have been checked, as a copy of the package without freezing would allow. */
  const spoilt = <Result extends object>(result: Result, headers: unknown) =>
    Object.defineProperty(result, 'headers', { value: headers });

  const results: Readonly<Record<string, () => unknown>> = {
    'of a Refusal': () => spoilt(new Refusal(401, 'no'), { 'X-B': injection }),
    'of a Refusal, in a list': () => spoilt(new Refusal(401, 'no'), { 'X-B': ['a', injection] }),
    'of a Refusal without headers': () => spoilt(new Refusal(401, 'no'), null),
    'of a Refusal that is thrown': () => {
      throw spoilt(new Refusal(401, 'no'), { 'X-B': injection });
    },
    'of admitted': () =>
      spoilt(copy.admitted('somebody', { headers: { 'X-B': 'a' } }), { 'X-B': injection }),
    'of admitted, a header of the handshake': () =>
      spoilt(copy.admitted('somebody'), { 'Sec-WebSocket-Accept': 'x' }),
  };
  for (const [title, make] of Object.entries(results)) {
    for (const way of ['at once', 'later']) {
      it(`are an error of authenticate and 500, never a line of the answer: ${title}, ${way}`, async () => {
        service = await Service.start({
          authenticate: way === 'at once' ? make : async () => make(),
        });
        const peer = await RawPeer.connect(service.port);
        peer.request();
        const { handler, error } = await service.when('handler.errored');
        assert.deepEqual(
          [handler, (error as MooringError).code],
          ['authenticate', 'invalid-options'],
        );
        assert.match(error.message, /^options\.headers/);
        await until(() => peer.status === 500, 'it is refused');
        assert.doesNotMatch(peer.answer, /Injected|X-B/i);
        const { failure } = await service.when('connection.failed');
        assert.deepEqual([failure.cause, failure.httpStatus], ['authenticate-error', 500]);
      });
    }
  }

  it('release the resource all the same', async () => {
    let released = 0;
    const release = () => {
      released += 1;
    };
    service = await Service.start({
      authenticate: () => spoilt(admitted('somebody', { release }), { 'X-B': injection }),
    });
    const peer = await RawPeer.connect(service.port);
    peer.request();
    await service.when('connection.failed');
    await turns(3);
    assert.equal(released, 1);
  });

  it('are frozen: strict code throws, which is an error of authenticate', async () => {
    service = await Service.start({
      authenticate: () => {
        const refusal = new Refusal(401, 'no', {});
        (refusal.headers as Record<string, unknown>)['X-B'] = injection;
        return refusal;
      },
    });
    const peer = await RawPeer.connect(service.port);
    peer.request();
    const { handler, error } = await service.when('handler.errored');
    assert.deepEqual([handler, error.name], ['authenticate', 'TypeError']);
    await until(() => peer.status === 500, 'it is refused');
  });
});

describe('admitted with a time limit', { timeout: 60_000 }, () => {
  /** A clock that the test moves, without heartbeats. */
  const clock = () => {
    const time = new VirtualClock();
    const heartbeat = { intervalMs: 2 ** 31 - 1 };
    return { time, options: { clock: time, heartbeat, random: () => 0.5 } };
  };

  it('is closed with 3000 when the time has passed, and not before', async () => {
    const { time, options } = clock();
    service = await Service.start({
      ...options,
      authenticate: () => admitted('somebody', { expiresInMs: 60_000 }),
    });
    const peer = await RawPeer.open(service.port);
    const connection = await service.opened();
    time.advance(59_000);
    await turns(3);
    assert.equal(connection.state, 'open');
    time.advance(2_000);
    await peer.finishPolitely();
    assert.deepEqual(peer.closeFrame, { code: 3000, reason: 'expired' });
    await service.closedAs({
      ...{ cause: 'expired', origin: 'local', code: 3000, reason: 'expired', clean: true },
      level: 'info',
    });
  });

  it('is refused when the time has already passed', async () => {
    service = await Service.start({ authenticate: () => admitted('late', { expiresInMs: -5 }) });
    await assert.rejects(RawPeer.open(service.port), /401/);
    await service.failedAs({ cause: 'unauthorized', httpStatus: 401, level: 'info' });
  });

  it('is closed when it is renewed for no time at all', async () => {
    service = await Service.start({
      authenticate: () => admitted('one', { expiresInMs: 60_000 }),
      onOpen: (connection) => void connection.renew('one', { expiresInMs: 0 }),
    });
    const peer = await RawPeer.open(service.port);
    await peer.finishPolitely();
    assert.equal(peer.closeFrame?.code, 3000);
  });

  it('stays open when it is renewed in time, for as long as renew specifies', async () => {
    const { time, options } = clock();
    service = await Service.start({
      ...options,
      authenticate: () => admitted({ token: 1 }, { expiresInMs: 60_000 }),
    });
    const peer = await RawPeer.open(service.port);
    const connection = await service.opened();
    time.advance(50_000);
    assert.equal(connection.renew({ token: 2 }, { expiresInMs: 60_000 }), true);
    assert.deepEqual(connection.peer, { token: 2 });
    time.advance(50_000);
    await turns(3);
    assert.equal(connection.state, 'open');
    time.advance(11_000);
    await peer.finishPolitely();
    assert.equal(peer.closeFrame?.code, 3000);
    assert.equal(connection.renew({ token: 3 }), false);
    assert.deepEqual(connection.peer, { token: 2 });
  });

  it('expires at the original time when it is renewed without a time', async () => {
    const { time, options } = clock();
    service = await Service.start({
      ...options,
      authenticate: () => admitted(1, { expiresInMs: 60_000 }),
    });
    const peer = await RawPeer.open(service.port);
    const connection = await service.opened();
    time.advance(50_000);
    assert.ok(connection.renew(2));
    assert.ok(connection.renew(3, {}));
    await turns(3);
    assert.deepEqual([connection.state, connection.peer], ['open', 3]);
    time.advance(11_000);
    await peer.finishPolitely();
    assert.equal(peer.closeFrame?.code, 3000);
  });

  it('never expires when it is renewed with null', async () => {
    const { time, options } = clock();
    service = await Service.start({
      ...options,
      authenticate: () => admitted(1, { expiresInMs: 60_000 }),
      onOpen: (connection) => void connection.renew(2, { expiresInMs: null }),
    });
    await RawPeer.open(service.port);
    const connection = await service.opened();
    time.advance(600_000);
    await turns(3);
    assert.deepEqual([connection.state, connection.peer], ['open', 2]);
  });

  it('expires also when only renew has set a time', async () => {
    const { time, options } = clock();
    service = await Service.start(options);
    const peer = await RawPeer.open(service.port);
    (await service.opened()).renew('somebody', { expiresInMs: 1_000 });
    time.advance(2_000);
    await peer.finishPolitely();
    assert.equal(peer.closeFrame?.code, 3000);
  });
});

describe('renew', { timeout: 60_000 }, () => {
  const named = (connection: Connection) => connection as Connection<{ name?: unknown }>;

  it('calls key again, and byKey finds the connection under the new key', async () => {
    service = await Service.start({
      authenticate: () => ({ name: 'ann' }),
      key: (peer) => (peer as { name?: string }).name,
    });
    await RawPeer.open(service.port);
    const connection = named(await service.opened());
    const { supervisor } = service;
    connection.renew({ name: 'bea' });
    assert.deepEqual(supervisor.byKey('ann'), []);
    assert.deepEqual(supervisor.byKey('bea'), [connection]);
    assert.equal(connection.key, 'bea');
    connection.renew({});
    assert.deepEqual(supervisor.byKey('bea'), []);
    assert.equal(connection.key, undefined);
    connection.renew({ name: 'ann' });
    connection.terminate();
    assert.deepEqual(supervisor.byKey('ann'), []);
  });

  it('keeps peer and key when key throws, which is an error of the connection', async () => {
    service = await Service.start({
      authenticate: () => ({ name: 'ann' }),
      key: (peer) => (peer as { name: string }).name,
      onHandlerError: (_error, handler) => (handler === 'key' ? 'keep' : undefined),
    });
    await RawPeer.open(service.port);
    const connection = named(await service.opened());
    assert.equal(connection.renew({ name: 5 }), false);
    assert.deepEqual([connection.peer, connection.key], [{ name: 'ann' }, 'ann']);
    const [told] = service.of('handler.errored');
    assert.deepEqual([told?.handler, told?.connection], ['key', connection]);
    assert.equal(connection.state, 'open');
  });

  it('throws for an invalid time, in every state', async () => {
    service = await Service.start();
    await RawPeer.open(service.port);
    const connection = await service.opened();
    const renew = () => connection.renew(1, { expiresInMs: Number.NaN });
    const expected = {
      code: 'invalid-options',
      message: /^options\.expiresInMs: must be a number of milliseconds, or null for never/,
    };
    assert.throws(renew, expected);
    connection.terminate();
    assert.throws(renew, expected);
  });

  const wrong: [unknown, string][] = [
    [{ expireInMs: 500 }, 'options.expireInMs: unknown option; did you mean expiresInMs?'],
    [{ until: 500 }, 'options.until: unknown option; known: expiresInMs'],
    [null, 'options: must be an object, not null'],
    [500, 'options: must be an object, not 500'],
  ];
  for (const [options, message] of wrong) {
    it(`throws for unknown options, and changes nothing: ${message}`, async () => {
      const time = new VirtualClock();
      service = await Service.start({
        ...{ clock: time, heartbeat: { intervalMs: 2 ** 31 - 1 } },
        authenticate: () => admitted('ann', { expiresInMs: 60_000 }),
      });
      const peer = await RawPeer.open(service.port);
      const connection = await service.opened();
      const renew = () => connection.renew('bea', options as object);
      assert.throws(renew, { code: 'invalid-options', message });
      assert.equal(connection.peer, 'ann');
      time.advance(61_000);
      await peer.finishPolitely();
      assert.equal(peer.closeFrame?.code, 3000, 'it expires at the original time');
    });
  }
});
