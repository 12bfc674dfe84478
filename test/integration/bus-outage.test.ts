// Goal: while the bus is away, sockets stay, this process is served, and nothing is said that is not true. Method: a real
// nats-server that is killed, frozen, and cut off by a proxy, under a publisher that never stops.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { after, afterEach, describe, it } from 'node:test';
import { connect, type Msg } from '@nats-io/transport-node';
import { type NatsBusOptions, natsBus } from '../../src/bus/nats/index.ts';
import { FaultProxy } from '../../src/testing/fault-proxy.ts';
import { run } from '../package/run.ts';
import type { Member } from '../support/crowd.ts';
import { deadPort } from '../support/dead-port.ts';
import { NatsServer } from '../support/nats-server.ts';
import { newestNatsServer } from '../support/nats-versions.ts';
import { heardBy, hears, Nodes } from '../support/nodes.ts';
import { PlainClient } from '../support/plain-client.ts';
import { until } from '../support/until.ts';

const program = await newestNatsServer();
const server = await NatsServer.start(program);
after(() => server.kill());

const quick = { pingInterval: 1_000, maxPingOut: 2 };
let services = 0;

function bus(options: NatsBusOptions = {}) {
  return natsBus({
    servers: server.url,
    name: `outage-${services}`,
    connection: quick,
    ...options,
  });
}

let nodes: Nodes;
let members: readonly Member[];
let publisher: Publisher;

async function start(options: readonly NatsBusOptions[] = [{}, {}]): Promise<void> {
  services += 1;
  nodes = await Nodes.start(options.map((option) => bus(option)));
  members = await Promise.all(options.map((_, node) => nodes.member(node, ['room'])));
  publisher = new Publisher(nodes);
}

/** Publishes from the first node every few milliseconds, and keeps what it is told. */
class Publisher {
  /** Numbers that were sent, and whether they were forwarded. */
  readonly sent: boolean[] = [];
  readonly #nodes: Nodes;
  readonly #timer: NodeJS.Timeout;

  constructor(nodes: Nodes) {
    this.#nodes = nodes;
    this.#timer = setInterval(() => this.#publish(), 5);
  }

  #publish(): void {
    const supervisor = this.#nodes.supervisor(0);
    const before = supervisor.bus;
    const { delivered, forwarded } = supervisor.topic('room').publish(this.sent.length);
    assert.equal(delivered, 1, 'this process is served');
    if (before !== 'up') assert.equal(forwarded, false);
    this.sent.push(forwarded);
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    this.#nodes.supervisor(0).topic('room').publish('end');
    for (const member of members) await hears(member, 'end');
  }
}

function states(): string[] {
  return nodes.services.map(({ supervisor }) => supervisor.bus);
}

/** How often each node told that the bus is up, and down. */
function told(): number[][] {
  return nodes.services.map((service) => [
    service.of('bus.up').length,
    service.of('bus.down').length,
  ]);
}

/** The first member missed nothing, and the second has a gap but no doubles and no disorder. */
function assertServed(): void {
  const [here, there] = members.map(({ peer }) => heardBy(peer).slice(0, -1) as number[]);
  assert.ok(here && there);
  assert.deepEqual(
    here,
    publisher.sent.map((_, number) => number),
  );
  assert.deepEqual(
    there,
    [...new Set(there)].sort((one, other) => one - other),
  );
  const forwarded = publisher.sent.flatMap((was, number) => (was ? [number] : []));
  const unforwarded = there.filter((number) => !forwarded.includes(number));
  assert.deepEqual(unforwarded, [], 'what was not forwarded has not arrived');
  assert.ok(there.includes(forwarded.at(-1) ?? -1), 'it is forwarded again');
}

describe('while the bus is away', { timeout: 60_000 }, () => {
  afterEach(async () => {
    server.thaw();
    await nodes.stop();
  });

  it('a server that is killed and comes back is told once, and nothing is sent late', async () => {
    await start();
    await until(() => publisher.sent.length > 100, 'it publishes');
    await server.kill();
    await until(() => states().every((state) => state === 'down'), 'all know');
    const from = publisher.sent.length;
    await new Promise((resolve) => setTimeout(resolve, 2_000));
    assert.ok(publisher.sent.length > from + 100);
    assert.ok(publisher.sent.slice(from + 1).every((forwarded) => !forwarded));
    await server.restart();
    await nodes.untilUp();
    assert.deepEqual(told(), [
      [2, 1],
      [2, 1],
    ]);
    const again = publisher.sent.length;
    await until(() => publisher.sent.length > again + 100, 'it publishes again');
    await publisher.stop();
    assertServed();
  });

  it('a server that is frozen is noticed within three pings, and what it is sent is bounded', async () => {
    await start();
    server.freeze();
    const topic = nodes.supervisor(0).topic('unheard');
    const message = 'x'.repeat(100_000);
    let taken = 0;
    const deadline = performance.now() + 5_000;
    while (nodes.supervisor(0).bus === 'up' && performance.now() < deadline) {
      if (topic.publish(message).forwarded) taken += message.length;
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    assert.ok(taken > 1_000_000 && taken < 10_000_000, `${taken} bytes`);
    await until(() => states().every((state) => state === 'down'), 'all know', 6_000);
    server.thaw();
    await nodes.untilUp();
    assert.deepEqual(told(), [
      [2, 1],
      [2, 1],
    ]);
    const again = publisher.sent.length;
    await until(() => publisher.sent.length > again + 20, 'it publishes again');
    await publisher.stop();
    assertServed();
  });

  it('what a lost connection of a node has sent does not come back to that node', async () => {
    await start();
    await publisher.stop();
    const outside = await connect({ servers: server.url });
    const heard: Msg[] = [];
    outside.subscribe(`outage-${services}.>`, {
      callback: (_, message) => void heard.push(message),
    });
    await outside.flush();
    const topic = nodes.supervisor(0).topic('room');
    topic.publish('before');
    await until(() => heard.some(({ data }) => String(data).includes('before')), 'it passed');
    // As a server that was frozen reads it, when the node is on its next connection.
    for (const { subject, data, reply = '' } of heard) outside.publish(subject, data, { reply });
    await outside.flush();
    nodes.supervisor(1).topic('room').publish('after');
    await outside.close();
    const times = [1, 2];
    for (const [node, member] of members.entries()) {
      await hears(member, 'after');
      assert.equal(
        heardBy(member.peer).filter((text) => text === 'before').length,
        times[node],
        `node ${node}`,
      );
    }
  });

  it('a node that is cut off knows, and the others go on', async () => {
    await using proxy = await FaultProxy.start({ port: server.port });
    await start([{ servers: `127.0.0.1:${proxy.port}` }, {}, {}]);
    for (const link of proxy.links) {
      link.up.set({ blackhole: true });
      link.down.set({ blackhole: true });
    }
    proxy.set({ accept: 'silence' });
    await until(() => nodes.supervisor(0).bus === 'down', 'it knows', 6_000);
    assert.deepEqual(states(), ['down', 'up', 'up']);
    nodes.supervisor(1).topic('room').publish('meanwhile');
    await hears(members[2] as Member, 'meanwhile');
    await new Promise((resolve) => setTimeout(resolve, 3_000));
    proxy.set({});
    await nodes.untilUp();
    assert.deepEqual(told(), [
      [2, 1],
      [1, 0],
      [1, 0],
    ]);
    await publisher.stop();
    assert.ok(!heardBy((members[0] as Member).peer).includes('meanwhile'), 'it is not sent late');
  });

  it('credentials that are refused are told, and accepted when they are right again', async () => {
    const guarded = await NatsServer.start(program, ['--user', 'ada', '--pass', 'secret']);
    try {
      const connection = { ...quick, user: 'ada', pass: 'wrong' };
      const [service] = await startOne(natsBus({ servers: guarded.url, connection }));
      const { error } = await service.when('bus.down');
      assert.match(String(error), /authorization/i);
      assert.equal(service.supervisor.bus, 'down');
      assert.equal(service.of('bus.down').length, 1);
    } finally {
      await guarded.kill();
    }
  });

  it('credentials that are refused after an outage are told once', async () => {
    const options = ['--user', 'ada', '--pass', 'secret'];
    const first = await NatsServer.start(program, options);
    const connection = { ...quick, user: 'ada', pass: 'secret' };
    const [service] = await startOne(natsBus({ servers: first.url, connection }));
    await service.when('bus.up');
    await first.kill();
    await service.when('bus.down');
    options[3] = 'another';
    await first.restart();
    try {
      const refused = () =>
        service.of('handler.errored').filter(({ error }) => /authorization/i.test(error.message));
      await until(() => refused().length > 0, 'it is told');
      await new Promise((resolve) => setTimeout(resolve, 1_500));
      assert.deepEqual([refused().length, refused()[0]?.handler], [1, 'bus']);
      assert.equal(service.of('bus.down').length, 1);
      assert.equal(service.supervisor.bus, 'down');
    } finally {
      await first.kill();
    }
  });

  it('a long message is published here, though the bus would take it only when it is up', async () => {
    const message = 'x'.repeat(1_100_000);
    const port = await deadPort();
    const [service] = await startOne(natsBus({ servers: `127.0.0.1:${port}` }));
    const topic = service.supervisor.topic('room');
    assert.equal(topic.publish(message).forwarded, false);
    await service.when('bus.down');
    assert.equal(topic.publish(message).forwarded, false);
    assert.equal(service.supervisor.broadcast(message).forwarded, false);
  });

  it('hung attempts leave no sockets behind', async () => {
    // One that speaks, and then hangs in the TLS handshake; and one that accepts and is silent.
    const info = JSON.stringify({ version: '2.10.0', proto: 1, tls_required: true, headers: true });
    for (const greeting of [`INFO ${info}\r\n`, '']) {
      const sockets = new Set<Socket>();
      const hung = createServer((socket) => {
        sockets.add(socket.on('error', () => {}).on('close', () => sockets.delete(socket)));
        socket.resume().write(greeting);
        attempts += 1;
      });
      let attempts = 0;
      hung.listen(0, '127.0.0.1');
      await once(hung, 'listening');
      const { port } = hung.address() as AddressInfo;
      const connection = { ...quick, timeout: 100 };
      const [service] = await startOne(natsBus({ servers: `127.0.0.1:${port}`, connection }));
      await until(() => attempts >= 4, 'it tries again');
      assert.ok(sockets.size <= 1, `${sockets.size} sockets`);
      await service.supervisor.drain();
      await until(() => sockets.size === 0, 'it has left');
      hung.close();
      await service.stop();
    }
  });

  it('many attempts at many servers cause no warning', async () => {
    const warnings: Error[] = [];
    const onWarning = (warning: Error) => warnings.push(warning);
    process.on('warning', onWarning);
    const dead = await Promise.all(Array.from({ length: 6 }, deadPort));
    const servers = dead.map((port) => `127.0.0.1:${port}`);
    const [service] = await startOne(natsBus({ servers }));
    await service.when('bus.down');
    // Each round tries all of them.
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    await service.supervisor.drain();
    process.off('warning', onWarning);
    assert.deepEqual(warnings, []);
  });

  it('newest: agrees on connections with long keys that opened meanwhile', async () => {
    services += 1;
    const port = await deadPort();
    const buses = [0, 1].map(() => natsBus({ servers: `127.0.0.1:${port}` }));
    nodes = await Nodes.startWithoutWaiting(buses, {
      sameKey: 'newest',
      authenticate: ({ url = '' }) => url.slice(-1),
      key: (peer) => `${peer}`.repeat(300_000),
    });
    const names = ['a', 'b', 'c', 'd'];
    for (const { url } of nodes.services)
      for (const name of names) await PlainClient.open(`${url}?${name}`);
    const late = await NatsServer.start(program, [], port);
    try {
      await nodes.untilUp();
      const open = () => nodes.services.map(({ supervisor }) => supervisor.counts.open);
      await until(() => open()[0] === 0, 'the older ones are closed');
      assert.deepEqual(open(), [0, names.length]);
    } finally {
      await late.kill();
    }
  });

  it('a drain resolves in time, whatever the bus does', async () => {
    const port = await deadPort();
    await using silent = await FaultProxy.start({ port });
    silent.set({ accept: 'silence' });
    for (const servers of [`127.0.0.1:${port}`, `127.0.0.1:${silent.port}`]) {
      const [service] = await startOne(natsBus({ servers, connection: quick }));
      assert.notEqual(service.supervisor.bus, 'up');
      const begin = performance.now();
      await service.supervisor.drain({ withinMs: 500 });
      assert.ok(performance.now() - begin < 1_800);
      await service.stop();
    }
    await start();
    await publisher.stop();
    server.freeze();
    const begin = performance.now();
    await Promise.all(nodes.services.map(({ supervisor }) => supervisor.drain({ withinMs: 500 })));
    assert.ok(performance.now() - begin < 3_000);
  });

  it('a process ends after its drain, even if the server accepts and stays silent', async () => {
    await using silent = await FaultProxy.start({ port: server.port });
    const index = new URL('../../src/index.js', import.meta.url).href;
    const nats = new URL('../../src/bus/nats/index.js', import.meta.url).href;
    const code = `
      import { createSupervisor } from '${index}';
      import { natsBus } from '${nats}';
      const connection = { pingInterval: 200, maxPingOut: 1 };
      const bus = natsBus({ servers: '127.0.0.1:${silent.port}', connection });
      const supervisor = createSupervisor({ bus });
      const alive = setInterval(() => {}, 1_000);
      supervisor.events$.subscribe(async ({ type }) => {
        console.log(type);
        if (type !== 'bus.down') return;
        await new Promise((resolve) => setTimeout(resolve, 1_500));
        await supervisor.drain();
        clearInterval(alive);
      });`;
    const cutting = cutOffOnce(silent);
    const { status, output } = await run(
      process.execPath,
      ['--input-type=module', '--eval', code],
      import.meta.dirname,
    );
    await cutting;
    assert.equal(status, 0, output);
    assert.match(output, /bus\.up\nbus\.down/);
  });
});

/** Silences a connection as soon as there is one, and those that follow. */
async function cutOffOnce(proxy: FaultProxy): Promise<void> {
  await until(() => proxy.links.length > 0, 'it connects');
  await new Promise((resolve) => setTimeout(resolve, 1_000));
  proxy.set({ accept: 'silence' });
  for (const link of proxy.links) link.down.set({ blackhole: true });
}

async function startOne(one: ReturnType<typeof natsBus>) {
  nodes = await Nodes.startWithoutWaiting([one]);
  return nodes.services as unknown as [Nodes['services'][number]];
}
