import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import { WebSocketServer } from 'ws';
import { createClient } from '../../src/client/index.ts';
import { attach, createSupervisor, type SupervisorEvent } from '../../src/index.ts';
import { answerOf } from '../support/before-open-answer.ts';
import { Premises } from '../support/before-open-premises.ts';
import { until } from '../support/until.ts';

let premises: Premises;

afterEach(() => premises.close());

/** A second supervisor on the same HTTP server, and everything that it reports. */
function another(path?: string) {
  const supervisor = createSupervisor();
  const events: SupervisorEvent[] = [];
  supervisor.events$.subscribe((event) => events.push(event as SupervisorEvent));
  const detach = attach(premises.service.server, supervisor, path === undefined ? {} : { path });
  return { supervisor, detach, types: () => events.map(({ type }) => type) };
}

const ownTypes = () => premises.service.events.map(({ type }) => type);

describe('admission: one HTTP server shared', { timeout: 60_000 }, () => {
  it('two supervisors under different paths get their own clients only', async () => {
    premises = await Premises.start();
    const other = another('/other');
    await premises.open({ path: '/ws' });
    await premises.open({ path: '/other?x' });
    assert.deepEqual(ownTypes(), ['connection.opened']);
    assert.deepEqual(other.types(), ['connection.opened']);
    assert.equal((await premises.refused({ path: '/neither' })).status, 404);
    assert.deepEqual([...ownTypes(), ...other.types()].sort(), [
      'connection.failed',
      'connection.opened',
      'connection.opened',
    ]);
    await other.supervisor.drain({ withinMs: 50 });
  });

  it('two supervisors: drain and limits of one do not affect the other', async () => {
    premises = await Premises.start({ admission: { connectionsMax: 1 } });
    const other = another('/other');
    await premises.open();
    assert.equal((await premises.refused()).status, 503);
    await premises.open({ path: '/other' });
    await other.supervisor.drain({ withinMs: 50 });
    assert.equal((await premises.refused({ path: '/other' })).status, 503);
    assert.equal(premises.service.supervisor.counts.open, 1);
  });

  it('a plain request still gets one answer when two supervisors are attached', async () => {
    premises = await Premises.start();
    const other = another('/other');
    const peer = await premises.connect();
    peer.socket.write('GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
    await until(() => peer.closed, 'the request is answered');
    assert.equal(peer.answer.match(/HTTP\/1\.1 426/g)?.length, 1);
    other.detach();
  });

  it('detach releases the path, and the last one removes all our listeners', async () => {
    premises = await Premises.start({}, { path: '/ws' });
    const { server } = premises.service;
    const listeners = () => [server.listenerCount('upgrade'), server.listenerCount('request')];
    assert.deepEqual(listeners(), [1, 1]);
    const other = another('/other');
    assert.deepEqual(listeners(), [1, 1]);
    await premises.open({ path: '/other' });
    other.detach();
    other.detach();
    assert.equal((await premises.refused({ path: '/other' })).status, 404);
    assert.equal(other.supervisor.counts.open, 1);
    await premises.open({ path: '/ws' });
    await other.supervisor.drain({ withinMs: 50 });
  });

  it('a supervisor without a path takes every path that no other one names', async () => {
    premises = await Premises.start({}, {});
    const other = another('/other');
    await premises.open({ path: '/any' });
    await premises.open({ path: '/other' });
    assert.deepEqual(other.types(), ['connection.opened']);
    assert.deepEqual(ownTypes(), ['connection.opened']);
    await other.supervisor.drain({ withinMs: 50 });
  });

  it('a foreign WebSocket server keeps its own path, and we report nothing about it', async () => {
    premises = await Premises.start();
    const foreign = new WebSocketServer({ noServer: true });
    foreign.on('connection', (socket) => socket.on('message', (data) => socket.send(`${data}!`)));
    premises.service.server.on('upgrade', (request, socket, head) => {
      if (request.url !== '/foreign') return;
      foreign.handleUpgrade(request, socket, head, (open) => foreign.emit('connection', open));
    });
    const peer = await premises.open({ path: '/foreign' });
    peer.text('hello');
    await until(() => peer.texts.length > 0, 'it answers');
    assert.deepEqual(peer.texts, ['hello!']);
    assert.deepEqual(ownTypes(), []);
    await premises.open({ path: '/ws' });
    assert.deepEqual(ownTypes(), ['connection.opened']);
  });

  it('a foreign listener that answers with HTTP is left alone too', async () => {
    premises = await Premises.start();
    premises.service.server.on('upgrade', (request, socket) => {
      if (request.url === '/foreign') socket.end('HTTP/1.1 418 No\r\nConnection: close\r\n\r\n');
    });
    const peer = await premises.ask({ path: '/foreign' });
    await until(() => peer.closed || peer.ended, 'it is answered');
    assert.match(peer.answer, /^HTTP\/1\.1 418 No\r\nConnection: close\r\n\r\n$/);
    assert.deepEqual(ownTypes(), []);
  });
});

describe('admission: subprotocols', { timeout: 60_000 }, () => {
  const offers: readonly [string, readonly string[], string | undefined, string][] = [
    ['the best that both speak, in our order', ['v2', 'v1'], 'v1, v2', 'v2'],
    ['the only one that both speak', ['v2', 'v1'], 'v0, v1', 'v1'],
    ['none when none is offered', ['v2', 'v1'], undefined, ''],
  ];
  for (const [title, subprotocols, offer, chosen] of offers) {
    it(`chosen: ${title}`, async () => {
      premises = await Premises.start({ subprotocols });
      const headers = { 'Sec-WebSocket-Protocol': offer };
      const peer = await premises.open({ headers });
      const echoed = /^sec-websocket-protocol: (.*)\r$/im.exec(peer.answer)?.[1];
      assert.equal(echoed ?? '', chosen);
      assert.equal((await premises.service.opened()).subprotocol, chosen);
      peer.sendClose(1000);
      await premises.service.closedAs({ code: 1000, level: 'info' });
    });
  }

  const strangers: readonly [string, readonly string[], string, string][] = [
    ['none in common', ['v2', 'v1'], 'v3, chat', 'offered: v3, chat; supported: v2, v1'],
    ['none supported', [], 'v1', 'offered: v1; supported: none'],
    ['another case', ['chat'], 'CHAT', 'offered: CHAT; supported: chat'],
    ['a name that contains a supported one', ['v1'], 'v1.1', 'offered: v1.1; supported: v1'],
    ['a token of the client', ['v1'], 'token, s3cret', 'offered: token, s3cret; supported: v1'],
  ];
  for (const [title, subprotocols, offer, lists] of strangers) {
    it(`refused before authenticate: ${title}`, async () => {
      premises = await Premises.start({ subprotocols, authenticate: () => assert.fail('asked') });
      const headers = { 'Sec-WebSocket-Protocol': offer };
      const answer = await premises.refused({ headers });
      assert.deepEqual([answer.status, answer.body.includes(lists)], [400, true], answer.body);
      const failure = await premises.service.failedAs({
        ...{ cause: 'wrong-subprotocol', phase: 'admission', httpStatus: 400 },
        ...{ retry: 'backoff', level: 'warn' },
      });
      // Clients put credentials there, so they must not appear in a log.
      assert.equal(JSON.stringify([failure, premises.service.logLines()]).includes(offer), false);
      await premises.vacant();
    });
  }

  it('open without one where the application allows it', async () => {
    premises = await Premises.start({ subprotocols: ['v2'], unmatchedSubprotocols: 'open' });
    const peer = await premises.open({ headers: { 'Sec-WebSocket-Protocol': 'v1' } });
    assert.doesNotMatch(peer.answer, /sec-websocket-protocol/i);
    assert.equal((await premises.service.opened()).subprotocol, '');
  });

  it('a client that offers only the beat is admitted by any server', async () => {
    premises = await Premises.start({ subprotocols: ['v2'] });
    const peer = await premises.open({ headers: { 'Sec-WebSocket-Protocol': 'mooring.v1' } });
    assert.match(peer.answer, /^sec-websocket-protocol: mooring\.v1\r$/im);
  });

  it('a client of ours that speaks another version gets the reason, and waits', async () => {
    premises = await Premises.start({ subprotocols: ['chat.v2'] });
    const client = createClient(premises.service.url, { mooring: true, subprotocols: ['chat.v1'] });
    await until(() => client.status.ending !== undefined, 'it is refused');
    const { ending } = client.status;
    assert.equal(ending?.outcome === 'failed' && ending.failure.httpStatus, 400);
    await premises.service.failedAs({ cause: 'wrong-subprotocol', level: 'warn' });
    await client.close();
  });

  it('a header that is not a list of tokens is refused with 400', async () => {
    premises = await Premises.start({ subprotocols: ['v1'] });
    for (const offer of ['v1;', '"v1"', 'v1 v2', ',', 'v1, v1']) {
      const answer = await premises.refused({ headers: { 'Sec-WebSocket-Protocol': offer } });
      assert.equal(answer.status, 400, offer);
    }
  });

  it('the case of upgrade tokens does not matter, nor do further connection options', async () => {
    premises = await Premises.start();
    const headers = { Upgrade: 'WebSocket', Connection: 'keep-alive, uPgRaDe' };
    const peer = await premises.ask({ headers });
    await until(() => peer.status !== 0, 'it is answered');
    assert.equal(peer.status, 101);
  });

  it('a refused client gets no subprotocol', async () => {
    premises = await Premises.start({ subprotocols: ['v1'] });
    const headers = { 'Sec-WebSocket-Protocol': 'v1', Origin: 'null' };
    const answer = await answerOf(await premises.ask({ headers }));
    assert.equal(answer.status, 403);
    assert.equal(answer.headers.has('sec-websocket-protocol'), false);
  });
});
