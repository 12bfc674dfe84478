import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import { FrozenPeer } from '../support/frozen-peer.ts';
import { RawPeer } from '../support/raw-peer.ts';
import { Service } from '../support/service.ts';
import { until } from '../support/until.ts';

describe('G: the server around the connections', () => {
  let service: Service;
  afterEach(() => service.stop());

  const echo = () =>
    Service.start({ onMessage: (connection, message) => connection.send(message) });

  async function assertEcho(peer: RawPeer, question: string) {
    peer.json(question);
    await until(() => peer.texts.includes(JSON.stringify(question)), 'the echo arrives');
  }

  it('G01: server.close() leaves open connections alone, and completes when the last is gone', async () => {
    service = await echo();
    const peer = await RawPeer.open(service.port);
    await service.opened();
    let ended = false;
    service.server.close(() => {
      ended = true;
    });
    await assertEcho(peer, 'still here?');
    assert.equal(ended, false);
    assert.equal(service.supervisor.state, 'admitting');
    peer.sendClose(1000);
    await until(() => ended, 'the server has ended');
    await service.closedAs({ code: 1000, clean: true, level: 'info' });
  });

  it('G01: drain() leaves the server of the host alone', async () => {
    service = await echo();
    const peer = await RawPeer.open(service.port);
    const done = service.supervisor.drain({ withinMs: 2_000 });
    await peer.finishPolitely();
    await done;
    assert.equal(service.server.listening, true);
    const late = await RawPeer.connect(service.port);
    late.request();
    await until(() => late.status !== 0, 'a late one is answered');
    assert.equal(late.status, 503);
    late.destroy();
  });

  it('G01c: the supervisor counts exactly the open connections', async () => {
    service = await echo();
    const peers = await Promise.all([1, 2, 3].map(() => RawPeer.open(service.port)));
    await until(() => service.supervisor.counts.open === 3, 'all are open');
    assert.equal([...service.supervisor.connections].length, 3);
    peers[0]?.sendClose(1000);
    peers[1]?.reset();
    await until(() => service.inFlight === 1, 'two are gone');
    assert.equal([...service.supervisor.connections].length, 1);
    const { open, closed } = service.supervisor.counts;
    assert.deepEqual([open, closed], [1, 2]);
  });

  it('G02: close, fail, terminate and drain have the same effect twice as once', async () => {
    service = await echo();
    const peer = await RawPeer.open(service.port);
    const connection = await service.opened();
    const answers = [connection.close(4000), connection.close(4001), connection.fail('late')];
    answers.push(connection.terminate(), connection.terminate());
    assert.deepEqual(answers.slice(0, 3), [true, false, false]);
    const drains = [service.supervisor.drain({ withinMs: 1_000 }), service.supervisor.drain()];
    const [first, second] = await Promise.all(drains);
    assert.equal(first, second);
    await service.closedAs({ cause: 'terminate', level: 'info', sent: { code: 4000, reason: '' } });
    await until(() => peer.closed, 'the peer is released');
    assert.equal(service.of('supervisor.stopped').length, 1);
  });

  it('G03: closeAllConnections() does not affect connections; terminate() does', async () => {
    service = await echo();
    const peer = await RawPeer.open(service.port);
    const connection = await service.opened();
    service.server.closeAllConnections();
    await assertEcho(peer, 'still here?');
    connection.terminate();
    await service.closedAs({ cause: 'terminate', level: 'info' });
  });

  it('G07: 100 connections in five styles of ending: exactly one report each', async () => {
    service = await Service.start({ timeouts: { closeMs: 2_000 } });
    const styles: readonly ((peer: RawPeer, id: string) => void)[] = [
      (peer) => peer.sendClose(1000, 'bye'),
      (peer) => peer.reset(),
      (peer) => peer.end(),
      (_peer, id) => service.supervisor.get(id)?.terminate(),
      (peer, id) => {
        service.supervisor.get(id)?.close(1001);
        void peer.finishPolitely();
      },
    ];
    const peers: RawPeer[] = [];
    for (let count = 0; count < 100; count += 1) peers.push(await RawPeer.open(service.port));
    const ids = service.of('connection.opened').map(({ connection }) => connection.id);
    assert.equal(new Set(ids).size, 100);
    for (const [index, peer] of peers.entries()) styles[index % 5]?.(peer, ids[index] ?? '');
    await until(() => service.inFlight === 0, 'all have ended');
    await until(() => peers.every(({ closed }) => closed), 'all sockets are gone');
    const closed = service.of('connection.closed').map(({ connection }) => connection.id);
    assert.equal(closed.length, 100);
    assert.deepEqual(new Set(closed), new Set(ids));
    assert.equal(service.calls.filter((call) => call === 'onClose').length, 100);
    assert.deepEqual(causes(service), {
      'peer-close': 20,
      'tcp-reset': 20,
      'tcp-fin': 20,
      terminate: 20,
      close: 20,
    });
    const { counts } = service.supervisor;
    assert.deepEqual([counts.open, counts.closed, counts.failed], [0, 100, 0]);
  });

  it('S1: 5,000 sends never close a connection by themselves', async () => {
    service = await Service.start();
    const peer = await RawPeer.open(service.port);
    const connection = await service.opened();
    for (let count = 0; count < 5_000; count += 1) connection.send(count);
    await until(() => peer.texts.length === 5_000, 'all arrive');
    assert.deepEqual(
      peer.texts,
      Array.from({ length: 5_000 }, (_, index) => String(index)),
    );
    assert.equal(connection.state, 'open');
  });
});

function causes(service: Service): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { verdict } of service.of('connection.closed')) {
    counts[verdict.cause] = (counts[verdict.cause] ?? 0) + 1;
  }
  return counts;
}

describe('F07: a handler that blocks the event loop', () => {
  let service: Service;
  let far: FrozenPeer;
  afterEach(async () => {
    await far.kill();
    await service.stop();
  });

  it('F07, F07b: loses no connection, however many intervals it takes', async () => {
    const blocked = new Int32Array(new SharedArrayBuffer(4));
    service = await Service.start({
      heartbeat: { intervalMs: 40, graceMs: 40 },
      onMessage: () => Atomics.wait(blocked, 0, 0, 400),
    });
    far = await FrozenPeer.open(service.url, 5);
    const talker = await RawPeer.open(service.port);
    await until(() => service.supervisor.counts.open === 6, 'all are open');
    talker.json('block');
    talker.json('block again');
    await until(() => service.messages.length === 2, 'the handler has blocked twice');
    talker.destroy();
    await until(() => service.supervisor.counts.open === 5, 'the talker is gone');
    const before = await far.census();
    let now = before;
    while (now.pingsMin < before.pingsMin + 2 && now.closed === 0) now = await far.census();
    assert.equal(now.open, 5);
    assert.equal(service.of('connection.closed').length, 1);
  });
});
