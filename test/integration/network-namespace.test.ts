import assert from 'node:assert/strict';
import { afterEach, describe } from 'node:test';
import type { Connection, SupervisorOptions } from '../../src/index.ts';
import { fillBacklog } from '../support/backlog.ts';
import { byError, byUsForced, opening, terminated, timedOut } from '../support/closings.ts';
import { opcode } from '../support/frames.ts';
import { Cable, itInNamespace, setKernel, setLoopback } from '../support/netns.ts';
import { RawPeer } from '../support/raw-peer.ts';
import { Service } from '../support/service.ts';
import { until } from '../support/until.ts';
import { lostToNetwork } from '../support/verdicts.ts';

const timeouts = { closeMs: 400, erroredMs: 200, forcedMs: 200 };
const heartbeat = { intervalMs: 500, graceMs: 500 };
const noHeartbeat = { intervalMs: 600_000, graceMs: 600_000 };
const closedByError = [...opening, ...byError];

const { silent } = lostToNetwork;
/** The kernel gave up. */
const unacknowledged = { ...lostToNetwork.reset, cause: 'tcp-timeout' } as const;

const inNamespace = (title: string, body: () => Promise<void>) =>
  itInNamespace(import.meta.url, title, body);

let service: Service;
let peer: RawPeer;
let connection: Connection<unknown, unknown, unknown>;
let cable: Cable;

async function connect(options: SupervisorOptions<unknown, unknown, unknown> = {}): Promise<void> {
  service = await Service.start({ timeouts, heartbeat, ...options });
  peer = await RawPeer.open(service.port);
  cable = new Cable(service.port);
  answerPings();
  connection = await service.opened();
  peer.json('hello');
  await until(() => service.messages.length === 1, 'the cable works');
}

/** A polite peer answers every ping that reaches it. */
function answerPings(): void {
  let answered = 0;
  peer.socket.on('data', () => {
    const pings = peer.frames.filter((frame) => frame.opcode === opcode.ping);
    for (const { payload } of pings.slice(answered)) peer.send({ opcode: opcode.pong, payload });
    answered = pings.length;
  });
}

const types = () => service.events.map(({ type }) => type.replace('connection.', ''));

/** Asserts that the kernel reported the peer as gone. */
async function assertUnacknowledged(): Promise<void> {
  const { error } = await service.closedAs({ states: closedByError, ...unacknowledged });
  assert.match((error as NodeJS.ErrnoException).code ?? '', /^(ETIMEDOUT|EHOSTUNREACH)$/);
}

describe('a cable that is cut', { concurrency: 3 }, () => {
  afterEach(async () => {
    peer?.destroy();
    await service?.stop();
  });

  inNamespace('netns-idle: neither side sees anything except the heartbeat', async () => {
    await connect();
    cable.cut();
    const cutAt = performance.now();
    await service.closedAs({ states: closedByError, ...silent });
    const tookMs = performance.now() - cutAt;
    assert.deepEqual(types(), ['opened', 'suspect', 'errored', 'closed']);
    assert.deepEqual([peer.ended, peer.closed, peer.error], [false, false, undefined]);
    assert.ok(tookMs > heartbeat.graceMs / 2, `lost early: ${tookMs} ms`);
    cable.repair();
    await until(() => peer.ended || peer.closed, 'the peer notices when the cable is back');
  });

  inNamespace('netns-idle: the same when the device goes down', async () => {
    await connect();
    setLoopback('down');
    await service.closedAs({ states: closedByError, ...silent });
    assert.deepEqual([peer.ended, peer.closed, peer.error], [false, false, undefined]);
    setLoopback('up');
  });

  inNamespace('netns-recover: a cut that ends within the grace has no effect', async () => {
    await connect({ heartbeat: { intervalMs: 300, graceMs: 4_000 } });
    cable.cut();
    assert.equal(connection.send('into the cut'), 'sent');
    await service.when('connection.suspect');
    cable.repair();
    peer.json('back');
    await service.when('connection.healthy');
    await until(() => peer.texts.length === 1, 'what was sent into the cut arrives');
    await until(() => service.messages.length === 2, 'what the peer sent arrives');
    assert.deepEqual(types(), ['opened', 'suspect', 'healthy']);
    assert.equal(connection.state, 'open');
  });

  inNamespace('netns-recover: the kernels repair it without input from the peer', async () => {
    await connect({ heartbeat: { intervalMs: 300, graceMs: 4_000 } });
    cable.cut();
    const cutAt = performance.now();
    connection.send('into the cut');
    await until(() => performance.now() - cutAt > 700, 'a ping is lost in the cut');
    cable.repair();
    await until(() => peer.texts.length === 1, 'what was sent into the cut arrives');
    const pinged = peer.frames.length;
    await until(() => peer.frames.length >= pinged + 2, 'pings continue');
    assert.deepEqual(types(), ['opened']);
  });

  inNamespace('netns-write: unacknowledged data is no proof of life', async () => {
    await connect();
    cable.cut();
    assert.equal(connection.send('into the cut'), 'sent');
    await service.closedAs({ states: closedByError, ...silent });
    assert.deepEqual(peer.texts, []);
  });

  inNamespace('netns-write: nor is a backlog in this process that does not move', async () => {
    await connect();
    cable.cut();
    await fillBacklog(connection, 200_000);
    await service.closedAs({ states: closedByError, ...silent });
  });

  inNamespace('netns-write: the kernel gives up first: tcp-timeout', async () => {
    setKernel('tcp_retries2', '2');
    await connect({ heartbeat: noHeartbeat });
    cable.cut();
    connection.send('into the cut');
    await assertUnacknowledged();
  });

  inNamespace('netns-paused: only the kernel judges a paused peer', async () => {
    setKernel('tcp_retries2', '2');
    await connect({ heartbeat: { intervalMs: 100, graceMs: 100 } });
    connection.pause();
    cable.cut();
    // The write of a ping reveals what the kernel knows. Nothing is read.
    await assertUnacknowledged();
    assert.ok(!types().includes('suspect'));
  });

  inNamespace('netns-paused: the loss is found after resume, and not before', async () => {
    await connect();
    connection.pause();
    cable.cut();
    const cutAt = performance.now();
    await until(() => performance.now() - cutAt > 2_500, 'much more than interval and grace');
    assert.equal(connection.state, 'open');
    connection.resume();
    await service.closedAs({ ...silent });
  });

  inNamespace('netns-close: the two ends disagree, and each is right', async () => {
    await connect({ heartbeat: noHeartbeat });
    cable.cut();
    connection.close(1001, 'leaving');
    await service.closedAs({
      states: [...opening, ...byUsForced],
      ...timedOut,
      sent: { code: 1001, reason: 'leaving' },
    });
    assert.equal(peer.closeFrame, undefined);
    cable.repair();
    await until(() => peer.ended, 'the kernel delivers it after all');
    assert.deepEqual(peer.closeFrame, { code: 1001, reason: 'leaving' });
  });

  inNamespace('netns-terminate: complete at once here, and unknown to the peer', async () => {
    await connect({ heartbeat: noHeartbeat });
    cable.cut();
    connection.terminate();
    await service.closedAs({
      states: [...opening, 'closing.forced', 'closing.reaping', 'closed'],
      ...terminated,
    });
    assert.deepEqual([peer.ended, peer.closed], [false, false]);
    cable.repair();
    await until(() => peer.ended || peer.closed, 'the peer notices');
  });
});
