// Goal: a request is answered, refused or given up, in both directions, over breaks, and as the contracts say. Method: the
// client in Node.js and a page's client over undici's WebSocket, against real supervisors.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { firstValueFrom } from 'rxjs';
import { WebSocket as UndiciWebSocket } from 'undici';
import { z } from 'zod';
import { createClient as createPageClient } from '../../src/client/browser.ts';
import {
  createClient,
  createPool,
  type NodeClientOptions,
  RequestRefusal,
} from '../../src/client/index.ts';
import type { Connection, RequestContext } from '../../src/index.ts';
import {
  connected,
  heading,
  headingsOf,
  latch,
  never,
  quick,
  rejection,
  requesting,
} from '../support/requesting.ts';
import { stopsAndWatch } from '../support/stops.ts';
import { turns, until } from '../support/until.ts';

const stops = stopsAndWatch();
const { serve, dial, rawPeer } = requesting(stops);

describe('a request', () => {
  it('is answered, sync and async, in both directions, on clients and connections', async () => {
    const answer = (by: string) => (_: unknown, request: unknown) =>
      request === 'soon' ? Promise.resolve([by, request]) : [by, request];
    const service = await serve({ onRequest: answer('server') });
    const client = dial(service, { onRequest: answer('client') });
    assert.deepEqual(await client.request('now'), ['server', 'now']);
    assert.deepEqual(await client.request('soon'), ['server', 'soon']);
    const dialed = await connected(client);
    assert.deepEqual(await dialed.request({ a: 1 }), ['server', { a: 1 }]);
    const accepted = await service.opened();
    assert.deepEqual(await accepted.request('now'), ['client', 'now']);
    assert.deepEqual(await accepted.request('soon'), ['client', 'soon']);
    assert.deepEqual(service.messages, []);
  });

  it('may overtake another, and each gets its own answer', async () => {
    const slow = latch<string>();
    const service = await serve({
      onRequest: (_, request) => (request === 'slow' ? slow.opened : `answer to ${request}`),
    });
    const client = dial(service);
    const first = client.request('slow');
    assert.equal(await client.request('quick'), 'answer to quick');
    slow.open('at last');
    assert.equal(await first, 'at last');
  });

  it('has an id of 1 to 64 visible characters that differs from request to request', async () => {
    const ids: string[] = [];
    const service = await serve({ onRequest: (_, _request, { id }) => void ids.push(id) });
    const one = dial(service);
    const other = dial(service);
    await Promise.all([one.request(1), one.request(2), other.request(3)]);
    assert.equal(new Set(ids).size, 3);
    for (const id of ids) assert.match(id, /^[!-~]{1,64}$/);
  });

  it('is answered through a pool, and by a page', async () => {
    const service = await serve({ onRequest: (_, request) => request });
    const pool = createPool([service.url], { ...quick, size: 1 });
    stops.add(() => pool.drain());
    await until(() => pool.status.open === 1, 'the pool has connected');
    assert.equal(await pool.checkout()?.request('pooled'), 'pooled');
    const native = globalThis.WebSocket;
    Object.assign(globalThis, { WebSocket: UndiciWebSocket });
    const page = createPageClient(service.url, {
      mooring: true,
      onRequest: (_, request) => `page: ${request}`,
    });
    stops.add(async () => {
      await page.close();
      Object.assign(globalThis, { WebSocket: native });
    });
    assert.equal(await page.request('from a page'), 'from a page');
    const accepted = service.of('connection.opened').at(-1)?.connection;
    assert.equal(await accepted?.request('to a page'), 'page: to a page');
    assert.equal(await page.send('noted', { receipt: true }), 'received');
  });

  it('and its answer are never taken for a heartbeat', async () => {
    const service = await serve({ onRequest: () => 'pong' });
    const asked: unknown[] = [];
    const client = dial(service, {
      heartbeat: { expects: (payload) => payload === '"pong"' },
      onRequest: (_, request) => void asked.push(request),
    });
    assert.equal(await client.request('ping'), 'pong');
    const accepted = await service.opened();
    accepted.send('pong');
    await accepted.request('pong');
    assert.deepEqual(asked, ['pong']);
  });

  it('dials an idle client, which stays connected until the answer', async () => {
    const slow = latch<string>();
    const service = await serve({ onRequest: () => slow.opened });
    const client = dial(service, { dial: 'on-demand', idleMs: 20 });
    assert.equal(client.status.state, 'idle');
    const answer = client.request('wake up');
    await connected(client);
    // Many times the idle time.
    await new Promise((resolve) => setTimeout(resolve, 250));
    slow.open('good morning');
    assert.equal(await answer, 'good morning');
    assert.equal(service.of('connection.opened').length, 1);
    assert.deepEqual(service.of('connection.closed'), []);
  });

  it('waits its turn in the queue of the client', async () => {
    const heard: unknown[] = [];
    const service = await serve({
      onMessage: (_, message) => void heard.push(message),
      onRequest: (_, request) => void heard.push(request),
    });
    const client = dial(service);
    client.send('first');
    const answer = client.request('second');
    client.send('third');
    assert.equal(client.queuedMessages, 3);
    await answer;
    await until(() => heard.length === 3, 'all have arrived');
    assert.deepEqual(heard, ['first', 'second', 'third']);
  });
});

describe('a deadline', () => {
  it('rejects the request and aborts the signal of the handler', async () => {
    let context: RequestContext | undefined;
    const service = await serve({
      onRequest: (_, _request, given) => {
        context = given;
        return never;
      },
    });
    const client = dial(service);
    await connected(client);
    const { code, message } = await rejection(client.request('slow', { timeoutMs: 30 }));
    assert.deepEqual([code, message], ['request-timeout', 'no answer came within 30 ms']);
    await until(() => context?.signal.aborted === true, 'the signal has aborted');
  });

  it('also covers the time without a connection, and leaves nothing in the queue', async () => {
    const client = createClient('ws://127.0.0.1:9/', { ...quick, timeouts: { requestMs: 40 } });
    stops.add(() => client.close());
    assert.equal((await rejection(client.request('nobody'))).code, 'request-timeout');
    assert.equal(client.queuedMessages, 0);
  });

  it('ends a request under an explicit pause, and the next one is answered after it', async () => {
    const service = await serve({ onRequest: (_, request) => request });
    const client = dial(service);
    const connection = await connected(client);
    connection.pause();
    const { code } = await rejection(connection.request('paused', { timeoutMs: 30 }));
    assert.equal(code, 'request-timeout');
    connection.resume();
    assert.equal(await connection.request('resumed'), 'resumed');
  });
});

describe('a signal', () => {
  it('rejects with its reason, in the queue and while the peer works, and stops the peer', async () => {
    const contexts: RequestContext[] = [];
    const hold = (_: unknown, request: unknown, context: RequestContext) => {
      if (request !== 'hold') return request;
      contexts.push(context);
      return never;
    };
    const service = await serve({ onRequest: hold });
    const client = dial(service, { onRequest: hold });
    const reason = new Error('changed my mind');
    const queued = new AbortController();
    const inQueue = client.request('hold', { signal: queued.signal });
    queued.abort(reason);
    await assert.rejects(inQueue, (error) => error === reason);
    assert.equal(client.queuedMessages, 0);
    await connected(client);
    const accepted = await service.opened();
    for (const side of [client, accepted]) {
      const before = contexts.length;
      const controller = new AbortController();
      const asked = side.request('hold', { signal: controller.signal });
      await until(() => contexts.length > before, 'the handler is at work');
      controller.abort(reason);
      await assert.rejects(asked, (error) => error === reason);
      await until(() => contexts.at(-1)?.signal.aborted === true, 'the handler has stopped');
    }
    await assert.rejects(
      client.request('x', { signal: AbortSignal.abort(reason) }),
      (error) => error === reason,
    );
    assert.equal(await client.request('fine'), 'fine');
  });

  it('is not needed: the reply to a request that was given up is dropped', async () => {
    const slow = latch<string>();
    const service = await serve({ onRequest: () => slow.opened });
    const peer = await rawPeer(service);
    peer.text(heading('ask', 'a1'));
    peer.json('hold');
    await turns(3);
    peer.text(heading('drop', 'a1'));
    peer.text(heading('receipt', 7));
    peer.json('after it');
    await until(() => headingsOf(peer.texts).length > 0, 'the drop has arrived');
    slow.open('too late');
    await turns(5);
    assert.deepEqual(headingsOf(peer.texts), [['got', 7]]);
  });
});

describe('a refusal', () => {
  const refuse = (how: 'throw' | 'return' | 'reject', code = 'no-such-room', text = 'no room') => {
    if (how === 'throw') throw new RequestRefusal(code, text);
    const refusal = new RequestRefusal(code, text);
    return how === 'return' ? refusal : Promise.reject(refusal);
  };

  it('reaches the peer with code and text, thrown, returned or rejected, in both directions', async () => {
    const onRequest = (_: unknown, how: unknown) => refuse(how as 'throw');
    const service = await serve({ onRequest });
    const client = dial(service, { onRequest });
    await connected(client);
    const accepted = await service.opened();
    for (const side of [client, accepted]) {
      for (const how of ['throw', 'return', 'reject']) {
        const { code, refusal, message } = await rejection(side.request(how));
        assert.equal(code, 'request-refused');
        assert.deepEqual(refusal, { code: 'no-such-room', text: 'no room' });
        assert.equal(message, 'the peer refused the request: no-such-room: no room');
      }
    }
    assert.deepEqual(service.of('handler.errored'), []);
  });

  it('has a bounded text, which is escaped in the message of the error', async () => {
    const service = await serve({
      onRequest: () => refuse('throw', 'c', `\u001b[2J${'x'.repeat(500)}`),
    });
    const { refusal, message = '' } = await rejection(dial(service).request(1));
    assert.equal(refusal?.text.length, 200);
    assert.ok(message.includes('\\u001b[2Jxx'));
  });

  it('is internal when a handler fails: reported, without its text, and the connection stays', async () => {
    const errors: string[] = [];
    const onRequest = (_: unknown, how: unknown) => {
      if (how === 'throw') throw new Error('the password is 1234');
      return how === 'reject' ? Promise.reject(new Error('the password is 1234')) : how;
    };
    const service = await serve({
      onRequest,
      onHandlerError: (error, handler) => void errors.push(`${handler}: ${error.message}`),
    });
    const client = dial(service, { onRequest });
    const events: unknown[] = [];
    client.events$.subscribe((event) =>
      events.push(event.type === 'handler.errored' && event.handler),
    );
    const dialed = await connected(client);
    const accepted = await service.opened();
    for (const side of [client, accepted]) {
      for (const how of ['throw', 'reject']) {
        const { refusal, message } = await rejection(side.request(how));
        assert.deepEqual(refusal, { code: 'internal', text: '' });
        assert.equal(message, 'the peer refused the request: internal');
      }
    }
    assert.deepEqual(errors, Array(2).fill('onRequest: the password is 1234'));
    assert.equal(service.of('handler.errored')[0]?.connection, accepted);
    assert.deepEqual(events, ['onRequest', 'onRequest']);
    assert.equal(await client.request('still here'), 'still here');
    assert.equal(client.connection, dialed);
  });

  it('is unhandled when there is no onRequest', async () => {
    const service = await serve();
    const client = dial(service);
    const refusal = { code: 'unhandled', text: 'this peer has no onRequest' };
    assert.deepEqual((await rejection(client.request(1))).refusal, refusal);
    assert.deepEqual((await rejection((await service.opened()).request(1))).refusal, refusal);
  });
});

describe('the contracts of requests', () => {
  const Question = z.object({ n: z.string().transform(Number) });
  const Reply = z.object({ twice: z.number() });
  const ofServer = { requests: Question, replies: Reply };
  const ofClient = { asks: z.object({ n: z.string() }), answers: Reply };

  it('give handlers and callers the output of their schemas', async () => {
    const service = await stops.service({
      ...ofServer,
      onRequest: (_: unknown, request: unknown) => ({ twice: 2 * (request as { n: number }).n }),
    });
    const client = dial(service, ofClient as NodeClientOptions);
    assert.deepEqual(await client.request({ n: '21' }), { twice: 42 });
  });

  it('refuse a wrong request of this side before it leaves', async () => {
    const service = await serve();
    const client = dial(service, ofClient as NodeClientOptions);
    const { code, message } = await rejection(client.request({ n: 1 }));
    assert.equal(code, 'invalid-message');
    assert.match(message ?? '', /^message\.n: /);
    const badly = client.request({ n: '1' }, { timeoutMs: 0 });
    assert.equal((await rejection(badly)).code, 'invalid-options');
  });

  it('refuse a wrong request of the peer, count it as invalid, and close if that is the policy', async () => {
    const asked: unknown[] = [];
    for (const invalidMessages of ['reply', 'close'] as const) {
      const service = await serve({
        ...ofServer,
        invalidMessages,
        onRequest: (_, request) => void asked.push(request),
      });
      const peer = await rawPeer(service);
      peer.text(heading('ask', 'a1'));
      peer.json({ n: 1 });
      const { fault } = await service.when('message.invalid');
      assert.equal(fault.path, 'n');
      if (invalidMessages === 'close') await service.when('connection.closed');
      await until(() => headingsOf(peer.texts).length > 0, 'it is refused');
      const [[word, id, code, text]] = headingsOf(peer.texts) as [string[]];
      assert.deepEqual([word, id, code], ['no', 'a1', 'invalid-request']);
      assert.match(text ?? '', /^request\.n: /);
      // Only the heading: there is no error message besides it.
      assert.equal(peer.texts.filter((each) => each.startsWith('{')).length, 0);
    }
    assert.deepEqual(asked, []);
  });

  it('reject with the path of an answer that breaks them', async () => {
    const service = await serve({ onRequest: () => ({ twice: 'many' }) });
    const client = dial(service, ofClient as NodeClientOptions);
    const { code, message } = await rejection(client.request({ n: '1' }));
    assert.equal(code, 'invalid-answer');
    assert.match(message ?? '', /^answer\.twice: /);
  });

  it('make a wrong reply an error of the handler', async () => {
    const service = await serve({ ...ofServer, onRequest: () => ({ twice: 'many' }) });
    const { refusal } = await rejection(dial(service).request({ n: '1' }));
    assert.deepEqual(refusal, { code: 'internal', text: '' });
    const { handler, error } = await service.when('handler.errored');
    assert.equal(handler, 'onRequest');
    assert.match(error.message, /^message\.twice: /);
  });
});

describe('a break', () => {
  it('makes the client ask again under the same id, so that a handler can do the work once', async () => {
    const done = new Map<string, number>();
    const seen: string[] = [];
    const service = await serve({
      onRequest: (connection, amount, { id }) => {
        seen.push(id);
        // The work is done, but its first answer never leaves.
        if (!done.has(id)) {
          done.set(id, Number(amount));
          (connection as Connection).terminate();
        }
        return { total: [...done.values()].reduce((sum, each) => sum + each, 0) };
      },
    });
    const client = dial(service);
    assert.deepEqual(await client.request(5), { total: 5 });
    assert.equal(seen.length, 2);
    assert.equal(seen[0], seen[1]);
    assert.equal(service.of('connection.opened').length, 2);
  });

  it('keeps the order: unanswered requests come before what was queued behind them', async () => {
    for (const isConnected of [true, false]) await keepsOrder(isConnected);
  });

  async function keepsOrder(isConnected: boolean): Promise<void> {
    const heard: unknown[] = [];
    let isFirst = true;
    const service = await serve({
      onMessage: (_, message) => void heard.push(message),
      onRequest: (connection, request) => {
        if (isFirst) {
          // Both requests are with the peer when the connection breaks.
          if (request === 'b') {
            isFirst = false;
            (connection as Connection).terminate();
          }
          return never;
        }
        heard.push(request);
        return request;
      },
    });
    const client = dial(service);
    if (isConnected) await connected(client);
    const answers = Promise.all([client.request('a'), client.request('b')]);
    await firstValueFrom(client.endings$);
    client.send('c');
    assert.deepEqual(await answers, ['a', 'b']);
    await until(() => heard.length === 3, 'all have arrived');
    assert.deepEqual(heard, ['a', 'b', 'c']);
  }

  it('ends a request of the connection itself', async () => {
    const service = await serve({ onRequest: () => never });
    const client = dial(service, { onRequest: () => never });
    const dialed = await connected(client);
    const accepted = await service.opened();
    const both = [dialed.request(1), accepted.request(1)].map(rejection);
    await turns(5);
    accepted.terminate();
    for (const { code } of await Promise.all(both)) assert.equal(code, 'request-lost');
    assert.equal((await rejection(accepted.request(1))).code, 'request-lost');
    assert.equal((await rejection(dialed.request(1))).code, 'request-lost');
  });

  it('aborts the signal of a handler, whose reply is dropped and whose error is not reported', async () => {
    let context: RequestContext | undefined;
    const slow = latch<never>();
    const service = await serve({
      onRequest: (_, _request, given) => {
        context = given;
        return slow.opened.then(() => Promise.reject(new Error('aborted')));
      },
    });
    const client = dial(service);
    const asked = rejection(client.request(1));
    await until(() => context !== undefined, 'the handler is at work');
    await client.close();
    assert.equal((await asked).code, 'request-lost');
    await until(() => context?.signal.aborted === true, 'the signal has aborted');
    slow.open(undefined as never);
    await turns(3);
    assert.deepEqual(service.of('handler.errored'), []);
  });

  it('is the end for a client that stops, also in its queue and afterwards', async () => {
    const client = createClient('ws://127.0.0.1:9/', quick);
    const asked = rejection(client.request(1));
    const confirmed = client.send(1, { receipt: true });
    await client.close();
    assert.equal((await asked).code, 'request-lost');
    assert.equal(await confirmed, 'lost');
    assert.equal((await rejection(client.request(1))).code, 'request-lost');
    assert.equal(await client.send(1, { receipt: true }), 'refused');
  });
});
