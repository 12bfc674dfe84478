import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { afterEach, describe, it } from 'node:test';
import type { Limits } from '../../src/index.ts';
import { buildFrame, type FrameSpec, opcode } from '../support/frames.ts';
import { RawPeer } from '../support/raw-peer.ts';
import { Service } from '../support/service.ts';
import { turns, until } from '../support/until.ts';

const { text, binary, continuation, ping, pong } = opcode;

/** Builds a message of fragments, with whatever comes in between. */
function frames(...specs: FrameSpec[]): Buffer {
  return Buffer.concat(specs.map((spec) => buildFrame(spec)));
}

function fragmented(count: number, payload: string): Buffer {
  const specs = Array.from({ length: count }, (_, index) => ({
    opcode: index === 0 ? text : continuation,
    fin: index === count - 1,
    payload,
  }));
  return frames(...specs);
}

/** Only the header of a frame that promises this many bytes. */
function header(declaredLength: number | bigint, code: number = text): Buffer {
  return buildFrame({ opcode: code, declaredLength });
}

interface Excess {
  readonly title: string;
  readonly limits?: Partial<Limits>;
  readonly bytes: Buffer;
  readonly error: string;
  readonly sent: number;
}

const tooLong = { error: 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH', sent: 1009 };
const tooMany = { error: 'WS_ERR_TOO_MANY_BUFFERED_PARTS', sent: 1008 };
const tooWide = { error: 'WS_ERR_UNSUPPORTED_DATA_PAYLOAD_LENGTH', sent: 1009 };

const excesses: readonly Excess[] = [
  {
    title: 'a text above payloadBytesMax',
    limits: { payloadBytesMax: 10 },
    bytes: frames({ opcode: text, payload: '"12345678"x' }),
    ...tooLong,
  },
  {
    title: 'a binary above payloadBytesMax',
    limits: { payloadBytesMax: 10 },
    bytes: frames({ opcode: binary, payload: Buffer.alloc(11) }),
    ...tooLong,
  },
  {
    title: 'a mere header that promises a byte more than the default of 1 MiB',
    bytes: header(1_048_577),
    ...tooLong,
  },
  { title: 'a mere header that promises 2^40 bytes', bytes: header(2n ** 40n), ...tooLong },
  { title: 'a length of 2^53', bytes: header(2n ** 53n), ...tooWide },
  { title: 'a length of 2^64-1', bytes: header(2n ** 64n - 1n), ...tooWide },
  {
    title: 'fragments that are too long together',
    limits: { payloadBytesMax: 10 },
    bytes: frames(
      { opcode: text, payload: '"12345', fin: false },
      { opcode: continuation, payload: '67890', fin: false },
    ),
    ...tooLong,
  },
  {
    title: 'fragments that are too long together, with a ping between them',
    limits: { payloadBytesMax: 10 },
    bytes: frames(
      { opcode: binary, payload: Buffer.alloc(10), fin: false },
      { opcode: ping },
      { opcode: continuation, payload: Buffer.alloc(1) },
    ),
    ...tooLong,
  },
  { title: '65 fragments, one above the default', bytes: fragmented(65, '1'), ...tooMany },
  {
    title: 'more fragments than fragmentsMax, each of them empty',
    limits: { fragmentsMax: 3 },
    bytes: fragmented(4, ''),
    ...tooMany,
  },
];

describe('E: more than the limits allow', () => {
  let service: Service;
  afterEach(() => service.stop());

  async function violatedAs({ error, sent }: Pick<Excess, 'error' | 'sent'>, peer: RawPeer) {
    const verdict = await service.closedAs({
      code: 1006,
      sent: { code: sent, reason: '' },
      origin: 'local',
      layer: 'websocket',
      clean: false,
      cause: 'protocol-error',
      retry: 'never',
      level: 'error',
    });
    assert.equal((verdict.error as NodeJS.ErrnoException).code, error);
    assert.deepEqual(peer.closeFrame, { code: sent, reason: '' });
    assert.equal(service.of('connection.errored').length, 1);
    assert.deepEqual(service.messages, []);
  }

  for (const { title, limits = {}, bytes, ...expected } of excesses) {
    it(`E: ${title}: the peer gets ${expected.sent}`, async () => {
      service = await Service.start({ limits });
      const peer = await RawPeer.open(service.port);
      peer.socket.write(bytes);
      await violatedAs(expected, peer);
    });
  }

  it('E: more chunks of one frame than bufferedChunksMax: the peer gets 1008', async () => {
    service = await Service.start({ limits: { bufferedChunksMax: 4 } });
    const line = await openLine(service);
    await dribble(line, frames({ opcode: text, payload: '"longer"' }).subarray(0, -1), 1);
    await violatedAs(tooMany, line.peer);
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
      title: '64 fragments',
      bytes: Buffer.concat([
        frames({ opcode: text, payload: '"', fin: false }),
        ...Array.from({ length: 62 }, () =>
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
