// Goal: a peer that reads slowly but continuously over TLS counts as neither slow nor dead. Method: send one message
// that takes longer to leave than stalledMs or the heartbeat allow, to a peer that counts the bytes that it reads.
import assert from 'node:assert/strict';
import { createServer as createSecureServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { describe, it } from 'node:test';
import { connect, createServer, type TLSSocket } from 'node:tls';
import { createClient } from '../../src/client/index.ts';
import { attach, createSupervisor } from '../../src/index.ts';
import { requestBytes } from '../support/before-open-instants.ts';
import { selfSigned } from '../support/certificate.ts';
import { acceptance, whenAsked } from '../support/rogue-server.ts';
import { stopsAndWatch } from '../support/stops.ts';
import { until } from '../support/until.ts';

const stops = stopsAndWatch();

const MESSAGE_BYTES = 12_000_000;
const message = 'x'.repeat(MESSAGE_BYTES);
/** The peer reads this many bytes a millisecond: about three seconds for the message. */
const PACE = 4_000;

const impatience = {
  heartbeat: { intervalMs: 300, graceMs: 800 },
  timeouts: { stalledMs: 800, closeMs: 500 },
  limits: { outboxHighBytes: 100_000, outboxLowBytes: 50_000 },
};

/** Reads slowly from now on, and answers nothing. Returns a function that counts the bytes read. */
function readSlowly(socket: TLSSocket): () => number {
  let bytes = 0;
  socket.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    socket.pause();
    setTimeout(() => socket.resume(), chunk.length / PACE);
  });
  return () => bytes;
}

describe('a peer that reads slowly over TLS', () => {
  it('keeps the connection that a client dialed', async () => {
    const certificate = selfSigned('localhost');
    let read = () => 0;
    const server = createServer(certificate, (socket) => {
      socket.on('error', () => {});
      whenAsked(socket, (request) => {
        socket.write(acceptance(request));
        read = readSlowly(socket);
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    stops.add(() => new Promise((resolve) => server.close(resolve)));
    const { port } = server.address() as AddressInfo;
    const client = createClient(`wss://localhost:${port}/`, {
      ...impatience,
      connect: { ca: certificate.cert },
      heartbeat: { ...impatience.heartbeat, message: 'ping', expects: () => false },
    });
    stops.add(() => client.close());
    const endings: unknown[] = [];
    client.endings$.subscribe((ending) => endings.push(ending));
    assert.equal(await client.sendAndFlush(message), 'sent');
    assert.deepEqual(endings, []);
    await until(() => read() > MESSAGE_BYTES / 2, 'it reads');
    client.connection?.terminate();
  });

  it('keeps the connection that a supervisor accepted', async () => {
    const certificate = selfSigned('localhost');
    const reports: string[] = [];
    const supervisor = createSupervisor({
      ...impatience,
      onOpen: (connection) => void connection.send(message),
    });
    supervisor.events$.subscribe(({ type }) => reports.push(type));
    const server = createSecureServer(certificate);
    attach(server, supervisor);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    stops.add(() => new Promise((resolve) => server.close(resolve)));
    stops.add(() => supervisor.drain({ withinMs: 100 }));
    const { port } = server.address() as AddressInfo;
    const peer = connect({
      port,
      host: '127.0.0.1',
      servername: 'localhost',
      ca: certificate.cert,
    });
    peer.on('error', () => {});
    const read = readSlowly(peer);
    peer.write(requestBytes(port));
    await until(() => read() > MESSAGE_BYTES, 'it has read the message', 15_000);
    assert.ok(!reports.includes('connection.closing'), reports.join());
    peer.destroy();
  });
});
