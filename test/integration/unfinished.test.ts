// Goal: a message may arrive slowly and in many pieces, but not endlessly. A message that takes too long ends the
// connection once, names the option, and leaves nothing behind. Method: raw peers on real sockets, some of them behind
// a link of 1,400-byte segments.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { afterEach, describe, it } from 'node:test';
import { binaryCodec } from '../../src/index.ts';
import { FaultProxy } from '../../src/testing/fault-proxy.ts';
import { byError, byErrorForced, opening } from '../support/closings.ts';
import { DialedPair } from '../support/dialed-pair.ts';
import { buildFrame, opcode } from '../support/frames.ts';
import { RawPeer } from '../support/raw-peer.ts';
import { Service } from '../support/service.ts';
import { turns, until } from '../support/until.ts';
import { messageLimit } from '../support/verdicts.ts';

const { binary, continuation, pong } = opcode;
const MIB = 1_048_576;

/** A binary message in frames of this many bytes. */
function inFrames(bytes: number, frameBytes: number): Buffer {
  const payload = Buffer.alloc(bytes, 'x');
  const frames: Buffer[] = [];
  for (let at = 0; at < bytes; at += frameBytes) {
    frames.push(
      buildFrame({
        opcode: at === 0 ? binary : continuation,
        payload: payload.subarray(at, at + frameBytes),
        fin: at + frameBytes >= bytes,
      }),
    );
  }
  return Buffer.concat(frames);
}

const messageTimeout = { ...messageLimit, cause: 'message-timeout' } as const;
const overload = { ...messageLimit, cause: 'overload' } as const;

let service: Service;

describe('an honest peer with a large message', () => {
  afterEach(() => service.stop());

  const lengths = () => service.messages.map((message) => (message as Uint8Array).length);

  it('sends 1 MiB in frames of 4 KiB, as the default client of gorilla does', async () => {
    service = await Service.start({ codec: binaryCodec() });
    const peer = await RawPeer.open(service.port);
    peer.socket.write(inFrames(MIB, 4_096));
    await until(() => lengths().length === 1 || peer.closed, 'it arrives');
    assert.deepEqual([lengths(), peer.closeFrame], [[MIB], undefined]);
  });

  const many = {
    'in one frame': 16 * MIB,
    'in frames of 128 KiB': 131_072,
    'in frames of 4 KiB': 4_096,
    'in frames of 1 KiB': 1_024,
  };
  for (const [how, frameBytes] of Object.entries(many)) {
    it(`sends 16 MiB ${how}, over segments of 1,400 bytes`, async () => {
      service = await Service.start({
        codec: binaryCodec(),
        limits: { payloadBytesMax: 16 * MIB },
        timeouts: { messageMs: 300_000 },
      });
      await using proxy = await FaultProxy.start({ port: service.port });
      proxy.set({ up: { chunkBytes: 1_400 } });
      const peer = await RawPeer.open(proxy.port);
      peer.socket.write(inFrames(16 * MIB, frameBytes));
      await until(() => lengths().length === 1 || peer.closed, 'it arrives', 120_000);
      assert.deepEqual([lengths(), peer.closeFrame], [[16 * MIB], undefined]);
      peer.destroy();
    });
  }
});

describe('a message that is not completed', () => {
  afterEach(() => service.stop());

  const timeouts = { messageMs: 300, erroredMs: 60_000 };
  const reason = 'message not complete within 300 ms (timeouts.messageMs)';

  /** Sends bytes, one in each turn, until the service ends the connection. */
  async function drip(peer: RawPeer, bytes: () => Buffer): Promise<void> {
    while (peer.closeFrame === undefined && !peer.closed) {
      peer.socket.write(bytes());
      await turns();
    }
  }

  const drips: Readonly<Record<string, (at: number) => Buffer>> = {
    'the bytes of a frame, one by one': (at) =>
      at === 0
        ? buildFrame({ opcode: binary, payload: Buffer.alloc(MIB) }).subarray(0, 20)
        : Buffer.of(1),
    'empty fragments': (at) => buildFrame({ opcode: at === 0 ? binary : continuation, fin: false }),
    'pongs behind a fragment': (at) =>
      at === 0
        ? buildFrame({ opcode: binary, payload: 'x', fin: false })
        : buildFrame({ opcode: pong }),
    'nothing after a header': (at) =>
      at === 0 ? buildFrame({ opcode: binary, declaredLength: 5 }) : Buffer.alloc(0),
  };
  for (const [what, bytes] of Object.entries(drips)) {
    it(`ends with 1008 and its own cause: ${what}`, async () => {
      // Only the deadline may end it.
      const limits = { bufferedChunksMax: 2 ** 31 - 1, fragmentsMax: 2 ** 31 - 1 };
      service = await Service.start({ timeouts, limits });
      const peer = await RawPeer.open(service.port);
      let at = 0;
      await drip(peer, () => bytes(at++));
      const frame = { code: 1008, reason };
      const states = [...opening, ...byError];
      const verdict = await service.closedAs({ ...messageTimeout, states, sent: frame });
      assert.equal(verdict.error?.message, reason);
      assert.deepEqual(peer.closeFrame, frame);
      assert.equal(service.of('connection.errored')[0]?.cause, 'message-timeout');
    });
  }

  it('is never late while its connection is paused', async () => {
    service = await Service.start({
      timeouts: { ...timeouts, messageMs: 1_000 },
      codec: binaryCodec(),
    });
    const accepted = once(service.server, 'connection');
    const paused = await RawPeer.open(service.port);
    const [raw] = (await accepted) as [Socket];
    const connection = await service.opened();
    const bytes = inFrames(200, 100);
    const { bytesRead } = raw;
    paused.socket.write(bytes.subarray(0, 150));
    await until(() => raw.bytesRead === bytesRead + 150, 'the first part is read');
    connection.pause();
    // The same time passes for another connection.
    const late = await RawPeer.open(service.port);
    late.socket.write(bytes.subarray(0, 150));
    await until(() => late.closeFrame?.code === 1008, 'the other one is late');
    connection.resume();
    paused.socket.write(bytes.subarray(150));
    await until(() => service.messages.length === 1 || paused.closed, 'it is delivered');
    assert.equal(paused.closeFrame, undefined);
  });

  it('is never the cause when this side was already closing', async () => {
    service = await Service.start({ timeouts: { ...timeouts, closeMs: 60_000 } });
    const peer = await RawPeer.open(service.port);
    const connection = await service.opened();
    peer.socket.write(buildFrame({ opcode: binary, declaredLength: 5 }));
    connection.close(4_000);
    const { verdict } = await service.when('connection.closed');
    const { cause, sent, error } = verdict;
    assert.deepEqual(
      { cause, sent, error },
      { cause: 'close', sent: { code: 4_000, reason: '' }, error: undefined },
    );
    assert.equal(peer.closeFrame?.code, 4_000);
  });

  it('is ignored when its peer continues and never ends TCP', async () => {
    service = await Service.start({
      timeouts: { ...timeouts, erroredMs: 300 },
      codec: binaryCodec(),
    });
    const peer = await RawPeer.open(service.port, { allowHalfOpen: true });
    const bytes = inFrames(200, 100);
    peer.socket.write(bytes.subarray(0, -1));
    await until(() => peer.closeFrame !== undefined, 'the close frame arrives');
    peer.socket.write(Buffer.concat([bytes.subarray(-1), inFrames(100, 100)]));
    const states = [...opening, ...byErrorForced];
    await service.closedAs({
      ...messageTimeout,
      sent: { code: 1008, reason },
      states: [...states],
    });
    assert.deepEqual(service.messages, []);
    peer.destroy();
  });
});

describe('unfinished messages of all connections', () => {
  afterEach(() => service.stop());

  it('end the oldest with 1013 when they exceed unfinishedBytesMax', async () => {
    service = await Service.start({
      admission: { unfinishedBytesMax: 100_000 },
      codec: binaryCodec(),
    });
    const bytes = buildFrame({ opcode: binary, payload: Buffer.alloc(60_000) });
    const accepted = once(service.server, 'connection');
    const oldest = await RawPeer.open(service.port);
    const [raw] = (await accepted) as [Socket];
    const newest = await RawPeer.open(service.port);
    oldest.socket.write(bytes.subarray(0, -1));
    await until(() => raw.bytesRead > bytes.length, 'the first part is read');
    newest.socket.write(bytes.subarray(0, -1));
    const { verdict } = await service.when('connection.closed');
    const reason = 'incomplete messages over 100000 bytes (admission.unfinishedBytesMax)';
    const { code, origin, layer, cause, retry, level, sent, error } = verdict;
    assert.deepEqual(
      { code, origin, layer, cause, retry, level, sent, message: error?.message },
      { ...pickEnding(overload), sent: { code: 1013, reason }, message: reason },
    );
    assert.deepEqual(oldest.closeFrame, { code: 1013, reason });
    newest.socket.write(bytes.subarray(-1));
    await until(() => service.messages.length === 1, 'the newest is delivered');
  });

  const pickEnding = ({ code, origin, layer, cause, retry, level }: typeof overload) => ({
    ...{ code, origin, layer, cause, retry, level },
  });
});

describe('client: a message that is not completed', () => {
  it('ends with 1008, and the client reconnects', async () => {
    const pair = await DialedPair.open({ timeouts: { messageMs: 200, erroredMs: 60_000 } });
    pair.host.send({ opcode: binary, payload: 'x', fin: false });
    const reason = 'message not complete within 200 ms (timeouts.messageMs)';
    const states = ['errored', 'closing.reaping', 'closed'];
    await pair.closedAs({ ...messageTimeout, sent: { code: 1008, reason }, states });
    await pair.end();
  });
});
