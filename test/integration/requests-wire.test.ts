// Goal: requests and receipts are what docs/protocol.md says, whatever a peer sends, and plain peers see nothing of them. Method:
// raw peers that speak the headings themselves.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { z } from 'zod';
import {
  createClient,
  type DialedConnection,
  type NodeClientOptions,
} from '../../src/client/index.ts';
import type { SupervisorOptions } from '../../src/index.ts';
import { opcode } from '../support/frames.ts';
import { RawHost } from '../support/raw-host.ts';
import { RawPeer } from '../support/raw-peer.ts';
import {
  connected,
  heading,
  headingsOf,
  never,
  quick,
  rejection,
  requesting,
} from '../support/requesting.ts';
import { stopsAndWatch } from '../support/stops.ts';
import { turns, until } from '../support/until.ts';

const stops = stopsAndWatch();
const { serve, dial, rawPeer } = requesting(stops);

describe('a receipt', () => {
  it('comes when the peer has the message, before its handler has settled, in both directions', async () => {
    const heard: unknown[] = [];
    const hold = (_: unknown, message: unknown) => {
      heard.push(message);
      return never;
    };
    const service = await serve({ onMessage: hold });
    const client = dial(service, { onMessage: hold });
    assert.equal(await client.send('queued', { receipt: true }), 'received');
    const dialed = await connected(client);
    assert.equal(await dialed.send('dialed', { receipt: true }), 'received');
    const accepted = await service.opened();
    assert.equal(await accepted.send('accepted', { receipt: true }), 'received');
    await until(() => heard.length === 3, 'all have arrived');
    assert.deepEqual(heard, ['queued', 'dialed', 'accepted']);
    assert.equal(typeof dialed.send('plain', { receipt: false }), 'string');
  });

  it('is lost with its connection, and the client does not send the message again', async () => {
    const heard: unknown[] = [];
    const service = await serve({ onMessage: (_, message) => void heard.push(message) });
    const client = dial(service);
    await connected(client);
    const accepted = await service.opened();
    accepted.pause();
    const receipt = client.send('unread', { receipt: true });
    await until(() => client.queuedMessages === 0, 'it has left the queue');
    accepted.terminate();
    assert.equal(await receipt, 'lost');
    assert.equal(await client.send('next', { receipt: true }), 'received');
    assert.deepEqual(heard, ['next']);
  });

  it('rejects for a wrong message or option, and is refused where send is', async () => {
    const service = await serve({ sends: z.number() } as SupervisorOptions<
      unknown,
      unknown,
      never
    > as never);
    const client = dial(service, { sends: z.number() } as NodeClientOptions<
      unknown,
      never
    > as never);
    await connected(client);
    const accepted = await service.opened();
    for (const side of [client, client.connection as DialedConnection, accepted]) {
      const wrong = side.send('text', { receipt: true });
      assert.equal((await rejection(wrong)).code, 'invalid-message');
      assert.throws(() => side.send(1, { reciept: true } as never), { code: 'invalid-options' });
    }
    accepted.terminate();
    assert.equal(await accepted.send(1, { receipt: true }), 'refused');
  });
});

describe('a peer that is not Mooring', () => {
  it('is reported at once, and gets no byte more', async () => {
    const service = await serve({ onRequest: () => 1 });
    const client = dial(service, { mooring: false });
    const dialed = await connected(client);
    const accepted = await service.opened();
    for (const side of [client, dialed, accepted]) {
      assert.equal((await rejection(side.request(1))).code, 'not-mooring');
      const confirmed = side.send(1, { receipt: true });
      assert.equal((await rejection(confirmed)).code, 'not-mooring');
    }
    assert.equal(client.queuedMessages, 0);
    const peer = await RawPeer.open(service.port);
    stops.add(() => peer.destroy());
    const plain = service.of('connection.opened').at(-1)?.connection;
    void plain?.request(1).catch(() => {});
    plain?.send('only this');
    await until(() => peer.frames.length > 0, 'the message is there');
    assert.deepEqual(peer.texts, ['"only this"']);
    // To such a peer, a heading is a message like any other.
    peer.text(heading('ask', 'a1'));
    assert.equal((await service.when('message.invalid')).fault.closeCode, 1007);
    assert.deepEqual(service.messages, []);
  });

  it('may echo the subprotocol: a server that never greets gets nothing, and blocks nothing for long', async () => {
    const hosts: RawHost[] = [];
    const server = await stops.rogue((visit) => {
      const host = new RawHost(visit);
      visit.asked(() => {
        host.accept('Sec-WebSocket-Protocol: mooring.v1');
        hosts.push(host);
      });
    });
    const client = createClient(`ws://127.0.0.1:${server.port}/`, {
      ...quick,
      heartbeat: { intervalMs: 60_000, graceMs: 50 },
    });
    stops.add(() => client.close());
    const asked = rejection(client.request(1));
    client.send('behind');
    const dialed = await connected(client);
    const own = await rejection(dialed.request(2, { timeoutMs: 20 }));
    assert.equal(own.code, 'request-timeout');
    assert.equal((await asked).code, 'not-mooring');
    await until(() => hosts[0]?.texts.length === 1, 'the message behind it has left');
    assert.deepEqual(hosts[0]?.texts, ['"behind"']);
  });
});

describe('a peer that speaks the headings by the protocol alone', () => {
  it('asks, is answered, asked, refuses and confirms', async () => {
    const service = await serve({ onRequest: (_, request) => ({ echo: request }) });
    const peer = await rawPeer(service);
    peer.text(heading('ask', 'my-1'));
    peer.json({ q: 1 });
    await until(() => peer.texts.length === 3, 'the answer is there');
    assert.deepEqual(peer.texts.slice(1), [heading('re', 'my-1'), '{"echo":{"q":1}}']);
    const connection = await service.opened();
    const answer = connection.request('hello');
    const refused = rejection(connection.request('again'));
    const confirmed = connection.send('take this', { receipt: true });
    await until(() => peer.texts.length === 9, 'all have arrived');
    const [one, two, three] = headingsOf(peer.texts.slice(3)) as [string, string][];
    assert.deepEqual(
      [peer.texts[4], peer.texts[6], peer.texts[8]],
      ['"hello"', '"again"', '"take this"'],
    );
    assert.deepEqual([one?.[0], two?.[0], three], ['ask', 'ask', ['receipt', 1]]);
    peer.text(heading('got', 1));
    peer.text(heading('no', two?.[1], 'busy', 'come back later'));
    peer.text(heading('re', one?.[1]));
    peer.json('hello yourself');
    assert.equal(await answer, 'hello yourself');
    assert.deepEqual((await refused).refusal, { code: 'busy', text: 'come back later' });
    assert.equal(await confirmed, 'received');
  });

  it('may send a binary request, and an empty answer', async () => {
    const service = await serve({ onRequest: () => undefined });
    const peer = await rawPeer(service);
    peer.text(heading('ask', 'b'));
    peer.send({ opcode: opcode.binary, payload: Buffer.from('1') });
    await service.when('message.invalid');
    peer.text(heading('ask', 'c'));
    peer.json(1);
    await until(() => peer.texts.at(-1) === 'null', 'nothing is said');
    assert.deepEqual(
      headingsOf(peer.texts).map(([word, id]) => [word, id]),
      [
        ['no', 'b'],
        ['re', 'c'],
      ],
    );
  });

  it('may do anything with headings: the last before a message counts, unknown ids are ignored', async () => {
    const asked: [unknown, string][] = [];
    const service = await serve({
      onRequest: (_, request, { id }) => void asked.push([request, id]),
    });
    const peer = await rawPeer(service);
    const odd = [['ask'], ['ask', ''], ['ask', 'x'.repeat(65)], ['ask', 'a b'], ['ask', 1]];
    for (const values of [...odd, ['re', 'nobody'], ['no', 'nobody', 'c', ''], ['no'], ['got', 9]])
      peer.text(heading(...values));
    peer.text(heading('ask', 'first'));
    peer.text(heading('ask', 'last'));
    peer.json(1);
    peer.text(heading('re', 'nobody'));
    peer.json('swallowed');
    peer.text(heading('ask', 'wrong id '));
    peer.json('plain');
    peer.text(heading('receipt', 1.5));
    peer.json('unconfirmed');
    await until(() => service.messages.length === 2, 'the plain messages are there');
    await until(() => headingsOf(peer.texts).length > 0, 'the request is answered');
    assert.deepEqual(asked, [[1, 'last']]);
    assert.deepEqual(service.messages, ['plain', 'unconfirmed']);
    assert.deepEqual(headingsOf(peer.texts), [['re', 'last']]);
  });

  it('may use an id twice: the application is asked twice, and both are answered', async () => {
    let count = 0;
    const service = await serve({ onRequest: async () => (count += 1) });
    const peer = await rawPeer(service);
    for (let index = 0; index < 2; index += 1) {
      peer.text(heading('ask', 'same'));
      peer.json('x');
    }
    await until(() => peer.texts.includes('2'), 'both are answered');
    assert.deepEqual(headingsOf(peer.texts), [
      ['re', 'same'],
      ['re', 'same'],
    ]);
  });

  it('gets every answer, even those that had to wait for a full outbox', async () => {
    const service = await serve({
      limits: { outboxHighBytes: 1_000, outboxLowBytes: 500 },
      onRequest: () => 'x'.repeat(300_000),
    });
    const peer = await rawPeer(service);
    peer.socket.pause();
    for (let index = 0; index < 30; index += 1) {
      peer.text(heading('ask', `a${index}`));
      peer.json('x');
    }
    await service.when('connection.congested');
    await turns(20);
    peer.socket.resume();
    await until(() => headingsOf(peer.texts).length === 30, 'all are answered');
    assert.deepEqual(
      headingsOf(peer.texts),
      Array.from({ length: 30 }, (_, index) => ['re', `a${index}`]),
    );
  });
});
