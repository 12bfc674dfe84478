import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import { fillBacklog } from '../support/backlog.ts';
import { buildFrame, opcode } from '../support/frames.ts';
import { FrozenPeer } from '../support/frozen-peer.ts';
import { RawPeer } from '../support/raw-peer.ts';
import { Service } from '../support/service.ts';
import { until } from '../support/until.ts';

const closeFrames = (peer: RawPeer) =>
  peer.frames.filter((frame) => frame.opcode === opcode.close).length;

describe('drain of peers of all kinds', () => {
  let service: Service;
  let frozen: FrozenPeer | undefined;
  afterEach(async () => {
    await frozen?.kill();
    frozen = undefined;
    await service.stop();
  });

  const opened = async (count: number) => {
    await until(() => service.supervisor.counts.open === count, 'all are open');
    return service.of('connection.opened').map(({ connection }) => connection);
  };

  it('G04: good, silent and frozen peers: two close, two are destroyed in time', async () => {
    service = await Service.start();
    const good = await RawPeer.open(service.port);
    const gone = await RawPeer.open(service.port);
    const silent = await RawPeer.open(service.port, { allowHalfOpen: true });
    frozen = await FrozenPeer.open(service.url);
    await opened(4);
    await frozen.freeze();
    void good.finishPolitely();
    const began = performance.now();
    const done = service.supervisor.drain({ withinMs: 500 });
    gone.destroy();
    const { closed, forced, unsettled, tookMs } = await done;
    assert.deepEqual({ closed, forced, unsettled }, { closed: 2, forced: 2, unsettled: 0 });
    assert.ok(tookMs >= 500 && tookMs < 5_000, `${tookMs} ms`);
    assert.ok(performance.now() - began >= 500);
    assert.deepEqual(good.closeFrame, { code: 1001, reason: 'draining' });
    assert.equal(closeFrames(silent), 1);
    const verdicts = service.of('connection.closed').map(({ verdict }) => verdict);
    assert.equal(verdicts.filter(({ clean }) => clean).length, 1);
    assert.equal(verdicts.filter(({ cause }) => cause === 'close-timeout').length, 2);
    assert.equal(service.inFlight, 0);
    await until(() => good.closed && gone.closed, 'the others are gone');
    silent.destroy();
  });

  it('destroys no connection before the deadline although closeMs is longer', async () => {
    service = await Service.start({ timeouts: { closeMs: 60_000 } });
    const silent = await RawPeer.open(service.port, { allowHalfOpen: true });
    await opened(1);
    const { closed, forced } = await service.supervisor.drain({ withinMs: 200 });
    assert.deepEqual({ closed, forced }, { closed: 0, forced: 1 });
    const verdict = await service.closedAs({
      code: 1006,
      cause: 'close-timeout',
      origin: 'local',
      clean: false,
      sent: { code: 1001, reason: 'draining' },
      level: 'warn',
    });
    assert.ok(verdict.openMs >= 200);
    silent.destroy();
  });

  it('a silent peer is given up after closeMs, before the deadline: its connection counts as closed', async () => {
    service = await Service.start({ timeouts: { closeMs: 60 } });
    const silent = await RawPeer.open(service.port, { allowHalfOpen: true });
    await opened(1);
    const { closed, forced, tookMs } = await service.supervisor.drain({ withinMs: 10_000 });
    assert.deepEqual({ closed, forced }, { closed: 1, forced: 0 });
    assert.ok(tookMs < 8_000);
    silent.destroy();
  });

  it('connections that are already closing are awaited and keep their own code', async () => {
    service = await Service.start();
    // One after the other, so that their order shows which connection belongs to which peer.
    const ours = await RawPeer.open(service.port, { allowHalfOpen: true });
    const theirs = await RawPeer.open(service.port, { allowHalfOpen: true });
    const failing = await RawPeer.open(service.port, { allowHalfOpen: true });
    const [first, , third] = await opened(3);
    first?.close(4000, 'before');
    theirs.sendClose(4001);
    third?.fail(new Error('boom'));
    await until(() => service.supervisor.counts.open === 0, 'all are closing or leaving');
    const done = service.supervisor.drain({ withinMs: 5_000 });
    for (const peer of [ours, theirs, failing]) void peer.finishPolitely();
    const { closed, forced } = await done;
    assert.deepEqual({ closed, forced }, { closed: 3, forced: 0 });
    assert.equal(service.of('supervisor.draining')[0]?.connections, 3);
    assert.deepEqual(
      [ours, theirs, failing].map(({ closeFrame }) => closeFrame?.code),
      [4000, 4001, 1011],
    );
    for (const peer of [ours, theirs, failing]) assert.equal(closeFrames(peer), 1);
    const causes = service.of('connection.closed').map(({ verdict }) => verdict.cause);
    assert.deepEqual(causes.sort(), ['close', 'fail', 'peer-close']);
  });

  it('connections that never finish closing are destroyed at the deadline', async () => {
    service = await Service.start({ timeouts: { closeMs: 60_000, erroredMs: 60_000 } });
    // One after the other, so that the third peer belongs to the third connection.
    const peers: RawPeer[] = [];
    for (let index = 0; index < 3; index += 1) {
      peers.push(await RawPeer.open(service.port, { allowHalfOpen: true }));
    }
    const [first, second] = await opened(3);
    first?.close(4000);
    second?.fail(new Error('boom'));
    peers[2]?.socket.write(buildFrame({ opcode: 3 }));
    await until(() => service.supervisor.counts.open === 0, 'all are closing or leaving');
    const { closed, forced } = await service.supervisor.drain({ withinMs: 200 });
    assert.deepEqual({ closed, forced }, { closed: 0, forced: 3 });
    for (const peer of peers) peer.destroy();
  });

  it('connections with a running onOpen are closed, too', async () => {
    service = await Service.start({
      onOpen: () => new Promise(() => {}),
      timeouts: { welcomeMs: 300 },
    });
    const peer = await RawPeer.open(service.port);
    await opened(1);
    void peer.finishPolitely();
    const { closed, forced } = await service.supervisor.drain({ withinMs: 5_000 });
    assert.deepEqual({ closed, forced }, { closed: 1, forced: 0 });
    assert.equal(peer.closeFrame?.code, 1001);
  });

  it('a peer that does not read its messages is destroyed at the deadline', async () => {
    service = await Service.start();
    const stuck = await RawPeer.open(service.port);
    const [connection] = await opened(1);
    assert.ok(connection);
    stuck.pause();
    await fillBacklog(connection, 300_000);
    const { closed, forced } = await service.supervisor.drain({ withinMs: 200 });
    assert.deepEqual({ closed, forced }, { closed: 0, forced: 1 });
    assert.equal(service.of('connection.closed')[0]?.verdict.sent, undefined);
    stuck.destroy();
  });

  it('a peer that reads slowly gets everything sent before, then the close frame', async () => {
    service = await Service.start();
    const slow = await RawPeer.open(service.port);
    const [connection] = await opened(1);
    assert.ok(connection);
    slow.pause();
    await fillBacklog(connection, 300_000);
    connection.send('last');
    const done = service.supervisor.drain({ withinMs: 10_000 });
    slow.socket.resume();
    void slow.finishPolitely();
    const { closed, forced } = await done;
    assert.deepEqual({ closed, forced }, { closed: 1, forced: 0 });
    assert.equal(slow.texts.at(-1), '"last"');
    assert.deepEqual(slow.closeFrame, { code: 1001, reason: 'draining' });
  });

  it('peers that answer with something else, twice, or nonsense, still get one report each', async () => {
    service = await Service.start();
    const answers: readonly ((peer: RawPeer) => void)[] = [
      (peer) => peer.sendClose(4999, 'my own'),
      (peer) => peer.sendClose(),
      (peer) => {
        peer.sendClose(1001);
        peer.sendClose(1001);
      },
      (peer) => peer.send({ opcode: 3 }),
      (peer) => peer.reset(),
      (peer) => peer.end(),
      (peer) => {
        peer.json('one more thing');
        void peer.finishPolitely();
      },
    ];
    const peers = await Promise.all(answers.map(() => RawPeer.open(service.port)));
    await opened(peers.length);
    const done = service.supervisor.drain({ withinMs: 5_000, perSecond: 10_000 });
    await until(
      () => peers.every(({ closeFrame }) => closeFrame?.code === 1001),
      'all are reported',
    );
    for (const [index, answer] of answers.entries()) {
      const peer = peers[index];
      if (peer) answer(peer);
    }
    const { closed, forced } = await done;
    assert.deepEqual({ closed, forced }, { closed: answers.length, forced: 0 });
    for (const peer of peers) assert.equal(closeFrames(peer), 1);
    const ids = service.of('connection.closed').map(({ connection }) => connection.id);
    assert.equal(ids.length, answers.length);
    assert.equal(new Set(ids).size, answers.length);
    assert.deepEqual(service.messages, []);
  });
});
