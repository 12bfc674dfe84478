// Goal: requests neither lock handlers up nor let a peer use more than the limits allow. Method: handlers that ask back, floods
// and pauses on real sockets.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Connection, RequestContext } from '../../src/index.ts';
import {
  connected,
  heading,
  headingsOf,
  latch,
  never,
  rejection,
  requesting,
} from '../support/requesting.ts';
import { stopsAndWatch } from '../support/stops.ts';
import { turns, until } from '../support/until.ts';

const stops = stopsAndWatch();
const { serve, dial, rawPeer } = requesting(stops);

describe('handlers in flight', () => {
  const strict = { limits: { inFlightMax: 1 } };

  it('include onRequest: with inFlightMax 1, messages and requests come one after another', async () => {
    const log: unknown[] = [];
    const gates: (() => void)[] = [];
    const work = async (_: unknown, message: unknown) => {
      log.push(message);
      await new Promise<void>((resolve) => gates.push(resolve));
      return message;
    };
    const service = await serve({ ...strict, onMessage: work, onRequest: work });
    const client = dial(service);
    const first = client.request(1);
    client.send(2);
    const third = client.request(3);
    for (const expected of [[1], [1, 2], [1, 2, 3]]) {
      await until(() => log.length === expected.length, `${expected} are at work`);
      await turns(5);
      assert.deepEqual(log, expected);
      gates.at(-1)?.();
    }
    assert.deepEqual(await Promise.all([first, third]), [1, 3]);
  });

  it('do not include one that awaits a request of its own connection, from any handler', async () => {
    const askBack = async (connection: unknown, message: unknown) =>
      (connection as Connection).request(['back', message]);
    const answered: unknown[] = [];
    const service = await serve({
      ...strict,
      limits: { inFlightMax: 1, inFlightBytesMax: 1 },
      onMessage: async (connection, message) =>
        void answered.push(await askBack(connection, message)),
      onRequest: askBack,
    });
    const client = dial(service, { ...strict, onRequest: (_, request) => request });
    assert.deepEqual(await client.request(1), ['back', 1]);
    client.send(2);
    // The answers come behind further requests, whose handlers wait as well.
    const more = [3, 4, 5].map((each) => client.request(each));
    assert.deepEqual(
      await Promise.all(more),
      [3, 4, 5].map((each) => ['back', each]),
    );
    await until(() => answered.length === 1, 'onMessage has its answer');
    assert.deepEqual([...answered], [['back', 2]]);
    // And the same for a client whose onMessage asks.
    const asking = dial(service, {
      ...strict,
      onRequest: (_, request) => request,
      onMessage: async (connection) => void answered.push(await connection.request('client')),
    });
    await connected(asking);
    service.supervisor.broadcast('go');
    await until(() => answered.length === 2, 'onMessage of the client has its answer');
    assert.deepEqual(answered[1], ['back', 'client']);
  });

  it('stay bounded: a flood of requests is read only as far as handlers may wait', async () => {
    let working = 0;
    const service = await serve({
      limits: { inFlightMax: 2, requestsMax: 3 },
      onRequest: async (connection) => {
        working += 1;
        return (connection as Connection).request('back').catch(() => never);
      },
    });
    const peer = await rawPeer(service);
    for (let index = 0; index < 50; index += 1) {
      peer.text(heading('ask', `a${index}`));
      peer.json('x');
    }
    await until(() => working === 5, 'as many work as may');
    const connection = await service.opened();
    await until(() => connection.states.includes('open.intake.paused'), 'reading has paused');
    await turns(10);
    assert.equal(working, 5);
    assert.equal(headingsOf(peer.texts).filter(([word]) => word === 'ask').length, 3);
  });
});

describe('a request in onOpen', () => {
  it('of a server is answered before any message is delivered, and none is lost', async () => {
    const log: unknown[] = [];
    const go = latch();
    const service = await serve({
      onOpen: async (connection) => {
        // Reading has paused by now.
        await turns(3);
        const answer = connection.request('who are you?');
        connection.pause();
        connection.resume();
        log.push(['answer', await answer]);
        await go.opened;
        log.push('welcomed');
      },
      onMessage: (_, message) => void log.push(message),
      onRequest: (_, request) => void log.push(request),
    });
    const client = dial(service, {
      onRequest: () => 'me',
      onOpen: (connection) => {
        connection.send('early');
        connection.send('early, too');
      },
    });
    const asked = client.request('asked');
    client.send('late');
    await until(() => log.length > 0, 'the answer is there');
    await turns(20);
    assert.deepEqual(log, [['answer', 'me']]);
    go.open();
    await asked;
    await until(() => log.length === 6, 'all are delivered');
    assert.deepEqual(log.slice(1), ['welcomed', 'early', 'early, too', 'asked', 'late']);
  });

  it('of a server reads no more than limits.inFlightBytesMax ahead, and delivers all afterwards', async () => {
    const heard: unknown[] = [];
    const codes: unknown[] = [];
    const service = await serve({
      limits: { inFlightBytesMax: 1_000 },
      onOpen: async (connection) => {
        codes.push((await rejection(connection.request(1, { timeoutMs: 100 }))).code);
      },
      onMessage: (_, message) => void heard.push(message),
    });
    const peer = await rawPeer(service);
    await until(() => headingsOf(peer.texts).length > 0, 'it is asked');
    const [[, id]] = headingsOf(peer.texts) as [[string, string]];
    for (let index = 0; index < 40; index += 1) peer.json(`${index}`.padEnd(100));
    peer.text(heading('re', id));
    peer.json('behind 4,000 bytes');
    await until(() => heard.length === 40, 'all are delivered');
    assert.deepEqual(codes, ['request-timeout']);
    assert.deepEqual(
      heard.map(Number),
      Array.from({ length: 40 }, (_, index) => index),
    );
  });

  it('of a client is answered before its messages, and requests of the peer wait for onOpen', async () => {
    const log: unknown[] = [];
    const service = await serve({
      onOpen: (connection) => {
        connection.send('early');
        void connection.request('early request').catch(() => {});
      },
      onRequest: (_, request) => request,
    });
    const client = dial(service, {
      onOpen: async (connection) => {
        log.push(await connection.request('sign in'));
        await turns(20);
        log.push('welcomed');
      },
      onMessage: (_, message) => void log.push(message),
      onRequest: (_, request) => void log.push(request),
    });
    await connected(client);
    await until(() => log.length === 4, 'all are delivered');
    assert.deepEqual(log, ['sign in', 'welcomed', 'early', 'early request']);
  });
});

describe('a drain', () => {
  it('does not wait for onRequest, as it does not for onMessage, and aborts its signal', async () => {
    let context: RequestContext | undefined;
    const service = await serve({
      onRequest: (_, _request, given) => {
        context = given;
        given.signal.addEventListener('abort', () => {});
        return never;
      },
    });
    const client = dial(service, { backoff: { minMs: 60_000, maxMs: 60_000 } });
    const asked = client.request(1, { timeoutMs: 60_000 });
    await until(() => context !== undefined, 'the handler is at work');
    const report = await service.supervisor.drain({ withinMs: 5_000 });
    assert.equal(report.unsettled, 0);
    assert.ok(report.tookMs < 4_000);
    assert.equal(context?.signal.aborted, true);
    const ended = rejection(asked);
    await client.close();
    assert.equal((await ended).code, 'request-lost');
  });
});

describe('the number of requests and receipts', () => {
  it('is bounded on each side; further ones fail at once', async () => {
    const limits = { requestsMax: 2 };
    const onRequest = () => never;
    const service = await serve({ limits, onRequest });
    const client = dial(service, { limits, onRequest });
    const dialed = await connected(client);
    const accepted = await service.opened();
    for (const side of [client, dialed, accepted]) {
      const controller = new AbortController();
      const { signal } = controller;
      const pending = [side.request(1, { signal }), side.request(2, { signal })];
      const { code, message } = await rejection(side.request(3));
      assert.equal(code, 'too-many-requests');
      assert.match(message ?? '', /^2 requests and receipts .* \(limits\.requestsMax\)$/);
      if (side !== client) assert.equal(await side.send('x', { receipt: true }), 'refused');
      controller.abort(new Error('enough'));
      for (const each of pending) await assert.rejects(each, /enough/);
      const { code: next } = await rejection(side.request(4, { timeoutMs: 1 }));
      assert.equal(next, 'request-timeout');
    }
  });

  it('is bounded for receipts that a peer never gives', async () => {
    const service = await serve({ limits: { requestsMax: 2 } });
    const peer = await rawPeer(service);
    const connection = await service.opened();
    const awaited = [1, 2, 3].map((each) => connection.send(each, { receipt: true }));
    assert.equal(await awaited[2], 'refused');
    peer.destroy();
    assert.deepEqual(await Promise.all(awaited), ['lost', 'lost', 'refused']);
  });
});
