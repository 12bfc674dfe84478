// Goal: processes on different servers of a cluster agree. Method: two real nats-servers, with a route that the test cuts.
import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { natsBus } from '../../src/bus/nats/index.ts';
import type { SupervisorOptions } from '../../src/index.ts';
import { FaultProxy } from '../../src/testing/fault-proxy.ts';
import { deadPort } from '../support/dead-port.ts';
import { NatsServer } from '../support/nats-server.ts';
import { newestNatsServer } from '../support/nats-versions.ts';
import { hears, Nodes } from '../support/nodes.ts';
import { PlainClient } from '../support/plain-client.ts';
import { RawNats } from '../support/raw-nats.ts';
import { until } from '../support/until.ts';

const program = await newestNatsServer();
const quick = { pingInterval: 300, maxPingOut: 1, noRandomize: true };
const ada: SupervisorOptions<unknown, unknown, unknown> = {
  authenticate: () => 'ada',
  key: String,
};

let gate: FaultProxy;
let one: NatsServer;
let other: NatsServer;
let nodes: Nodes;

/** A node on each server. The first one may move to the second server. */
async function start(options: typeof ada = {}): Promise<void> {
  const servers = [[one.url, other.url], [other.url]];
  const buses = servers.map((urls) => natsBus({ servers: urls, connection: quick }));
  nodes = await Nodes.start(buses, { ...ada, ...options });
}

describe('the servers of a cluster', { timeout: 30_000 }, () => {
  beforeEach(async () => {
    const [port, otherPort] = [await deadPort(), await deadPort()];
    gate = await FaultProxy.start({ port });
    const cluster = ['--cluster_name', 'mooring', '--cluster'];
    one = await NatsServer.start(program, [...cluster, `nats://127.0.0.1:${port}`]);
    const routes = ['--routes', `nats://127.0.0.1:${gate.port}`];
    other = await NatsServer.start(program, [
      ...[...cluster, `nats://127.0.0.1:${otherPort}`],
      ...routes,
    ]);
  });

  afterEach(async () => {
    one.thaw();
    // Before the nodes stop: they compare their sockets with those at their start.
    await gate.close();
    await nodes.stop();
    await Promise.all([one.kill(), other.kill()]);
  });

  it('what one of them delivers late reaches nobody', async () => {
    await start();
    const witness = await RawNats.connect(other.port);
    witness.subscribe('mooring.1.keys');
    const member = await nodes.member(1, ['room']);
    one.freeze();
    const { closed, forwarded } = nodes.supervisor(0).closeKey('ada', 3000, 'signed out');
    assert.deepEqual([closed, forwarded], [0, true]);
    await until(() => nodes.supervisor(0).bus === 'down', 'it knows');
    witness.heard.length = 0;
    await nodes.untilUp();
    await until(() => witness.heard.length > 0, 'it is known to be on its next connection');
    one.thaw();
    const isLate = () => witness.heard.some(({ payload }) => `${payload}`.includes('signed out'));
    await until(isLate, 'the message arrives late');
    witness.publish('mooring.1.live.room', '"after"');
    await hears(member, 'after');
    assert.equal(member.connection.state, 'open');
    await witness.close();
  });

  it('newest: agree when they find each other', async () => {
    gate.set({ accept: 'reset' });
    for (const link of gate.links) link.close();
    await start({ sameKey: 'newest' });
    for (const { url } of nodes.services) await PlainClient.open(url);
    const open = () => nodes.services.map(({ supervisor }) => supervisor.counts.open);
    assert.deepEqual(open(), [1, 1]);
    gate.set({});
    await until(() => open()[0] === 0, 'the older one is closed');
    assert.deepEqual(open(), [0, 1]);
  });
});
