import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import type { Connection, SendResult } from '../../src/index.ts';
import { binaryCodec, textCodec } from '../../src/index.ts';
import { RawPeer } from '../support/raw-peer.ts';
import { Service } from '../support/service.ts';
import { turns, until } from '../support/until.ts';

type AnyConnection = Connection<unknown, unknown, unknown>;

/** Uses a handle in every way, and asserts that none of it has an effect. */
function assertInert(connection: AnyConnection, state: string, topics: readonly string[] = []) {
  const answers = {
    send: connection.send('late'),
    close: connection.close(4000, 'late'),
    fail: connection.fail(new Error('late')),
    join: connection.join('lobby'),
    leave: connection.leave('lobby'),
    topics: connection.topics,
    state: connection.state,
  };
  assert.deepEqual(answers, {
    send: 'refused',
    close: false,
    fail: false,
    join: false,
    leave: false,
    topics,
    state,
  });
  assert.throws(() => connection.close(999), { code: 'invalid-close' });
}

describe('F01, F02: a handle before and after', () => {
  let service: Service;
  afterEach(() => service.stop());

  it('F01: no connection can be reached while authenticate runs', async () => {
    let admit: (peer: unknown) => void = () => {};
    service = await Service.start({
      authenticate: () =>
        new Promise((resolve) => {
          admit = resolve;
        }),
      key: () => 'one',
      onOpen: (connection) => connection.join('lobby'),
    });
    const { supervisor } = service;
    const peer = await RawPeer.connect(service.port);
    peer.request();
    await until(() => supervisor.counts.handshaking === 1, 'it is being admitted');
    assert.deepEqual([...supervisor.connections], []);
    assert.deepEqual(supervisor.byKey('one'), []);
    assert.equal(supervisor.topic('lobby').size, 0);
    assert.equal(supervisor.broadcast('early').delivered, 0);
    assert.equal(supervisor.topic('lobby').publish('early').delivered, 0);
    admit('somebody');
    await until(() => supervisor.topic('lobby').size === 1, 'it has joined');
    supervisor.broadcast('in time');
    await until(() => peer.texts.length === 1, 'the message arrives');
    assert.deepEqual(peer.texts, ['"in time"']);
  });

  it('F01: it works completely within onOpen', async () => {
    const answers: unknown[] = [];
    service = await Service.start({
      onOpen: (connection) => {
        answers.push(connection.state, connection.send('welcome'), connection.join('lobby'));
        answers.push(service.supervisor.get(connection.id) === connection);
      },
    });
    const peer = await RawPeer.open(service.port);
    await until(() => peer.texts.length === 1, 'the welcome arrives');
    assert.deepEqual(answers, ['open', 'sent', true, true]);
    assert.deepEqual(peer.texts, ['"welcome"']);
  });

  const ends: readonly [string, (peer: RawPeer, connection: AnyConnection) => unknown][] = [
    ['a close of the peer', (peer) => peer.sendClose(1000)],
    ['a reset', (peer) => peer.reset()],
    ['a FIN', (peer) => peer.end()],
    ['terminate', (_peer, connection) => connection.terminate()],
    ['fail', (_peer, connection) => connection.fail(new Error('over'))],
    ['close', (_peer, connection) => connection.close()],
  ];

  for (const [title, part] of ends) {
    it(`F02, L1: after ${title} the handle is inert`, async () => {
      const late: string[] = [];
      service = await Service.start({
        onOpen: (connection) => void connection.join('lobby'),
        onClose: (connection, verdict) => {
          assertInert(connection, 'closed', ['lobby']);
          assert.equal(connection.terminate(), false);
          assert.equal(connection.verdict, verdict);
        },
      });
      const peer = await RawPeer.open(service.port);
      const connection = await service.opened();
      part(peer, connection);
      if (title === 'close' || title === 'fail') await peer.finishPolitely();
      await service.when('connection.closed');
      await until(() => service.calls.includes('onClose'), 'onClose is called');
      connection.messages$.subscribe({ complete: () => late.push('complete') });
      assertInert(connection, 'closed', ['lobby']);
      assert.equal(connection.terminate(), false);
      assert.equal(connection.bufferedBytes, 0);
      assert.deepEqual(connection.states, ['closed']);
      assert.deepEqual(late, ['complete']);
      assert.equal(service.supervisor.topic('lobby').size, 0);
      await turns(3);
      assert.deepEqual(service.of('handler.errored'), []);
      const ended = service.events.filter(({ type }) => type === 'connection.closed');
      assert.equal(ended.length, 1);
    });
  }

  it('F02: while it closes, sends are refused and nothing accumulates', async () => {
    service = await Service.start();
    const peer = await RawPeer.open(service.port, { allowHalfOpen: true });
    const connection = await service.opened();
    assert.equal(connection.close(4000, 'enough'), true);
    const results = new Set<SendResult>();
    for (let count = 0; count < 1_000; count += 1) results.add(connection.send('x'.repeat(1_000)));
    assert.deepEqual([...results], ['refused']);
    assert.equal(connection.bufferedBytes, 0);
    assertInert(connection, 'closing');
    await peer.finishPolitely();
    await service.closedAs({ code: 4000, clean: true, origin: 'local', level: 'info' });
    assert.deepEqual(peer.texts, []);
  });

  it('F02: at the error the handle is inert, for every user', async () => {
    service = await Service.start();
    let asked = 0;
    service.supervisor.events$.subscribe((event) => {
      if (event.type !== 'connection.errored') return;
      assert.ok(event.connection.direction === 'accepted');
      assertInert(event.connection, 'errored');
      asked += 1;
    });
    const peer = await RawPeer.open(service.port);
    await service.opened();
    peer.reset();
    await service.closedAs({ cause: 'tcp-reset', level: 'warn' });
    assert.equal(asked, 1);
  });
});

describe('F03: what cannot be sent', () => {
  let service: Service;
  afterEach(() => service.stop());

  const circular: { self?: unknown } = {};
  circular.self = circular;
  const throwing = {
    toJSON() {
      throw new Error('boom');
    },
  };

  const unencodable = {
    json: [undefined, Symbol('no'), () => {}, 1n, circular, throwing, { deep: [1n] }],
    binary: ['text', 5, null, {}, [1], undefined],
    text: [5, null, {}, Buffer.from('bytes'), undefined, Symbol('no')],
  };
  const codecs = { json: undefined, binary: binaryCodec(), text: textCodec() };

  for (const name of ['json', 'binary', 'text'] as const) {
    it(`F03: ${name}: send throws, in every state, and nothing is written`, async () => {
      const codec = codecs[name];
      service = await Service.start(codec === undefined ? {} : { codec });
      const peer = await RawPeer.open(service.port);
      const connection = await service.opened();
      const assertThrows = () => {
        for (const message of unencodable[name]) {
          assert.throws(() => connection.send(message), { code: 'unencodable-message' });
        }
      };
      assertThrows();
      assert.equal(connection.state, 'open');
      const good = name === 'binary' ? Buffer.from('good') : 'good';
      assert.equal(connection.send(good), 'sent');
      await until(() => peer.frames.length === 1, 'the good one arrives');
      peer.sendClose(1000);
      await service.closedAs({ code: 1000, level: 'info' });
      assertThrows();
      assert.equal(peer.frames.length, 2);
    });
  }

  it('F03: values that JSON can express arrive: objects, booleans, null, NaN as null', async () => {
    service = await Service.start();
    const peer = await RawPeer.open(service.port);
    const connection = await service.opened();
    for (const message of [{}, true, null, Number.NaN, '', 0, [undefined]])
      connection.send(message);
    await until(() => peer.texts.length === 7, 'all arrive');
    assert.deepEqual(peer.texts, ['{}', 'true', 'null', 'null', '""', '0', '[null]']);
  });
});
