import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import { type FailureCause, listen, Refusal } from '../../src/index.ts';
import { arrived, departures, requestBytes, tallied } from '../support/before-open-instants.ts';
import { Premises, socketsOf } from '../support/before-open-premises.ts';
import { buildFrame, opcode } from '../support/frames.ts';
import type { RawPeer } from '../support/raw-peer.ts';
import { turns, until } from '../support/until.ts';

let premises: Premises;

afterEach(() => premises.close());

/** Clients that have each written the first `counts[i]` bytes, all of which have arrived. */
async function halfway(bytes: Buffer, counts: readonly number[]): Promise<RawPeer[]> {
  const peers = await Promise.all(counts.map(() => premises.connect()));
  for (const [index, peer] of peers.entries()) {
    const part = bytes.subarray(0, counts[index]);
    if (part.length > 0) peer.socket.write(part);
  }
  await arrived(peers, premises.sockets);
  return peers;
}

/** The first client writes no byte of the frame, the second one byte, and so on. */
async function begin(frame: Buffer, peers: readonly RawPeer[]): Promise<void> {
  for (const [index, peer] of peers.entries()) {
    if (index > 0) peer.socket.write(frame.subarray(0, index));
  }
  await arrived(peers, premises.sockets);
}

/** The numbers from `from` to `to`, without `to`. */
function range(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_unused, index) => from + index);
}

const never = () => new Promise<unknown>(() => {});

describe('inv 24: a client leaves at any instant before the request is complete', {
  timeout: 120_000,
}, () => {
  for (const kind of ['RST', 'FIN']) {
    it(`inv 24: ${kind} after each k-th byte of the request`, async () => {
      premises = await Premises.start();
      const request = requestBytes(premises.service.port);
      const peers = await halfway(request, range(0, request.length));
      for (const peer of peers) departures[kind]?.(peer);
      await premises.vacant();
      assert.deepEqual(premises.service.events, []);
      assert.deepEqual(premises.service.calls, []);
    });
  }

  it('inv 24: silence after each k-th byte of the request', async () => {
    premises = await Premises.start();
    const { server, port, close } = await listen(premises.service.supervisor, { path: '/ws' });
    const sockets = socketsOf(server);
    const request = requestBytes(port);
    const peers = await Promise.all(range(0, request.length).map(() => premises.connect({ port })));
    for (const [count, peer] of peers.entries()) {
      if (count > 0) peer.socket.write(request.subarray(0, count));
    }
    await arrived(peers, sockets);
    server.headersTimeout = 300;
    await until(() => sockets.size === 0, 'the server has cut everybody');
    assert.deepEqual([...new Set(peers.map(({ status }) => status))], [408]);
    assert.deepEqual(premises.service.events, []);
    await close();
  });
});

describe('inv 24: a client leaves during authenticate', { timeout: 120_000 }, () => {
  const causes: Record<string, readonly FailureCause[]> = {
    RST: ['tcp-reset'],
    FIN: ['abandoned', 'handshake-timeout'],
    silence: ['handshake-timeout'],
  };

  for (const [kind, leave] of Object.entries(departures)) {
    it(`inv 24: ${kind} behind the request and behind each byte of a first frame`, async () => {
      premises = await Premises.start({ authenticate: never, timeouts: { handshakeMs: 700 } });
      const request = requestBytes(premises.service.port);
      const frame = buildFrame({ opcode: opcode.text, payload: '"hello"' });
      const counts = range(request.length, request.length + frame.length + 1);
      const peers = await halfway(
        request,
        counts.map(() => request.length),
      );
      await until(() => premises.service.inFlight === peers.length, 'all are being admitted');
      await begin(frame, peers);
      peers.forEach(leave);
      await premises.vacant();
      assert.deepEqual(tallied(premises.service), { failed: peers.length, opened: 0, closed: 0 });
      for (const { failure } of premises.service.of('connection.failed')) {
        assert.ok(causes[kind]?.includes(failure.cause), `${kind}: ${failure.cause}`);
      }
    });
  }

  const outcomes: Readonly<Record<string, () => unknown>> = {
    grants: () => 'somebody',
    refuses: () => {
      throw new Refusal(403);
    },
    throws: () => {
      throw new Error('the database is gone');
    },
  };
  for (const [outcome, settle] of Object.entries(outcomes)) {
    for (const kind of ['RST', 'FIN']) {
      it(`inv 24: ${kind} in each turn around the one in which authenticate ${outcome}`, async () => {
        premises = await Premises.start({
          authenticate: async ({ headers }) => {
            await turns(Number(headers['x-turns']));
            return settle();
          },
        });
        const grid = range(0, 8).flatMap((authTurns) =>
          range(0, 8).map((gone) => [authTurns, gone]),
        );
        for (const [authTurns = 0, gone = 0] of grid) {
          const peer = await premises.ask({ headers: { 'X-Turns': String(authTurns) } });
          await turns(gone);
          departures[kind]?.(peer);
        }
        await premises.vacant();
        const { failed, opened, closed } = tallied(premises.service);
        assert.equal(opened, closed);
        // A reset may overtake its own request, which then nobody saw.
        assert.ok(failed + opened <= grid.length);
        if (kind === 'FIN') assert.equal(failed + opened, grid.length);
        if (outcome !== 'grants') assert.equal(opened, 0);
      });
    }
  }
});

describe('inv 24: a client leaves right behind the answer', { timeout: 120_000 }, () => {
  const count = 40;

  for (const [kind, leave] of Object.entries(departures)) {
    it(`inv 24: ${kind} as soon as 101 arrives`, async () => {
      premises = await Premises.start();
      const peers = await Promise.all(range(0, count).map(() => premises.connect()));
      for (const peer of peers) {
        peer.socket.once('data', () => leave(peer));
        peer.request();
      }
      await until(() => premises.service.of('connection.opened').length === count, 'all open');
      if (kind === 'silence') for (const peer of peers) peer.destroy();
      await premises.vacant();
      assert.deepEqual(tallied(premises.service), { failed: 0, opened: count, closed: count });
    });

    for (const [when, refuse] of [
      ['at once', () => Promise.reject(new Refusal(401))],
      ['later', () => turns(4).then(() => Promise.reject(new Refusal(401)))],
    ] as const) {
      it(`inv 24: ${kind} while a refusal that is sent ${when} is on its way`, async () => {
        premises = await Premises.start({ authenticate: refuse });
        await askAndLeave(count, leave);
        await premises.vacant();
        const { failed, opened } = tallied(premises.service);
        assert.equal(opened, 0);
        assert.ok(kind === 'RST' ? failed <= count : failed === count, `${failed} failed`);
      });
    }
  }
});

/** Half of the clients leave at the first byte of the answer, the others as soon as they have sent the request. */
async function askAndLeave(count: number, leave: (peer: RawPeer) => void): Promise<void> {
  const connecting = range(0, count).map(() => premises.connect({ allowHalfOpen: true }));
  for (const [index, peer] of (await Promise.all(connecting)).entries()) {
    peer.request();
    if (index % 2 === 0) peer.socket.once('data', () => leave(peer));
    else setImmediate(() => leave(peer));
  }
}
