// Goal: a server distinguishes a frozen page from a live one, a page detects a silent peer, and peers that have not
// negotiated the beat see nothing of it. Method: raw peers, the client in Node.js and the client over undici's
// WebSocket, on real sockets.
import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import { WebSocket as UndiciWebSocket } from 'undici';
import { createClient as createPageClient, type Ending } from '../../src/client/browser.ts';
import { createClient } from '../../src/client/index.ts';
import type { Connection, SupervisorOptions } from '../../src/index.ts';
import { FaultProxy } from '../../src/testing/fault-proxy.ts';
import { opcode } from '../support/frames.ts';
import { RawPeer } from '../support/raw-peer.ts';
import type { Script } from '../support/rogue-server.ts';
import type { Service } from '../support/service.ts';
import { Stops } from '../support/stops.ts';
import { until } from '../support/until.ts';

const REQUEST = '\u0005';
const ANSWER = '\u0006';
const heartbeat = { intervalMs: 120, graceMs: 80 };
const timeouts = { closeMs: 200, erroredMs: 100, forcedMs: 100, handshakeMs: 2_000 };
const backoff = { minMs: 20, maxMs: 40, stableMs: 100 };
const offering = (value: string) => ({ headers: { 'Sec-WebSocket-Protocol': value } });

const stops = new Stops();
afterEach(() => stops.all());

const serve = (options: SupervisorOptions<unknown, unknown, unknown> = {}) =>
  stops.service({ heartbeat, timeouts, ...options });

async function connect(service: Service, subprotocols?: string): Promise<RawPeer> {
  const peer = await RawPeer.open(
    service.port,
    subprotocols === undefined ? {} : offering(subprotocols),
  );
  stops.add(() => peer.destroy());
  return peer;
}

/** An absence has no event to wait for: this is long enough for several beats. */
const linger = () =>
  new Promise((resolve) => setTimeout(resolve, 4 * (heartbeat.intervalMs + heartbeat.graceMs)));

const count = (peer: RawPeer, text: string) => peer.texts.filter((each) => each === text).length;

/** Answers every ping, as a browser does for a page in any state. */
function answerPings(peer: RawPeer): void {
  let answered = 0;
  peer.socket.on('data', () => {
    const pings = peer.frames.filter((frame) => frame.opcode === opcode.ping).length;
    for (; answered < pings; answered += 1) peer.send({ opcode: opcode.pong });
  });
}

const liveness = ({ states }: Connection<unknown, unknown, unknown>) =>
  states
    .find((state) => state.startsWith('open.liveness.'))
    ?.split('.')
    .at(-1);

describe('the beat of a server', () => {
  it('never reaches a peer that has not asked for it', async () => {
    const service = await serve({ subprotocols: ['chat'] });
    const peer = await connect(service, 'chat');
    answerPings(peer);
    const plain = await connect(service);
    answerPings(plain);
    await until(() => peer.frames.length >= 4 && plain.frames.length >= 4, 'both are pinged');
    assert.deepEqual([...peer.texts, ...plain.texts], []);
    peer.text(JSON.stringify('x'));
    // A peer without the beat sends this as an ordinary message: here one that is not JSON.
    peer.text(REQUEST);
    await service.when('message.invalid');
    assert.deepEqual(service.messages, ['x']);
    assert.deepEqual(service.of('connection.asleep'), []);
  });

  it('finds a page that answers pings but no beats asleep, and awake with its next message', async () => {
    const service = await serve();
    const peer = await connect(service, 'mooring.v1');
    answerPings(peer);
    const { connection } = await service.when('connection.asleep');
    assert.equal(liveness(connection), 'asleep');
    // The page stays, and is asked again.
    const asked = count(peer, REQUEST);
    await until(() => count(peer, REQUEST) >= asked + 2, 'it is asked again and again');
    assert.equal(connection.state, 'open');
    peer.json('good morning');
    await service.when('connection.healthy');
    assert.equal(liveness(connection), 'healthy');
    assert.deepEqual(service.messages, ['good morning']);
    assert.deepEqual(service.of('connection.suspect'), []);
  });

  it('reports it asleep once, however often it is asked', async () => {
    const service = await serve();
    const peer = await connect(service, 'mooring.v1');
    answerPings(peer);
    await until(() => count(peer, REQUEST) >= 4, 'it is asked four times');
    assert.equal(service.of('connection.asleep').length, 1);
  });

  it('asks at open, and then only in silence', async () => {
    const service = await serve();
    const peer = await connect(service, 'mooring.v1');
    await until(() => count(peer, REQUEST) === 1, 'it is asked at open');
    const talk = setInterval(() => peer.json('talk'), heartbeat.graceMs / 4);
    await until(() => service.messages.length >= 20, 'it talks for a while');
    clearInterval(talk);
    assert.equal(count(peer, REQUEST), 1);
    assert.deepEqual(service.of('connection.asleep'), []);
  });

  it('never reports a page whose code answers', async () => {
    const service = await serve();
    const peer = await connect(service, 'mooring.v1');
    let answered = 0;
    const answer = () => {
      for (; answered < count(peer, REQUEST); answered += 1) peer.text(ANSWER);
    };
    peer.socket.on('data', answer);
    // The first request may have arrived with the answer to the upgrade.
    answer();
    await until(() => answered >= 4, 'it has answered for a while');
    assert.deepEqual(service.of('connection.asleep'), []);
    assert.deepEqual(service.messages, []);
  });

  it('is answered for every peer that asks, and is not a message', async () => {
    const service = await serve();
    const peer = await connect(service, 'mooring.v1');
    peer.text(REQUEST);
    await until(() => count(peer, ANSWER) === 1, 'it is answered');
    assert.deepEqual(service.messages, []);
    assert.deepEqual(service.of('message.invalid'), []);
  });

  it('never delays the reading of a page', async () => {
    let settle = () => {};
    const service = await serve({
      onOpen: () => new Promise<void>((resolve) => (settle = resolve)),
    });
    const peer = await connect(service, 'mooring.v1');
    peer.text(ANSWER);
    await linger();
    settle();
    peer.json('here');
    await until(() => service.messages.length === 1, 'it is read');
    assert.deepEqual(service.of('connection.asleep'), []);
  });

  it('leaves nothing behind for a page that leaves with its request pending', async () => {
    const count = 10;
    const service = await serve();
    for (let index = 0; index < count; index += 1) {
      const peer = await RawPeer.connect(service.port);
      peer.request(offering('mooring.v1'));
      peer.destroy();
    }
    await until(() => {
      const { closed, failed } = service.supervisor.counts;
      return closed + failed === count;
    }, 'all are over');
    // Asserts that no timer is left.
    await service.stop();
  });

  it('combines with a subprotocol of the application, which sees only its own name', async () => {
    const service = await serve({ subprotocols: ['chat.v2', 'chat.v1'] });
    const peer = await connect(service, 'chat.v1, chat.v2, chat.v1+mooring.v1, chat.v2+mooring.v1');
    assert.match(peer.answer, /Sec-WebSocket-Protocol: chat\.v2\+mooring\.v1\r\n/);
    const connection = await service.opened();
    assert.equal(connection.subprotocol, 'chat.v2');
    await until(() => count(peer, REQUEST) === 1, 'it is asked');
  });
});

/** Answers with the first subprotocol of the offer, as a ws server without a choice of its own does. */
const echoing =
  (then: Script): Script =>
  (visit) =>
    visit.asked((request) => {
      const [, offered = ''] = /sec-websocket-protocol: ([^,\r]*)/i.exec(request) ?? [];
      visit.socket.write(visit.acceptance(request, `Sec-WebSocket-Protocol: ${offered}`));
      then(visit);
    });

describe('the beat of a client', () => {
  const page = globalThis as { WebSocket?: unknown };
  const native = page.WebSocket;

  function dialPage(port: number) {
    page.WebSocket = UndiciWebSocket;
    const client = createPageClient(`ws://127.0.0.1:${port}/ws`, {
      ...{ mooring: true, heartbeat, timeouts, backoff },
    });
    stops.add(async () => {
      await client.close();
      page.WebSocket = native;
    });
    const endings: Ending[] = [];
    client.endings$.subscribe((ending) => endings.push(ending));
    const events: string[] = [];
    client.events$.subscribe(({ type }) => events.push(type));
    return { client, endings, events };
  }

  it('answers in Node.js and in a page, and is hidden from the application', async () => {
    const service = await serve();
    const node = createClient(service.url, { mooring: true, timeouts, backoff });
    stops.add(() => node.close());
    const { client, endings, events } = dialPage(service.port);
    const heard: unknown[] = [];
    for (const each of [node, client]) each.messages$.subscribe((message) => heard.push(message));
    await until(() => service.supervisor.counts.open === 2, 'both are up');
    await linger();
    assert.deepEqual(service.of('connection.asleep'), []);
    assert.deepEqual([heard, endings, events], [[], [], []]);
    assert.equal(client.connection?.subprotocol, '');
  });

  it('detects a silent peer, which a page could not do otherwise', async () => {
    const service = await serve({ heartbeat: { intervalMs: 60_000, graceMs: 60_000 } });
    const proxy = await FaultProxy.start({ port: service.port });
    stops.add(() => proxy.close());
    const { client, endings } = dialPage(proxy.port);
    await until(() => service.supervisor.counts.open === 1, 'it is up');
    await linger();
    assert.equal(endings.length, 0);
    for (const link of proxy.links) link.down.set({ blackhole: true });
    await until(() => endings.length === 1, 'it is found');
    const [ending] = endings;
    assert.ok(ending?.outcome === 'closed');
    const { cause, origin, retry } = ending.verdict;
    assert.deepEqual([cause, origin, retry], ['heartbeat-timeout', 'network', 'backoff']);
    await until(() => client.status.state === 'up', 'it has reconnected');
  });

  it('is never received by a server that merely echoes what it is offered', async () => {
    const heard: Buffer[] = [];
    const server = await stops.rogue(
      echoing(({ socket }) => socket.on('data', (bytes: Buffer) => heard.push(bytes))),
    );
    const { client } = dialPage(server.port);
    await until(() => client.status.state === 'up', 'it is up');
    await linger();
    assert.equal(client.status.attempts, 1);
    assert.deepEqual(heard, []);
  });

  it('is offered only on request', async () => {
    let request = '';
    const server = await stops.rogue((visit) =>
      visit.asked((asked) => {
        request = asked;
        visit.socket.write(visit.acceptance(asked));
      }),
    );
    const client = createClient(`ws://127.0.0.1:${server.port}/`, { timeouts });
    stops.add(() => client.close());
    await until(() => client.status.state === 'up', 'it is up');
    assert.doesNotMatch(request, /sec-websocket-protocol/i);
  });

  it('is offered with a subprotocol that any server may accept', async () => {
    const server = await stops.rogue(echoing(() => {}));
    const client = createClient(`ws://127.0.0.1:${server.port}/`, {
      ...{ mooring: true, timeouts, subprotocols: ['chat.v2', 'chat.v1'] },
    });
    stops.add(() => client.close());
    await until(() => client.status.state === 'up', 'it is up');
    assert.equal(client.connection?.subprotocol, 'chat.v2');
  });
});
