import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { afterEach, describe, it } from 'node:test';
import { fillBacklog } from '../support/backlog.ts';
import { buildFrame, opcode } from '../support/frames.ts';
import { RawPeer } from '../support/raw-peer.ts';
import { Service } from '../support/service.ts';
import { until } from '../support/until.ts';

const pings = (count: number) =>
  Buffer.concat(Array.from({ length: count }, () => buildFrame({ opcode: opcode.ping })));

const pongsOf = (peer: RawPeer) => peer.frames.filter((frame) => frame.opcode === opcode.pong);

describe('E05: floods of control frames', () => {
  let service: Service;
  afterEach(() => service.stop());

  function floodedOnce() {
    const errors = service.of('connection.errored');
    assert.deepEqual(
      errors.map(({ cause }) => cause),
      ['ping-flood'],
    );
    return service.closedAs({
      code: 1006,
      reason: '',
      origin: 'local',
      layer: 'tcp',
      clean: false,
      cause: 'ping-flood',
      level: 'warn',
    });
  }

  it('E05: 60 pings in one chunk are all answered, and so are the next 60', async () => {
    service = await Service.start();
    const peer = await RawPeer.open(service.port);
    for (const total of [60, 120]) {
      peer.socket.write(pings(60));
      await until(() => pongsOf(peer).length === total, 'every ping is answered');
    }
    peer.json('still here');
    await until(() => service.messages.length === 1, 'a message arrives');
    assert.equal(service.supervisor.counts.open, 1);
  });

  it('E05b: 61 pings in one chunk end the connection with cause ping-flood', async () => {
    service = await Service.start();
    const peer = await RawPeer.open(service.port);
    const { id } = await service.opened();
    const known: boolean[] = [];
    service.supervisor.events$.subscribe(({ type }) => {
      if (type === 'connection.errored') known.push(service.supervisor.get(id) !== undefined);
    });
    peer.socket.write(pings(61));
    await service.when('connection.closed');
    const verdict = await floodedOnce();
    assert.equal(verdict.sent, undefined);
    assert.equal(verdict.error, undefined);
    assert.deepEqual(known, [false]);
    await until(() => peer.closed, 'the peer is let go');
    assert.equal(peer.closeFrame, undefined);
    assert.deepEqual(service.states.slice(2), ['open', 'errored', 'closing.reaping', 'closed']);
  });

  it('E05b: what follows a flood in the same chunk is not delivered', async () => {
    service = await Service.start();
    const peer = await RawPeer.open(service.port);
    const late = buildFrame({ opcode: opcode.text, payload: '"late"' });
    peer.socket.write(Buffer.concat([pings(61), late]));
    await floodedAfterClose();
    assert.deepEqual(service.messages, []);
  });

  it('E05c: pings behind our own backlog, one by one, end it as a ping flood', async () => {
    service = await Service.start({ limits: { outboxHighBytes: 4_000_000 } });
    const accepted = once(service.server, 'connection');
    const peer = await RawPeer.open(service.port);
    const [raw] = (await accepted) as [Socket];
    const connection = await service.opened();
    peer.pause();
    await fillBacklog(connection, 500_000);
    for (let count = 1; count <= 60; count += 1) await pingOnce(peer, raw);
    assert.equal(connection.state, 'open');
    peer.socket.write(pings(1));
    await floodedAfterClose();
    peer.destroy();
  });

  it('E05: 5,000 pongs that nobody asked for do no harm', async () => {
    service = await Service.start();
    const peer = await RawPeer.open(service.port);
    const pong = buildFrame({ opcode: opcode.pong, payload: 'unasked' });
    peer.socket.write(Buffer.concat(new Array(5_000).fill(pong)));
    peer.json('still here');
    await until(() => service.messages.length === 1, 'a message arrives');
    assert.equal(service.supervisor.counts.open, 1);
    assert.equal(peer.frames.length, 0);
  });

  async function floodedAfterClose() {
    await service.when('connection.closed');
    await floodedOnce();
  }

  async function pingOnce(peer: RawPeer, raw: Socket) {
    const read = raw.bytesRead;
    peer.socket.write(pings(1));
    await until(() => raw.bytesRead > read, 'the ping is read');
  }
});
