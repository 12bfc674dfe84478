// Goal: requests and receipts keep their promises where they meet a pause, a full outbox, an early end or a silent peer. Method:
// real clients and services, and raw peers that stop reading, never greet, or give up early.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type Client, createClient, type DialedConnection } from '../../src/client/index.ts';
import type { Connection, RequestContext } from '../../src/index.ts';
import { RawHost } from '../support/raw-host.ts';
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

/** A server that agrees to the subprotocol and sends what the test says. */
async function silentHost(): Promise<{ readonly url: string; readonly hosts: RawHost[] }> {
  const hosts: RawHost[] = [];
  const { port } = await stops.rogue((visit) => {
    const host = new RawHost(visit);
    visit.asked(() => {
      host.accept('Sec-WebSocket-Protocol: mooring.v1');
      hosts.push(host);
    });
  });
  return { url: `ws://127.0.0.1:${port}/`, hosts };
}

describe('a handler that awaits a receipt of its own connection', () => {
  it('gets it in onOpen of a server, before messages are delivered', async () => {
    const log: unknown[] = [];
    const service = await serve({
      onOpen: async (connection) => {
        log.push(await connection.send('hello', { receipt: true }));
        await turns(5);
      },
      onMessage: (_, message) => void log.push(message),
    });
    const client = dial(service, { onOpen: (connection) => void connection.send('early') });
    client.send('late');
    await until(() => log.length === 3, 'all has arrived');
    assert.deepEqual(log, ['received', 'early', 'late']);
  });

  it('gets it with inFlightMax 1, from onMessage and onRequest', async () => {
    const log: unknown[] = [];
    const confirm = async (connection: unknown, message: unknown) => {
      const receipt = await (connection as Connection).send('noted', { receipt: true });
      log.push([message, receipt]);
      return receipt;
    };
    const service = await serve({
      limits: { inFlightMax: 1 },
      onMessage: confirm,
      onRequest: confirm,
    });
    const client = dial(service);
    const answers = Promise.all([client.request(1), client.request(2)]);
    client.send(3);
    assert.deepEqual(await answers, ['received', 'received']);
    await until(() => log.length === 3, 'all are handled');
    assert.deepEqual(
      log,
      [1, 2, 3].map((each) => [each, 'received']),
    );
  });
});

describe('a receipt that is awaited', () => {
  it('keeps a client on demand connected', async () => {
    const service = await serve();
    const client = dial(service, { dial: 'on-demand', idleMs: 20 });
    const ready = await client.send('first', { receipt: true });
    assert.equal(ready, 'received');
    await until(() => client.status.state === 'idle', 'the client has hung up');
    client.open();
    await connected(client);
    const accepted = service.of('connection.opened').at(-1)?.connection;
    accepted?.pause();
    const receipt = client.send('second', { receipt: true });
    await new Promise((resolve) => setTimeout(resolve, 250));
    accepted?.resume();
    assert.equal(await receipt, 'received');
  });

  it('comes for a message that is a heartbeat to the client', async () => {
    const service = await serve();
    const client = dial(service, { heartbeat: { expects: (payload) => payload === '"tick"' } });
    await connected(client);
    const accepted = await service.opened();
    assert.equal(await accepted.send('tick', { receipt: true }), 'received');
  });
});

describe('bytes that wait', () => {
  const bytesCodec = {
    name: 'bytes',
    encode: (message: unknown) => message as Uint8Array,
    decode: (payload: Uint8Array) => Buffer.from(payload).toString(),
  };

  it('are not those that the application writes over them later', async () => {
    const heard: unknown[] = [];
    const service = await serve({
      codec: bytesCodec,
      onMessage: (_, message) => void heard.push(message),
    });
    const receipts: unknown[] = [];
    const sendAndOverwrite = (side: Client | DialedConnection) => {
      const shared = Buffer.from('early');
      receipts.push(side.send(shared, { receipt: true }));
      shared.fill('x');
    };
    const client = dial(service, { codec: bytesCodec, onOpen: sendAndOverwrite });
    sendAndOverwrite(client);
    await until(() => receipts.length === 2, 'it is open');
    assert.deepEqual(await Promise.all(receipts), ['received', 'received']);
    assert.deepEqual(heard, ['early', 'early']);
  });

  it('nor are those of an answer', async () => {
    const shared = Buffer.alloc(200_000, 'a');
    const service = await serve({
      codec: bytesCodec,
      limits: { outboxHighBytes: 1_000, outboxLowBytes: 500 },
      onRequest: () => shared,
    });
    const peer = await rawPeer(service);
    peer.socket.pause();
    for (let index = 0; index < 50; index += 1) {
      peer.text(heading('ask', `a${index}`));
      peer.text('x');
    }
    await service.when('connection.congested');
    await turns(20);
    shared.fill('b');
    peer.socket.resume();
    await until(() => headingsOf(peer.texts).length === 50, 'all are answered');
    const last = peer.frames.filter(({ opcode }) => opcode === 2).at(-1);
    assert.equal(last?.payload.toString().slice(0, 3), 'aaa');
  });
});

describe('a request in onOpen', () => {
  it('of a server counts what each message that is held back costs besides its bytes', async () => {
    const heard: unknown[] = [];
    const codes: unknown[] = [];
    const service = await serve({
      limits: { inFlightBytesMax: 5_000 },
      onOpen: async (connection) => {
        codes.push((await rejection(connection.request(1, { timeoutMs: 300 }))).code);
      },
      onMessage: (_, message) => void heard.push(message),
    });
    const peer = await rawPeer(service);
    await until(() => headingsOf(peer.texts).length > 0, 'it is asked');
    const [[, id]] = headingsOf(peer.texts) as [[string, string]];
    for (let index = 0; index < 40; index += 1) peer.json(index);
    peer.text(heading('re', id));
    peer.json('behind 40 small messages');
    await until(() => heard.length === 40, 'all are delivered');
    assert.deepEqual(codes, ['request-timeout']);
  });
});

describe('a request that is given up', () => {
  it('stops the peer as soon as the outbox accepts messages again', async () => {
    const contexts: RequestContext[] = [];
    const service = await serve({ limits: { outboxHighBytes: 1_000, outboxLowBytes: 500 } });
    const client = dial(service, {
      onRequest: (_, _request, context) => {
        contexts.push(context);
        return never;
      },
    });
    const dialed = await connected(client);
    const accepted = await service.opened();
    const controller = new AbortController();
    const asked = accepted.request('x', { signal: controller.signal });
    await until(() => contexts.length === 1, 'the handler is at work');
    dialed.pause();
    while (accepted.flow === 'flowing') accepted.send('x'.repeat(100_000));
    controller.abort(new Error('enough'));
    await assert.rejects(asked, /enough/);
    dialed.resume();
    await until(() => contexts[0]?.signal.aborted === true, 'the signal has aborted');
  });

  it('while onOpen of the peer holds it back is not handled', async () => {
    const asked: unknown[] = [];
    const go = latch();
    const service = await serve({
      onOpen: async (connection) => {
        void connection.request('who?', { timeoutMs: 60_000 }).catch(() => {});
        await go.opened;
      },
      onRequest: (_, request) => void asked.push(request),
    });
    const peer = await rawPeer(service);
    for (const id of ['a', 'b']) {
      peer.text(heading('ask', id));
      peer.json(id);
    }
    peer.text(heading('drop', 'a'));
    await turns(20);
    go.open();
    await until(() => headingsOf(peer.texts).some(([word]) => word === 're'), 'b is answered');
    assert.deepEqual(asked, ['b']);
  });
});

describe('many requests that one signal gives up in a full queue', () => {
  it('leave it at once, and the messages between them stay', async () => {
    const client = createClient('ws://127.0.0.1:9/', quick);
    stops.add(() => client.close());
    const controller = new AbortController();
    const { signal } = controller;
    const given: Promise<unknown>[] = [];
    for (let index = 0; index < 9_000; index += 1) {
      client.send(index);
      if (index % 9 === 0) given.push(client.request(index, { signal, timeoutMs: 60_000 }));
    }
    assert.equal(client.queuedMessages, 10_000);
    const before = process.cpuUsage();
    controller.abort();
    const { user } = process.cpuUsage(before);
    assert.equal(client.queuedMessages, 9_000);
    const results = await Promise.allSettled(given);
    assert.ok(results.every(({ status }) => status === 'rejected'));
    // 20 ms measured, and 3,500 ms with a copy of the queue for each.
    assert.ok(user < 500_000, `${user} µs`);
  });
});

describe('a server that never greets', () => {
  const heartbeat = { intervalMs: 60_000, graceMs: 300 };

  it('delays what is queued once, however many requests and receipts there are', async () => {
    const { url, hosts } = await silentHost();
    const client = createClient(url, { ...quick, heartbeat });
    stops.add(() => client.close());
    const failed = [1, 2, 3, 4, 5].flatMap((each) => [
      rejection(client.request(each)),
      rejection(client.send(each, { receipt: true })),
    ]);
    client.send('behind');
    const beganAt = Date.now();
    for (const { code } of await Promise.all(failed)) assert.equal(code, 'not-mooring');
    await until(() => hosts[0]?.texts.length === 1, 'the message has left');
    assert.ok(Date.now() - beganAt < 1_200, `${Date.now() - beganAt} ms`);
    assert.equal((await rejection(client.request('more'))).code, 'not-mooring');
    assert.ok(Date.now() - beganAt < 1_200, `${Date.now() - beganAt} ms`);
  });

  it('may greet late on the next connection, which has its own time', async () => {
    const { url, hosts } = await silentHost();
    const client = createClient(url, { ...quick, heartbeat });
    stops.add(() => client.close());
    assert.equal((await rejection(client.request('first'))).code, 'not-mooring');
    hosts[0]?.socket.destroy();
    await until(() => client.connection === undefined, 'the connection has ended');
    const answer = client.request('second');
    await until(() => hosts.length === 2, 'it is back');
    await connected(client);
    await turns(10);
    hosts[1]?.text('\u0005');
    await until(() => headingsOf(hosts[1]?.texts ?? []).length === 1, 'it asks');
    const [[, id]] = headingsOf(hosts[1]?.texts ?? []) as [[string, string]];
    hosts[1]?.text(heading('re', id));
    hosts[1]?.json('late');
    assert.equal(await answer, 'late');
  });

  it('is not told from one that this side does not read', async () => {
    const service = await serve({ onRequest: (_, request) => request });
    const client = dial(service, { heartbeat: { intervalMs: 60_000, graceMs: 50 } });
    client.pause();
    await connected(client);
    const ended = rejection(client.request('paused', { timeoutMs: 300 }));
    assert.equal((await ended).code, 'request-timeout');
    client.resume();
    assert.equal(await client.request('resumed'), 'resumed');
  });
});
