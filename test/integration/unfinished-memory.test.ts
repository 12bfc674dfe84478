// Goal: the memory that peers make a service hold is limited by what they send, however they split it, and by a
// limit for all peers together. Method: the service is a separate process that reports its live memory after a
// garbage collection. No time is measured.
import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import { buildFrame, opcode } from '../support/frames.ts';
import {
  type HoldingCensus,
  type HoldingOrder,
  HoldingService,
} from '../support/holding-service.ts';
import { RawPeer } from '../support/raw-peer.ts';
import { eventually, until } from '../support/until.ts';

const { binary, continuation } = opcode;

/** What a connection may hold in addition to twice what it has received. */
const ALLOWANCE_BYTES = 16_384;

describe('unfinished messages', { timeout: 300_000 }, () => {
  let service: HoldingService;
  let peers: RawPeer[];

  afterEach(async () => {
    for (const peer of peers) peer.destroy();
    await service.kill();
  });

  /** Opens connections, and reports the live memory before any of them has sent anything. */
  async function start(count: number, order: HoldingOrder = {}): Promise<HoldingCensus> {
    // No message is late, however slow the machine is.
    service = await HoldingService.start({ timeouts: { messageMs: 600_000 }, ...order });
    // What only the first connections allocate is allocated before.
    peers = await openPeers(20);
    for (const peer of peers) peer.send({ opcode: binary, payload: 'warm' });
    await read(20 * 10);
    for (const peer of peers) peer.destroy();
    await eventually(async () => (await service.census()).open === 0, 'the first are gone');
    peers = await openPeers(count);
    return service.census();
  }

  async function openPeers(count: number): Promise<RawPeer[]> {
    const opened: RawPeer[] = [];
    for (let n = 0; n < count; n += 1) opened.push(await RawPeer.open(service.port));
    return opened;
  }

  /** Waits until the service has read this many more bytes than before. */
  async function read(bytes: number, before = 0): Promise<HoldingCensus> {
    await eventually(async () => {
      const { bytesRead } = await service.census();
      return bytesRead >= before + bytes;
    }, `${bytes} bytes are read`);
    return service.census();
  }

  /** Buffers are freed some time after their collection, so the test polls until the limit holds. */
  async function assertHeld(before: HoldingCensus, bound: (received: number) => number) {
    let [held, most] = [0, 0];
    const ask = async () => {
      const { liveBytes, bytesRead } = await service.census();
      held = liveBytes - before.liveBytes;
      most = bound(bytesRead - before.bytesRead);
      return held <= most;
    };
    await eventually(ask, 'no more is held', 20_000).catch(() => {
      assert.fail(`${held} bytes are held, over ${most}`);
    });
  }

  const twiceTheReceived = (received: number) => 2 * received + ALLOWANCE_BYTES * peers.length;

  it('2 KB in one-byte pieces, on 50 connections', async () => {
    const before = await start(50);
    const bytes = buildFrame({ opcode: binary, payload: Buffer.alloc(2_048) }).subarray(0, -1);
    for (let at = 0; at < bytes.length; at += 1) {
      for (const { socket } of peers) socket.write(bytes.subarray(at, at + 1));
      // Each byte should be a separate read wherever the service keeps up.
      await new Promise((resolve) => setTimeout(resolve));
    }
    await read(bytes.length * peers.length, before.bytesRead);
    await assertHeld(before, twiceTheReceived);
  });

  it('65,536 tiny fragments, where a message may have so many', async () => {
    const before = await start(4, { limits: { payloadBytesMax: 67_108_864 } });
    const first = buildFrame({ opcode: binary, payload: 'x', fin: false });
    const next = buildFrame({ opcode: continuation, payload: 'y', fin: false });
    const bytes = Buffer.concat([first, ...new Array(65_535).fill(next)]);
    for (const { socket } of peers) socket.write(bytes);
    await read(bytes.length * peers.length, before.bytesRead);
    await assertHeld(before, twiceTheReceived);
  });

  it('a byte at the end of reads of 64 KiB, on 200 connections', async () => {
    const before = await start(200, {
      limits: { messagesPerSecondMax: 1_000_000, messageBurstMax: 1_000_000 },
    });
    const message = buildFrame({ opcode: binary, payload: Buffer.alloc(65_000) });
    const rest = buildFrame({ opcode: binary, payload: 'x', fin: false });
    for (const { socket } of peers) {
      socket.write(Buffer.concat([message, message, message, message, rest]));
    }
    const after = await read((message.length * 4 + rest.length) * peers.length, before.bytesRead);
    assert.equal(after.messages - before.messages, 4 * peers.length);
    await assertHeld(before, () => ALLOWANCE_BYTES * peers.length);
  });

  it('300 connections that hold back the last byte: the oldest make room, with 1013', async () => {
    const bytes = buildFrame({ opcode: binary, payload: Buffer.alloc(1_048_576) }).subarray(0, -1);
    const before = await start(300);
    const [bystander] = await openPeers(1);
    for (const { socket } of peers) {
      await new Promise<void>((resolve) => socket.write(bytes, () => resolve()));
    }
    await until(() => peers.filter(({ closed }) => closed).length >= 236, '236 have made room');
    const after = await service.census();
    await assertHeld(before, () => 67_108_864 + ALLOWANCE_BYTES * peers.length);
    assert.deepEqual([...new Set(after.closed.slice(before.closed.length))], ['overload 1013']);
    // Each of the remaining connections may still complete its message.
    const left = peers.filter(({ closed }) => !closed);
    assert.equal(left.length, 64);
    for (const { socket } of left) socket.write(Buffer.of(0));
    bystander?.send({ opcode: binary, payload: 'hello' });
    await eventually(async () => {
      const { messages } = await service.census();
      return messages - before.messages === left.length + 1;
    }, 'their messages are delivered');
    bystander?.destroy();
  });
});
