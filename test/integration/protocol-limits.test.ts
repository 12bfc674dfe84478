import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { afterEach, describe, it } from 'node:test';
import type { Limits } from '../../src/index.ts';
import { type Excess, excesses, tooMany } from '../support/excesses.ts';
import { buildFrame, type FrameSpec, opcode } from '../support/frames.ts';
import { RawPeer } from '../support/raw-peer.ts';
import { Service } from '../support/service.ts';
import { turns, until } from '../support/until.ts';
import { violationFrame, violationVerdict } from '../support/verdicts.ts';

const { text, continuation, ping, pong } = opcode;

/** Builds a message of fragments, with whatever comes in between. */
function frames(...specs: FrameSpec[]): Buffer {
  return Buffer.concat(specs.map(buildFrame));
}

describe('E: more than the limits allow', () => {
  let service: Service;
  afterEach(() => service.stop());

  async function violatedAs(
    { error, sent, limits }: Pick<Excess, 'error' | 'sent' | 'limits'>,
    peer: RawPeer,
  ) {
    const frame = violationFrame(sent, limits);
    const verdict = await service.closedAs({
      ...violationVerdict(sent),
      sent: frame,
    });
    if (sent === 1008) assert.equal(verdict.error?.message, frame.reason);
    assert.equal((verdict.error as NodeJS.ErrnoException).code, error);
    assert.deepEqual(peer.closeFrame, frame);
    assert.equal(service.of('connection.errored').length, 1);
    assert.deepEqual(service.messages, []);
  }

  for (const { title, frames: specs, ...expected } of excesses) {
    it(`E: ${title}: the peer gets ${expected.sent}`, async () => {
      service = await Service.start({ limits: expected.limits ?? {} });
      const peer = await RawPeer.open(service.port);
      peer.socket.write(frames(...specs));
      await violatedAs(expected, peer);
    });
  }

  it('E: more chunks of one frame than bufferedChunksMax: the peer gets 1008', async () => {
    const limits = { bufferedChunksMax: 4 };
    service = await Service.start({ limits });
    const line = await openLine(service);
    await dribble(line, frames({ opcode: text, payload: '"longer"' }).subarray(0, -1), 1);
    await violatedAs({ ...tooMany, limits }, line.peer);
  });
});

/** A peer and the server's end of its TCP connection. */
interface Line {
  readonly peer: RawPeer;
  readonly raw: Socket;
}

async function openLine(service: Service): Promise<Line> {
  const accepted = once(service.server, 'connection');
  const peer = await RawPeer.open(service.port);
  const [raw] = (await accepted) as [Socket];
  return { peer, raw };
}

/** Writes so that each piece is one chunk for the server: the next waits until the last one was read. */
async function dribble({ peer, raw }: Line, bytes: Buffer, size: number): Promise<void> {
  for (let at = 0; at < bytes.length && peer.closeFrame === undefined; at += size) {
    const read = raw.bytesRead;
    peer.socket.write(bytes.subarray(at, at + size));
    while (raw.bytesRead === read && !raw.destroyed) await turns();
  }
}

describe('E: no more than the limits allow', () => {
  let service: Service;
  afterEach(() => service.stop());

  const allowed: readonly { title: string; limits?: Partial<Limits>; bytes: Buffer }[] = [
    {
      title: 'a text of payloadBytesMax',
      limits: { payloadBytesMax: 10 },
      bytes: frames({ opcode: text, payload: '"12345678"' }),
    },
    {
      title: 'fragments that are payloadBytesMax together, with controls between them',
      limits: { payloadBytesMax: 10 },
      bytes: frames(
        { opcode: text, payload: '"1234', fin: false },
        { opcode: ping, payload: 'are you there' },
        { opcode: continuation, payload: '5678"', fin: false },
        { opcode: pong, payload: 'unasked' },
        { opcode: continuation, payload: '' },
      ),
    },
    {
      title: '1,024 fragments',
      bytes: Buffer.concat([
        frames({ opcode: text, payload: '"', fin: false }),
        ...Array.from({ length: 1_022 }, () =>
          frames({ opcode: continuation, payload: '€', fin: false }),
        ),
        frames({ opcode: continuation, payload: '"' }),
      ]),
    },
    {
      title: 'a text of 1 MiB',
      bytes: frames({ opcode: text, payload: `"${'x'.repeat(1_048_574)}"` }),
    },
  ];

  // An Ethernet segment carries 1,448 bytes, and on a slow line each is read alone.
  it('E: a text of 1 MiB that arrives in segments of 1,448 bytes is delivered', async () => {
    service = await Service.start();
    const line = await openLine(service);
    await dribble(line, frames({ opcode: text, payload: `"${'x'.repeat(1_048_574)}"` }), 1_448);
    await until(() => service.messages.length === 1 || line.peer.closed, 'the message arrives');
    assert.equal(line.peer.closeFrame, undefined);
  });

  for (const { title, limits = {}, bytes } of allowed) {
    it(`E: ${title} is delivered`, async () => {
      service = await Service.start({ limits });
      const peer = await RawPeer.open(service.port);
      peer.socket.write(bytes);
      await until(() => service.messages.length === 1, 'the message arrives');
      assert.equal(service.supervisor.counts.open, 1);
      assert.deepEqual(service.of('connection.errored'), []);
    });
  }
});
