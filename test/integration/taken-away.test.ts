import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { afterEach, describe, it } from 'node:test';
import { type CloseVerdict, createSupervisor, listen } from '../../src/index.ts';
import { requestBytes } from '../support/before-open-instants.ts';
import { Premises } from '../support/before-open-premises.ts';
import { connectOverTls, tlsOptions } from '../support/before-open-tls.ts';
import { buildFrame, opcode } from '../support/frames.ts';
import { until } from '../support/until.ts';

// Goal: the peer is never blamed for what another part of the process did to a socket. Method: do it, before
// the connection opens and after, and let the peer answer as real peers do.

let premises: Premises;

afterEach(() => premises.close());

const HTTP_400 = 'HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n';

const deeds: readonly [string, (socket: Duplex) => unknown][] = [
  ['destroys it', (socket) => socket.destroy()],
  ['destroys it with an error', (socket) => socket.destroy(new Error('shutting down'))],
  ['ends it', (socket) => socket.end()],
  ['writes to it and ends it', (socket) => socket.end(HTTP_400)],
  ['writes to it', (socket) => socket.write(HTTP_400)],
];

describe('taken away: another part of the process uses the socket, too', {
  timeout: 60_000,
}, () => {
  for (const [deed, act] of deeds) {
    it(`before it opens: a neighbour ${deed} while authenticate runs`, async () => {
      let grant = (_peer: string) => {};
      premises = await Premises.start({
        timeouts: { handshakeMs: 500 },
        authenticate: (request) => {
          setImmediate(() => act(request.socket));
          return new Promise<string>((resolve) => {
            grant = resolve;
          });
        },
      });
      const peer = await premises.connect({ allowHalfOpen: true });
      peer.request();
      await until(() => peer.closed || peer.ended || peer.answer !== '', 'the client notices');
      grant('somebody');
      await premises.service.failedAs({
        ...{ phase: 'config', cause: 'taken-away', retry: 'backoff', level: 'error' },
      });
      peer.destroy();
      await until(() => premises.sockets.size === 0, 'the socket is released');
    });

    it(`before it opens: a neighbour ${deed}, and the client leaves`, async () => {
      premises = await Premises.start({
        authenticate: (request) => {
          setImmediate(() => act(request.socket));
          return new Promise(() => {});
        },
      });
      const peer = await premises.ask();
      await until(() => peer.closed || peer.ended || peer.answer !== '', 'the client notices');
      peer.end();
      await premises.service.failedAs({ cause: 'taken-away', level: 'error' });
      peer.destroy();
    });

    it(`while it is open: a neighbour ${deed}`, async () => {
      premises = await Premises.start();
      const accepted = once(premises.service.server, 'connection');
      const peer = await premises.open();
      const [socket] = (await accepted) as [Socket];
      const connection = await premises.service.opened();
      connection.send('before');
      peer.send({ opcode: opcode.ping, payload: 'are you there' });
      await until(() => peer.frames.length === 2, 'a message and a pong arrive');
      act(socket);
      await until(
        () => peer.closed || peer.ended || peer.violation !== undefined,
        'the client notices',
      );
      // As ws and browsers answer input that is not a WebSocket, or an end without a close frame.
      if (peer.violation !== undefined) peer.sendClose(1002);
      peer.end();
      await premises.service.closedAs({
        ...{ cause: 'taken-away', origin: 'local', retry: 'backoff', level: 'error' },
      });
      const origins = premises.service.of('connection.closing').map(({ origin }) => origin);
      assert.deepEqual(new Set(origins), new Set(origins.length > 0 ? ['local'] : []));
    });
  }

  it('while it is open: ended by a neighbour, the next ping finds it', async () => {
    premises = await Premises.start({ heartbeat: { intervalMs: 100, graceMs: 100 } });
    const accepted = once(premises.service.server, 'connection');
    const peer = await premises.open({ allowHalfOpen: true });
    const [socket] = (await accepted) as [Socket];
    const connection = await premises.service.opened();
    socket.end();
    assert.equal(connection.send('late'), 'refused');
    await premises.service.closedAs({ cause: 'taken-away', level: 'error' });
    peer.destroy();
  });

  it('never blames anybody for what this side wrote itself, also over TLS', async () => {
    premises = await Premises.start();
    const verdicts: CloseVerdict[] = [];
    const supervisor = createSupervisor({
      heartbeat: { intervalMs: 50, graceMs: 5_000 },
      onOpen(connection) {
        connection.join('all');
        connection.send('x'.repeat(100_000));
        supervisor.topic('all').publish('y'.repeat(70_000));
      },
      onClose: (_connection, verdict) => verdicts.push(verdict),
    });
    const listener = await listen(supervisor, { tls: tlsOptions });
    const { tls } = connectOverTls(listener.port);
    let received = 0;
    tls.on('data', (chunk: Buffer) => {
      received += chunk.length;
    });
    tls.write(requestBytes(listener.port));
    await until(() => received > 170_000, 'the messages to it arrive');
    const before = received;
    tls.write(buildFrame({ opcode: opcode.ping, payload: 'ping', masked: true }));
    await until(() => received >= before + 8, 'a pong and a ping arrive');
    tls.end();
    await until(() => verdicts.length === 1, 'it is over');
    assert.equal(verdicts[0]?.cause, 'tcp-fin');
    await supervisor.drain({ withinMs: 50 });
    await listener.close();
  });
});
