// Goal: a link is up only when the server has its subscriptions. Method: a real nats-server behind a slow network, and a
// program that speaks the protocol of NATS and answers when the test says so.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { after, afterEach, beforeEach, describe, it } from 'node:test';
import { natsBus } from '../../src/bus/nats/index.ts';
import { type BusLink, systemClock } from '../../src/index.ts';
import { FaultProxy } from '../../src/testing/fault-proxy.ts';
import { NatsServer } from '../support/nats-server.ts';
import { newestNatsServer } from '../support/nats-versions.ts';
import { Nodes } from '../support/nodes.ts';
import { until } from '../support/until.ts';

const LATENCY_MS = 100;
const info = { version: '2.10.0', proto: 1, headers: true, max_payload: 1_048_576 };

/** Accepts every connection, and answers the first `answersMax` pings of each. */
class ScriptedNats {
  answersMax = 1;
  connections = 0;
  /** The subjects that were subscribed to, in order. */
  readonly subjects: string[] = [];
  readonly #server: Server;
  readonly #sockets = new Map<Socket, number>();

  private constructor() {
    this.#server = createServer((socket) => this.#accept(socket));
  }

  static async start(): Promise<ScriptedNats> {
    const scripted = new ScriptedNats();
    await once(scripted.#server.listen(0, '127.0.0.1'), 'listening');
    return scripted;
  }

  get url(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  answerAll(): void {
    this.answersMax = Number.POSITIVE_INFINITY;
    for (const [socket, asked] of this.#sockets)
      for (let left = asked; left > 1; left -= 1) socket.write('PONG\r\n');
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets.keys()) socket.destroy();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #accept(socket: Socket): void {
    this.#sockets.set(socket, 0);
    socket.on('error', () => {});
    socket.on('close', () => this.#sockets.delete(socket));
    socket.on('data', (bytes) => {
      for (const line of `${bytes}`.split('\r\n')) this.#heard(socket, line);
    });
    socket.write(`INFO ${JSON.stringify(info)}\r\n`);
  }

  #heard(socket: Socket, line: string): void {
    const [command, subject = ''] = line.split(' ');
    if (command === 'SUB') this.subjects.push(subject);
    if (command === 'CONNECT') this.connections += 1;
    if (command !== 'PING') return;
    const asked = (this.#sockets.get(socket) ?? 0) + 1;
    this.#sockets.set(socket, asked);
    if (asked <= this.answersMax) socket.write('PONG\r\n');
  }
}

describe('a link whose server has not answered since it subscribed', { timeout: 20_000 }, () => {
  let scripted: ScriptedNats;
  let link: BusLink;
  let moves: string[];

  function open(connection = {}): void {
    moves = [];
    link = natsBus({ servers: scripted.url, connection }).open({
      clock: systemClock,
      moved: (state, error) => moves.push(error === undefined ? state : error.message),
      rejoined: () => moves.push('rejoined'),
      errored: (error) => moves.push(error.message),
    });
  }

  beforeEach(async () => {
    scripted = await ScriptedNats.start();
  });

  afterEach(async () => {
    await link.close();
    await scripted.close();
  });

  it('is not up, and listens to what is added', async () => {
    open();
    link.openLog?.({ rewritten: () => {}, errored: () => {} });
    link.listen('live/before', () => {});
    await until(() => scripted.subjects.length === 1, 'it subscribes');
    const { ready } = link.listen('live/meanwhile', () => {});
    await until(() => scripted.subjects.length === 2, 'it subscribes to what is added');
    assert.deepEqual(scripted.subjects, ['mooring.1.live.before', 'mooring.1.live.meanwhile']);
    assert.deepEqual([moves, link.publish('live/before', Buffer.from('x'))], [[], false]);
    scripted.answerAll();
    await ready;
    await until(() => moves.length > 0, 'it moves');
    assert.deepEqual(moves, ['up']);
    assert.equal(link.publish('live/before', Buffer.from('x')), true);
    await until(() => scripted.subjects.length > 2, 'the log begins');
  });

  it('gives up a server that never answers, and connects again', async () => {
    open({ pingInterval: 100, maxPingOut: 1 });
    const { ready } = link.listen('live/room', () => {});
    await until(() => scripted.connections === 1, 'it connects');
    const { ready: second } = link.listen('live/other', () => {});
    await until(() => scripted.connections === 2, 'it connects again');
    assert.deepEqual(moves, ['the NATS server does not answer']);
    await Promise.all([ready, second]);
    scripted.answerAll();
    await until(() => moves.length === 2, 'it is up');
    assert.equal(moves[1], 'up');
  });

  it('closes', async () => {
    open();
    link.listen('live/room', () => {});
    await until(() => scripted.subjects.length === 1, 'it subscribes');
    await link.close();
    assert.deepEqual(moves, []);
  });
});

describe('a node with a slow network', { timeout: 20_000 }, () => {
  let server: NatsServer;
  let proxy: FaultProxy;
  let nodes: Nodes;

  beforeEach(async () => {
    server = await NatsServer.start(await newestNatsServer());
    proxy = await FaultProxy.start({ port: server.port });
    const slow = { latencyMs: LATENCY_MS };
    proxy.set({ up: slow, down: slow });
  });

  after(async () => {
    await nodes.stop();
    await proxy.close();
    await server.kill();
  });

  it('hears what the others publish as soon as it is up', async () => {
    const servers = [server.url, `127.0.0.1:${proxy.port}`];
    nodes = await Nodes.start(servers.map((url) => natsBus({ servers: url })));
    const [sender, receiver] = [nodes.supervisor(0), nodes.supervisor(1)];
    const heard: unknown[] = [];
    receiver.topic('room').messages$.subscribe((message) => heard.push(message));
    const ups: unknown[] = [];
    receiver.events$.subscribe(({ type }) => {
      if (type !== 'bus.up') return;
      ups.push(ups.length);
      sender.topic('room').publish(ups.length);
    });
    for (const link of proxy.links) link.close();
    await until(() => ups.length === 1, 'it is up again');
    await until(() => heard.length > 0, 'it hears');
    assert.deepEqual(heard, [1]);
  });
});
