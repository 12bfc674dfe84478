// Goal: a capture shows the frames on the wire, and no payload. Method: real sockets, a raw peer that sends fragments
// and control frames, and the lines that were written.
import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import { createClient } from '../../src/client/index.ts';
import { type CaptureOptions, captureFrames, MooringError } from '../../src/index.ts';
import { type Acceptor, acceptorKey } from '../../src/server/acceptor.ts';
import type { AttachedSupervisor } from '../../src/server/upgrade-dispatcher.ts';
import { closePayload, opcode } from '../support/frames.ts';
import { RawPeer } from '../support/raw-peer.ts';
import { Service } from '../support/service.ts';
import { turns, until } from '../support/until.ts';

type Line = Readonly<Record<string, unknown>>;

describe('captureFrames', () => {
  let service: Service;
  let lines: Line[] = [];
  let texts: string[] = [];

  afterEach(async () => {
    lines = [];
    texts = [];
    await service.stop();
  });

  function capture(options: Partial<CaptureOptions> = { sample: 1 }): () => void {
    const write = (line: string) => {
      texts.push(line);
      lines.push(JSON.parse(line));
    };
    return captureFrames(service.supervisor, { write, ...options });
  }

  /** The lines of one direction, without times and ids. */
  function headers(direction: 'in' | 'out'): Line[] {
    return lines
      .filter((line) => line['direction'] === direction)
      .map(({ at, id, direction: _, ...header }) => header);
  }

  const whenWritten = (count: number) =>
    until(() => lines.length >= count, `${count} lines are written, not ${lines.length}`);

  const masked = { fin: true, masked: true };
  const plain = { fin: true, masked: false };

  it('has every frame that the peer sent, including fragments and the control frames between them', async () => {
    service = await Service.start();
    capture();
    const peer = await RawPeer.open(service.port);
    const beganAtMs = Date.now();
    peer.send({ opcode: opcode.text, payload: '"secret', fin: false });
    peer.send({ opcode: opcode.ping, payload: 'abc' });
    peer.send({ opcode: opcode.continuation, payload: 's'.repeat(300), fin: false });
    peer.send({ opcode: opcode.continuation, payload: 's'.repeat(70_000), fin: false });
    peer.send({ opcode: opcode.continuation, payload: '"' });
    peer.send({ opcode: opcode.pong, payload: '' });
    peer.send({ opcode: opcode.close, payload: closePayload(4321, 'secret') });
    await service.when('connection.closed');
    await whenWritten(9);
    assert.deepEqual(headers('in'), [
      { opcode: 'text', ...masked, fin: false, bytes: 7 },
      { opcode: 'ping', ...masked, bytes: 3 },
      { opcode: 'continuation', ...masked, fin: false, bytes: 300 },
      { opcode: 'continuation', ...masked, fin: false, bytes: 70_000 },
      { opcode: 'continuation', ...masked, bytes: 1 },
      { opcode: 'pong', ...masked, bytes: 0 },
      { opcode: 'close', ...masked, bytes: 8, code: 4321, reasonBytes: 6 },
    ]);
    assert.deepEqual(headers('out'), [
      { opcode: 'pong', ...plain, bytes: 3 },
      { opcode: 'close', ...plain, bytes: 8, code: 4321, reasonBytes: 6 },
    ]);
    assert.doesNotMatch(texts.join(''), /secret/);
    for (const { at, id } of lines) {
      assert.equal(id, service.of('connection.opened')[0]?.connection.id);
      assert.ok(Number(at) >= beganAtMs - 2 && Number(at) <= Date.now() + 2);
    }
    for (const text of texts) assert.match(text, /^\{.*\}\n$/);
  });

  it('has every frame that this side sent, of all lengths, also several from one write', async () => {
    service = await Service.start({ heartbeat: { intervalMs: 100, graceMs: 1_000 } });
    const peer = await RawPeer.open(service.port);
    const connection = await service.opened();
    capture({ id: connection.id });
    for (const length of [10, 1_000, 70_000]) connection.send('x'.repeat(length - 2));
    await until(() => peer.texts.length === 3, 'messages arrive');
    connection.close(1001, 'bye');
    await until(() => peer.closeFrame !== undefined, 'the close frame arrives');
    await whenWritten(4);
    const sent = headers('out').filter((header) => header['opcode'] !== 'ping');
    assert.deepEqual(sent, [
      ...[10, 1_000, 70_000].map((bytes) => ({ opcode: 'text', ...plain, bytes })),
      { opcode: 'close', ...plain, bytes: 5, code: 1001, reasonBytes: 3 },
    ]);
  });

  it('has pings, and has each frame once when a pause splits its read', async () => {
    service = await Service.start({
      heartbeat: { intervalMs: 50, graceMs: 1_000 },
      onMessage: (connection) => {
        connection.pause();
        setTimeout(() => connection.resume(), 1);
      },
    });
    capture();
    const peer = await RawPeer.open(service.port);
    const frame = peer.frame({ opcode: opcode.text, payload: '"hi"' });
    peer.socket.write(Buffer.concat([frame, frame, frame]));
    await until(() => service.messages.length === 3, 'all arrive');
    await until(() => headers('out').length > 0, 'a ping leaves');
    assert.equal(headers('in').filter((header) => header['opcode'] === 'text').length, 3);
    assert.deepEqual(headers('out')[0], { opcode: 'ping', ...plain, bytes: 0 });
  });

  it('has both directions of a connection that a client of the supervisor dialed', async () => {
    service = await Service.start({ onMessage: (connection) => void connection.send('pong!') });
    const near = await Service.start();
    const write = (line: string) => lines.push(JSON.parse(line));
    const stop = captureFrames(near.supervisor, { sample: 1, write });
    const client = createClient(service.url, { supervisor: near.supervisor });
    client.send('hello');
    await whenWritten(2);
    assert.deepEqual(headers('out')[0], { opcode: 'text', ...masked, bytes: 7 });
    assert.deepEqual(headers('in')[0], { opcode: 'text', ...plain, bytes: 7 });
    stop();
    await client.close();
    await near.stop();
  });

  it('captures the selected connections, and no others', async () => {
    service = await Service.start({
      authenticate: (request) => request.url ?? '',
      key: (peer) => String(peer),
    });
    capture({ key: '/ws?ann' });
    const peers: RawPeer[] = [];
    for (const path of ['/ws?ann', '/ws?bob', '/ws?ann']) {
      peers.push(await RawPeer.open(service.port, { path }));
    }
    for (const peer of peers) peer.text('"hi"');
    await until(() => service.messages.length === 3, 'all arrive');
    await whenWritten(2);
    assert.deepEqual([...new Set(lines.map(({ id }) => id))].length, 2);
    assert.equal(lines.length, 2);
  });

  it('captures a share of them, or those of an address', async () => {
    service = await Service.start();
    capture({ sample: 1 / 4 });
    capture({ address: '203.0.113.9' });
    for (let count = 0; count < 8; count += 1) (await RawPeer.open(service.port)).text('"hi"');
    await until(() => service.messages.length === 8, 'all arrive');
    await whenWritten(2);
    assert.equal(lines.length, 2);
  });

  it('restores the socket when it is stopped', async () => {
    service = await Service.start();
    const peer = await RawPeer.open(service.port);
    await service.opened();
    const [first, second] = [capture(), capture()];
    peer.text('"one"');
    await whenWritten(2);
    first();
    peer.text('"two"');
    await whenWritten(3);
    second();
    first();
    peer.text('"three"');
    await until(() => service.messages.length === 3, 'all arrive');
    await turns(3);
    assert.equal(lines.length, 3);
  });

  it('may begin and stop any number of times, also before the previous one has stopped', async () => {
    service = await Service.start();
    const peer = await RawPeer.open(service.port);
    const connection = await service.opened();
    const write = () => {};
    let stop = captureFrames(service.supervisor, { sample: 1, write });
    for (let index = 0; index < 20_000; index += 1) {
      const next = captureFrames(service.supervisor, { sample: 1, write });
      stop();
      stop = next;
    }
    const last = capture();
    stop();
    assert.equal(connection.send('one'), 'sent');
    peer.text('"two"');
    await whenWritten(2);
    last();
    assert.deepEqual([headers('out').length, headers('in').length], [1, 1]);
  });

  it('ends with the connection if it was for one id', async () => {
    service = await Service.start();
    const peer = await RawPeer.open(service.port);
    const { id } = await service.opened();
    capture({ id });
    const { registry } = (service.supervisor as unknown as AttachedSupervisor)[
      acceptorKey
    ] as unknown as Acceptor<unknown, unknown, unknown, unknown>;
    assert.equal(registry.watchers.size, 1);
    peer.destroy();
    await service.when('connection.closed');
    assert.equal(registry.watchers.size, 0);
  });

  it('counts lines over its limit per second, and ends after its last line', async () => {
    service = await Service.start();
    const peer = await RawPeer.open(service.port);
    await service.opened();
    const stop = capture({ sample: 1, linesPerSecondMax: 2 });
    for (let count = 0; count < 6; count += 1) peer.text('"hi"');
    await until(() => service.messages.length === 6, 'all arrive');
    await whenWritten(2);
    stop();
    assert.equal(lines.length, 3);
    assert.equal(lines[2]?.['dropped'], 4);
    capture({ sample: 1, linesMax: 1 });
    for (let count = 0; count < 3; count += 1) peer.text('"hi"');
    await until(() => service.messages.length === 9, 'all arrive');
    await whenWritten(5);
    assert.equal(lines.length, 5);
    assert.equal(lines[4]?.['ended'], 'linesMax');
  });

  it('reports what write throws, and continues', async () => {
    service = await Service.start();
    const stop = captureFrames(service.supervisor, {
      sample: 1,
      write() {
        throw new Error('disk full');
      },
    });
    const peer = await RawPeer.open(service.port);
    peer.text('"one"');
    peer.text('"two"');
    await until(() => service.of('handler.errored').length === 2, 'both are reported');
    const [{ handler, error } = { handler: '', error: new Error() }] =
      service.of('handler.errored');
    assert.deepEqual([handler, error.message], ['capture', 'disk full']);
    assert.equal(service.supervisor.counts.open, 1);
    stop();
  });

  it('may close the connection from within write', async () => {
    service = await Service.start();
    captureFrames(service.supervisor, {
      sample: 1,
      write: () => void service.of('connection.opened')[0]?.connection.terminate(),
    });
    const peer = await RawPeer.open(service.port);
    peer.text('"one"');
    const { verdict } = await service.when('connection.closed');
    assert.equal(verdict.cause, 'terminate');
  });

  it('refuses options that name no connection', async () => {
    service = await Service.start();
    const { supervisor } = service;
    const write = () => {};
    for (const options of [{ write }, { sample: 0, write }, { sample: 1 }, { id: 1, write }]) {
      assert.throws(
        () => captureFrames(supervisor, options as unknown as CaptureOptions),
        (error) => error instanceof MooringError && error.code === 'invalid-options',
      );
    }
    assert.throws(
      () => captureFrames({} as never, { sample: 1, write }),
      (error) => error instanceof MooringError && error.code === 'invalid-argument',
    );
  });
});
