import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import { afterEach, describe, it } from 'node:test';
import { type Listener, listen, type SupervisorOptions } from '../../src/index.ts';
import { departures, haveArrived, requestBytes, tallied } from '../support/before-open-instants.ts';
import { Premises, socketsOf } from '../support/before-open-premises.ts';
import { connectOverTls, statusOverTls, tlsOptions } from '../support/before-open-tls.ts';
import { until } from '../support/until.ts';

/** The beginning of a TLS hello. */
const HELLO = Buffer.from('16030100c8010000c403030102030405', 'hex');
const SHORT_MS = 300;

let premises: Premises;
let listener: Listener | undefined;

afterEach(async () => {
  await listener?.close();
  listener = undefined;
  await premises.close();
});

async function startOverTls(options: SupervisorOptions<unknown, unknown, unknown> = {}) {
  premises = await Premises.start(options);
  const tls = { ...tlsOptions, handshakeTimeout: SHORT_MS };
  listener = await listen(premises.service.supervisor, { path: '/ws', tls });
  const { port, server } = listener;
  return { port, sockets: socketsOf(server) };
}

/** How the TCP connection below TLS can end. */
const endings: Readonly<Record<string, (tcp: Socket) => void>> = {
  RST: (tcp) => tcp.resetAndDestroy(),
  FIN: (tcp) => tcp.end(),
  silence: () => {},
};

describe('before open: over TLS', { timeout: 60_000 }, () => {
  for (const [kind, leave] of Object.entries(departures)) {
    it(`I03: ${kind} after each k-th byte of a TLS hello leaves nothing behind`, async () => {
      const { port, sockets } = await startOverTls();
      for (let length = 0; length <= HELLO.length; length += 1) {
        const peer = await premises.connect({ port });
        if (length > 0) peer.socket.write(HELLO.subarray(0, length));
        // Node.js may cut an invalid hello before it has read all of it.
        const seen = () => peer.closed || peer.ended || haveArrived([peer], sockets);
        await until(seen, 'the hello has arrived');
        leave(peer);
      }
      await until(() => sockets.size === 0, 'the server holds no socket');
      assert.deepEqual(premises.service.events, []);
    });
  }

  for (const [kind, leave] of Object.entries(endings)) {
    it(`inv 24: ${kind} during authenticate is one report`, async () => {
      const { port, sockets } = await startOverTls({
        authenticate: () => new Promise(() => {}),
        timeouts: { handshakeMs: 2 * SHORT_MS },
      });
      const { tcp, tls } = connectOverTls(port);
      tls.write(requestBytes(port));
      await until(() => premises.service.inFlight === 1, 'it is being admitted');
      leave(tcp);
      await until(() => sockets.size === 0, 'the server holds no socket');
      tcp.destroy();
      const silent = kind === 'silence';
      await premises.service.failedAs({
        states: ['handshaking.admitting', 'failed'],
        ...(silent && { cause: 'handshake-timeout', httpStatus: 503 }),
        phase: silent ? 'admission' : 'tcp',
        level: silent ? 'warn' : 'info',
      });
    });
  }

  it('inv 24: RST right behind 101 is opened and closed', async () => {
    const { port, sockets } = await startOverTls();
    const { tcp, tls } = connectOverTls(port);
    tls.once('data', () => tcp.resetAndDestroy());
    tls.write(requestBytes(port));
    await premises.service.closedAs({ code: 1006, cause: 'tcp-reset', level: 'warn' });
    await until(() => sockets.size === 0, 'the server holds no socket');
    assert.deepEqual(tallied(premises.service), { failed: 0, opened: 1, closed: 1 });
  });

  it('A05: another origin is refused over TLS as it is without', async () => {
    const { port, sockets } = await startOverTls();
    assert.equal(await statusOverTls(port, { Origin: 'https://evil.example' }), 403);
    await until(() => sockets.size === 0, 'the server holds no socket');
    await premises.service.failedAs({ cause: 'wrong-origin', httpStatus: 403, level: 'warn' });
  });
});
