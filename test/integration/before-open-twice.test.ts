import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import { afterEach, describe, it } from 'node:test';
import { WebSocketServer } from 'ws';
import { Premises } from '../support/before-open-premises.ts';
import { until } from '../support/until.ts';

let premises: Premises;

afterEach(() => premises.close());

/** A foreign WebSocket server on the same HTTP server. It echoes. */
function foreignServer(): WebSocketServer {
  const foreign = new WebSocketServer({ server: premises.service.server });
  foreign.on('connection', (socket) => {
    socket.on('error', () => {});
    socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }));
  });
  return foreign;
}

/** An authenticate that the test settles. */
function gate() {
  let open: (peer: unknown) => void = () => {};
  const promise = new Promise<unknown>((resolve) => {
    open = resolve;
  });
  return { authenticate: () => promise, open };
}

describe('A10: one upgrade is handled twice', { timeout: 60_000 }, () => {
  it('A10: another WebSocket server was first: ours fails and reports it', async () => {
    const { authenticate, open } = gate();
    premises = await Premises.start({ authenticate }, { path: '/ws', takeOver: false });
    foreignServer();
    await premises.open();
    open('somebody');
    const { error } = await premises.service.failedAs({
      states: ['handshaking.admitting', 'handshaking.upgrading', 'failed'],
      phase: 'config',
      cause: 'taken-away',
      level: 'error',
    });
    assert.match(error?.message ?? '', /another part of this process/);
  });

  it('A10: another WebSocket server was first: its connection is unaffected', async () => {
    const { authenticate, open } = gate();
    premises = await Premises.start({ authenticate }, { path: '/ws', takeOver: false });
    foreignServer();
    const peer = await premises.open();
    open('somebody');
    await premises.service.when('connection.failed');
    peer.text('still there?');
    await until(() => peer.texts.length > 0 || peer.ended || peer.closed, 'an echo arrives');
    assert.deepEqual(peer.texts, ['still there?']);
    assert.equal(peer.violation, undefined);
    assert.equal(peer.ended, false);
  });

  for (const later of [false, true]) {
    const when = later ? 'later' : 'at once';
    it(`A10: the same upgrade is passed to us again ${when}: the first connection continues`, async () => {
      premises = await Premises.start({ onMessage: (connection) => void connection.send('echo') });
      handTwice(later);
      const peer = await premises.open({ path: '/twice' });
      const { failure } = await premises.service.when('connection.failed');
      assert.equal(failure.cause, 'taken-away');
      peer.json('still there?');
      await until(() => peer.texts.length > 0 || peer.ended || peer.closed, 'an echo arrives');
      assert.deepEqual(peer.texts, ['"echo"']);
      peer.reset();
      const { verdict } = await premises.service.when('connection.closed');
      assert.equal(verdict.cause, 'tcp-reset');
      assert.equal(premises.service.of('connection.opened').length, 1);
    });
  }
});

function handTwice(later: boolean): void {
  const { server, supervisor } = premises.service;
  server.on('upgrade', (request, stream, head: Buffer) => {
    if (request.url !== '/twice') return;
    const upgrade = { request, socket: stream as Socket, head };
    supervisor.handleUpgrade(upgrade);
    if (later) setImmediate(() => supervisor.handleUpgrade(upgrade));
    else supervisor.handleUpgrade(upgrade);
  });
}
