// Goal: peers whose reads take long do not delay the others. Method: a clock on which every read takes long, so that
// fast and slow machines behave alike, and the bytes read in one turn of the event loop.
import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import { afterEach, describe, it } from 'node:test';
import { systemClock } from '../../src/core/clock.ts';
import { buildFrame, opcode } from '../support/frames.ts';
import { RawPeer } from '../support/raw-peer.ts';
import { Service } from '../support/service.ts';
import { until } from '../support/until.ts';

let stepsMs = 0;
const slowClock = {
  ...systemClock,
  now: () => {
    stepsMs += 1;
    return performance.now() + stepsMs;
  },
};

const READ_BYTES = 65_536;
const PEERS = 4;

let service: Service;
afterEach(() => service.stop());

async function openPeers(): Promise<{ peers: RawPeer[]; sockets: Socket[] }> {
  const sockets: Socket[] = [];
  service.server.on('connection', (socket) => sockets.push(socket));
  const peers = await Promise.all(Array.from({ length: PEERS }, () => RawPeer.open(service.port)));
  return { peers, sockets };
}

/** The maximum number of bytes that one turn of the event loop reads from all of them, until `isOver`. */
async function mostBytesInOneTurn(sockets: Socket[], isOver: () => boolean): Promise<number> {
  let [bytes, most] = [0, 0];
  let isLooking = true;
  const look = () => {
    const read = sockets.reduce((sum, { bytesRead }) => sum + bytesRead, 0);
    most = Math.max(most, read - bytes);
    bytes = read;
    if (isLooking) setImmediate(look);
  };
  look();
  await until(isOver, 'everything has been read');
  isLooking = false;
  return most;
}

const pongs = Buffer.concat(
  Array.from({ length: 400_000 }, () => buildFrame({ opcode: opcode.pong })),
);
const last = buildFrame({ opcode: opcode.text, payload: '"last"' });

describe('peers whose reads take long', () => {
  it('are read in rotation, one in each turn of the event loop', async () => {
    service = await Service.start({ clock: slowClock });
    const { peers, sockets } = await openPeers();
    for (const peer of peers) peer.socket.write(Buffer.concat([pongs, last]));
    const most = await mostBytesInOneTurn(sockets, () => service.messages.length === PEERS);
    // Each may have one more read in the buffer of its stream.
    assert.ok(most <= (2 * PEERS + 1) * READ_BYTES, `${most} bytes in one turn`);
  });

  it('are read in rotation while they close, too', async () => {
    service = await Service.start({ clock: slowClock });
    const { peers, sockets } = await openPeers();
    for (const connection of service.supervisor.connections) connection.close();
    for (const peer of peers) {
      peer.socket.write(Buffer.concat([pongs, peer.frame({ opcode: opcode.close })]));
    }
    const most = await mostBytesInOneTurn(
      sockets,
      () => service.of('connection.closed').length === PEERS,
    );
    assert.ok(most <= (2 * PEERS + 1) * READ_BYTES, `${most} bytes in one turn`);
  });

  it('are paused and resumed as usual, and lose nothing', async () => {
    service = await Service.start({
      clock: slowClock,
      onMessage: (connection, message) => {
        if (Number(message) % 100 !== 0) return;
        connection.pause();
        setImmediate(() => connection.resume());
      },
    });
    const peer = await RawPeer.open(service.port);
    const numbers = Array.from({ length: 20_000 }, (_, n) => n);
    peer.socket.write(
      Buffer.concat(numbers.map((n) => buildFrame({ opcode: opcode.text, payload: `${n}` }))),
    );
    await until(() => service.messages.length === numbers.length, 'all arrive');
    assert.deepEqual(service.messages, numbers);
  });
});
