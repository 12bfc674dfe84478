import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { afterEach, describe, it } from 'node:test';
import { WebSocket } from 'ws';
import { attach, createSupervisor } from '../../src/index.ts';
import { buildFrame, opcode } from '../support/frames.ts';
import { ProcessWatch } from '../support/process-watch.ts';
import { RawPeer } from '../support/raw-peer.ts';
import { Service } from '../support/service.ts';
import { until } from '../support/until.ts';

const unmasked = buildFrame({ opcode: opcode.text, payload: '"hi"', masked: false });
const masked = buildFrame({ opcode: opcode.text, payload: '"hi"' });

/** A ws client with the socket below it. */
async function wsClient(url: string) {
  const client = new WebSocket(url);
  const ended: { code: number; clean: boolean }[] = [];
  const errors: string[] = [];
  client.addEventListener('close', ({ code, wasClean }) => ended.push({ code, clean: wasClean }));
  client.on('error', (error: NodeJS.ErrnoException) => errors.push(error.code ?? error.message));
  const [[response]] = await Promise.all([once(client, 'upgrade'), once(client, 'open')]);
  return { client, ended, errors, raw: (response as { socket: Socket }).socket };
}

describe('E: how a violation ends', () => {
  let service: Service;
  afterEach(() => service.stop());

  const violated = {
    code: 1006,
    sent: { code: 1002, reason: '' },
    origin: 'local',
    layer: 'websocket',
    clean: false,
    cause: 'protocol-error',
    level: 'error',
  } as const;
  const takenAway = {
    code: 1002,
    origin: 'local',
    layer: 'tcp',
    clean: true,
    cause: 'taken-away',
    retry: 'backoff',
    level: 'error',
  } as const;

  /** Which side violates the protocol, how the connection ends, and how the client does. */
  const beside = [
    ['E03: a ws client that violates gets our code and ends clean', ['client'], violated, 1002],
    [
      'E03: a masked frame that a neighbour writes makes the client close 1002: taken away',
      ['server'],
      takenAway,
      1006,
    ],
    ['E10: both sides violate at once: both end with 1006', ['client', 'server'], violated, 1006],
  ] as const;
  for (const [title, violators, verdict, code] of beside) {
    it(title, async () => {
      const violates = new Set<string>(violators);
      service = await Service.start();
      const accepted = once(service.server, 'connection');
      const { raw, ended, errors } = await wsClient(service.url);
      const [ours] = (await accepted) as [Socket];
      if (violates.has('client')) raw.write(unmasked);
      if (violates.has('server')) ours.write(masked);
      await service.closedAs(verdict);
      await until(() => ended.length === 1, 'the client has closed');
      assert.deepEqual(ended, [{ code, clean: code !== 1006 }]);
      assert.deepEqual(errors, violates.has('server') ? ['WS_ERR_UNEXPECTED_MASK'] : []);
      assert.equal(service.of('connection.errored').length, verdict === violated ? 1 : 0);
    });
  }

  it('E07: a listener that throws at the error never keeps the connection from closing', async () => {
    const watch = new ProcessWatch();
    service = await Service.start();
    service.supervisor.events$.subscribe(() => {
      throw new Error('listener');
    });
    const peer = await RawPeer.open(service.port);
    peer.socket.write(unmasked);
    await service.closedAs({ cause: 'protocol-error', clean: false, level: 'error' });
    assert.deepEqual(peer.closeFrame, { code: 1002, reason: '' });
    await watch.assertQuiet();
    watch.stop();
  });

  it('E08b: terminate() while the error is reported still lets the close frame leave', async () => {
    service = await Service.start();
    service.supervisor.events$.subscribe((event) => {
      if (event.type === 'connection.errored') event.connection.terminate();
    });
    const peer = await RawPeer.open(service.port);
    peer.socket.write(unmasked);
    await service.closedAs({
      code: 1006,
      sent: { code: 1002, reason: '' },
      cause: 'protocol-error',
      clean: false,
      level: 'error',
    });
    await until(() => peer.closed, 'the peer is released');
    assert.deepEqual(peer.closeFrame, { code: 1002, reason: '' });
  });
});

describe('E06: without a listener', () => {
  it('E06: a violation without any handler or subscriber does not end the process', async () => {
    const watch = new ProcessWatch();
    const supervisor = createSupervisor();
    const server = createServer();
    attach(server, supervisor);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const violator = await RawPeer.open(port);
    const sibling = await RawPeer.open(port);
    violator.socket.write(unmasked);
    await until(() => violator.closed, 'the violator is released');
    assert.deepEqual(violator.closeFrame, { code: 1002, reason: '' });
    assert.equal(supervisor.broadcast('hello').delivered, 1);
    await until(() => sibling.texts.length === 1, 'the sibling is still open');
    await watch.assertQuiet();
    watch.stop();
    sibling.destroy();
    await supervisor.drain({ withinMs: 1_000 });
    await new Promise((resolve) => server.close(resolve));
  });
});
