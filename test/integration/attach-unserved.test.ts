import assert from 'node:assert/strict';
import type { Duplex } from 'node:stream';
import { afterEach, describe, it } from 'node:test';
import { Premises } from '../support/before-open-premises.ts';
import { ProcessWatch } from '../support/process-watch.ts';
import { until } from '../support/until.ts';

// Goal: no upgrade request stays without an owner. Method: neighbours on the same server that touch, or do not
// touch, requests for others, with the real deadlines.

let premises: Premises;

afterEach(() => premises.close());

const elsewhere = { path: '/nobody' };

/** Adds a listener of a neighbour. */
function neighbour(handle: (socket: Duplex, request: object) => unknown): void {
  premises.service.server.on('upgrade', (request, socket) => void handle(socket, request));
}

const causes = () => premises.service.of('connection.failed').map(({ failure }) => failure.cause);

describe('attach: an upgrade that no server handles', { timeout: 60_000 }, () => {
  it('is answered with 404 and released when no listener touches it', async () => {
    premises = await Premises.start();
    neighbour(() => {});
    const answer = await premises.refused(elsewhere);
    assert.equal(answer.status, 404);
    assert.deepEqual(causes(), ['wrong-path']);
    await premises.vacant();
  });

  it('never ends the process when it is reset meanwhile', async () => {
    premises = await Premises.start();
    const watch = new ProcessWatch();
    let seen = 0;
    neighbour(() => {
      seen += 1;
    });
    const peer = await premises.ask(elsewhere);
    await until(() => seen === 1, 'the neighbour has seen it');
    peer.reset();
    await until(() => premises.sockets.size === 0, 'the socket is gone');
    await watch.assertQuiet();
    watch.stop();
    assert.deepEqual(causes(), []);
  });

  it('lets the server close', async () => {
    premises = await Premises.start();
    neighbour(() => {});
    await premises.ask(elsewhere);
    await until(() => premises.sockets.size === 1, 'it has arrived');
    const closed = new Promise((resolve) => premises.service.server.close(resolve));
    await closed;
  });

  const checks: readonly [string, (socket: Duplex, request: object) => unknown][] = [
    [
      'an async listener is still at work',
      () => new Promise((resolve) => setTimeout(resolve, 3_000)),
    ],
    ['somebody listens to the socket', (socket) => socket.on('close', () => {})],
    ['somebody reads the socket', (socket) => socket.resume()],
    ['somebody noted it on the request', (_, request) => Object.assign(request, { ours: true })],
  ];
  for (const [title, check] of checks) {
    it(`is left alone while ${title}`, async () => {
      premises = await Premises.start();
      premises.service.server.on('upgrade', (request, socket) => {
        const later = () => {
          socket.end('HTTP/1.1 418 No\r\nConnection: close\r\nContent-Length: 0\r\n\r\n');
        };
        const result = check(socket, request);
        setTimeout(later, 2_900);
        return result as undefined;
      });
      assert.equal((await premises.refused(elsewhere)).status, 418);
      assert.deepEqual(causes(), []);
    });
  }
});
