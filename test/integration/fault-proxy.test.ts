import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { WebSocket, WebSocketServer } from 'ws';
import type { FaultLink } from '../../src/testing/fault-link.ts';
import { FaultProxy } from '../../src/testing/fault-proxy.ts';
import type { StreamFaults } from '../../src/testing/fault-stream.ts';
import { VirtualClock } from '../../src/testing/virtual-clock.ts';
import { assertAtRest, resources } from '../support/service.ts';
import { turns, until } from '../support/until.ts';

/** One end of a link, with a record of everything that arrived. */
class End {
  readonly socket: Socket;
  readonly chunks: Buffer[] = [];
  ended = false;
  closed = false;
  error: NodeJS.ErrnoException | undefined;

  constructor(socket: Socket) {
    this.socket = socket.setNoDelay();
    socket.on('data', (chunk: Buffer) => this.chunks.push(chunk));
    socket.on('end', () => {
      this.ended = true;
    });
    socket.on('error', (error) => {
      this.error = error;
    });
    socket.on('close', () => {
      this.closed = true;
    });
  }

  get bytes(): Buffer {
    return Buffer.concat(this.chunks);
  }

  get text(): string {
    return this.bytes.toString('latin1');
  }

  async reads(text: string): Promise<void> {
    await until(() => this.bytes.length >= text.length, `${JSON.stringify(text)} arrives`);
    assert.equal(this.text, text);
  }

  async isEnded(): Promise<void> {
    await until(() => this.ended, 'FIN arrives');
  }

  async isReset(): Promise<void> {
    await until(() => this.closed, 'RST arrives');
    assert.match(this.error?.code ?? '', /^(ECONNRESET|EPIPE)$/);
  }
}

/** Long enough for bytes that nothing holds back: they need a turn or two. */
const SETTLED_TURNS = 20;

let before: ReturnType<typeof resources>;
let clock: VirtualClock;
let target: Server;
let proxy: FaultProxy;
let accepted: End[] = [];
let clients: End[] = [];

beforeEach(async () => {
  before = resources();
  clock = new VirtualClock();
  accepted = [];
  clients = [];
  target = createServer({ allowHalfOpen: true }, (socket) => accepted.push(new End(socket)));
  await new Promise<void>((resolve) => target.listen(0, '127.0.0.1', resolve));
  proxy = await FaultProxy.start({ port: (target.address() as AddressInfo).port }, clock);
});

afterEach(async () => {
  await proxy.close();
  for (const { socket } of [...accepted, ...clients]) socket.destroy();
  await new Promise((resolve) => target.close(resolve));
  assert.equal(clock.timersPending, 0);
  await assertAtRest(before);
});

function dial(): End {
  const client = new End(connect({ port: proxy.port, host: '127.0.0.1', allowHalfOpen: true }));
  clients.push(client);
  return client;
}

/** A link with both of its ends. */
async function linked(up: StreamFaults = {}, down: StreamFaults = {}) {
  proxy.set({ up, down });
  const client = dial();
  await until(() => accepted.length === clients.length, 'the target is reached');
  const server = accepted.at(-1) as End;
  return { client, server, link: proxy.links.at(-1) as FaultLink };
}

describe('a fault proxy without faults', () => {
  it('carries bytes both ways, and each FIN by itself', async () => {
    const { client, server, link } = await linked();
    client.socket.write('question');
    await server.reads('question');
    client.socket.end();
    await server.isEnded();
    assert.equal(client.ended, false);
    server.socket.end('answer');
    await client.reads('answer');
    await client.isEnded();
    await link.closed;
    assert.deepEqual([link.up.bytes, link.down.bytes], [8, 6]);
    assert.deepEqual(proxy.links, []);
  });

  it('carries a reset of either side to the other', async () => {
    const first = await linked();
    first.client.socket.resetAndDestroy();
    await first.server.isReset();
    const second = await linked();
    second.server.socket.resetAndDestroy();
    await second.client.isReset();
    await until(() => proxy.links.length === 0, 'no link is left');
  });

  it('carries 32 MiB undamaged with little memory, to a receiver that pauses', async () => {
    const { client, server, link } = await linked();
    const sent = Buffer.alloc(2 ** 25, 'abcdefghijklm');
    server.socket.pause();
    client.socket.end(sent);
    await until(() => link.up.bytes > 0, 'bytes are on their way');
    await turns(SETTLED_TURNS);
    assert.ok(client.socket.writableLength > 2 ** 23, 'the client feels the pressure');
    server.socket.resume();
    await server.isEnded();
    assert.ok(sent.equals(server.bytes));
  });

  it('resets a client whose target cannot be reached', async () => {
    const nowhere = await FaultProxy.start({ port: 1 }, clock);
    const client = new End(connect(nowhere.port, '127.0.0.1'));
    await client.isReset();
    await nowhere.close();
    await nowhere.close();
  });

  it('refuses invalid faults', async () => {
    const { link } = await linked();
    const wrong = { code: 'invalid-options' };
    assert.throws(() => link.up.set({ chunkBytes: 0 }), wrong);
    assert.throws(() => link.up.set({ latencyMs: -1 }), wrong);
    assert.throws(() => proxy.set({ up: { bytesPerSecond: 0.5 } }), wrong);
    assert.throws(() => proxy.set({ accept: 'never' as 'dial' }), wrong);
  });
});

describe('how a fault proxy accepts', () => {
  it('reset: resets the client and never dials', async () => {
    proxy.set({ accept: 'reset' });
    await dial().isReset();
    assert.deepEqual([accepted, proxy.links], [[], []]);
  });

  it('silence: keeps the client, whatever it sends, and never dials', async () => {
    proxy.set({ accept: 'silence' });
    const client = dial();
    client.socket.end('is anybody there?');
    await until(() => client.socket.writableFinished, 'all is received');
    await turns(SETTLED_TURNS);
    assert.deepEqual([client.ended, client.closed, accepted], [false, false, []]);
    proxy.links[0]?.down.end();
    await client.isEnded();
  });
});

for (const way of ['up', 'down'] as const) {
  describe(`faults of the stream ${way}`, () => {
    async function ends(faults: StreamFaults = {}) {
      const { client, server, link } = await linked(way === 'up' ? faults : {}, pick(faults));
      const [from, to] = way === 'up' ? [client, server] : [server, client];
      return { from, to, link, stream: link[way], other: way === 'up' ? link.down : link.up };
    }
    const pick = (faults: StreamFaults) => (way === 'down' ? faults : {});

    it('reset: resets the receiver and leaves the sender alone', async () => {
      const { from, to, stream } = await ends();
      from.socket.write('heard');
      await to.reads('heard');
      stream.reset();
      await to.isReset();
      from.socket.write('lost');
      await turns(SETTLED_TURNS);
      assert.deepEqual([from.ended, from.closed, to.text], [false, false, 'heard']);
    });

    it('end: half closes, and the other direction continues', async () => {
      const { from, to, stream } = await ends();
      stream.end();
      await to.isEnded();
      from.socket.write('lost');
      to.socket.write('still here');
      await from.reads('still here');
      assert.deepEqual([from.ended, to.text], [false, '']);
    });

    it('blackhole: holds bytes and FIN, and releases them without loss', async () => {
      const { from, to, stream, other } = await ends({ blackhole: true });
      from.socket.end('into the dark');
      to.socket.write('the other way');
      await from.reads('the other way');
      await turns(SETTLED_TURNS);
      assert.deepEqual([to.text, to.ended, stream.bytes, other.bytes], ['', false, 0, 13]);
      stream.set({});
      await to.reads('into the dark');
      await to.isEnded();
    });

    it('blackhole: holds a reset, also of a live link, until it is cleared', async () => {
      const { from, to, stream } = await ends();
      from.socket.write('before');
      await to.reads('before');
      stream.set({ blackhole: true });
      from.socket.resetAndDestroy();
      await until(() => from.closed, 'it is reset');
      await turns(SETTLED_TURNS);
      assert.deepEqual([to.closed, to.error], [false, undefined]);
      stream.set({});
      await to.isReset();
    });

    it('blackhole: exerts back-pressure on the sender', async () => {
      const { from, to, stream } = await ends({ blackhole: true });
      const sent = Buffer.alloc(2 ** 25, 'x');
      from.socket.write(sent);
      await until(() => from.socket.writableLength > 0, 'the kernel accepts no more');
      await turns(SETTLED_TURNS);
      assert.ok(from.socket.writableLength > 2 ** 23);
      stream.set({});
      await until(() => to.bytes.length === sent.length, 'all of it arrives');
    });

    it('latency: delays bytes and FIN equally, in order, also when it shrinks', async () => {
      const { from, to, stream } = await ends({ latencyMs: 100 });
      from.socket.write('slow ');
      await held(1);
      clock.advance(40);
      stream.set({ latencyMs: 10 });
      await turns(SETTLED_TURNS);
      from.socket.end('fast');
      await turns(SETTLED_TURNS);
      clock.advance(59);
      await turns(SETTLED_TURNS);
      assert.equal(to.text, '');
      clock.advance(1);
      await to.reads('slow fast');
      await to.isEnded();
    });

    it('latency: delays a FIN that arrives alone', async () => {
      const { from, to } = await ends({ latencyMs: 100 });
      from.socket.end();
      await held(1);
      clock.advance(99);
      await turns(SETTLED_TURNS);
      assert.equal(to.ended, false);
      clock.advance(1);
      await to.isEnded();
    });

    it('rate: passes this many bytes a second, and no more', async () => {
      const { from, to, stream } = await ends({ bytesPerSecond: 1_000 });
      from.socket.write(Buffer.alloc(500, 'x'));
      await until(() => stream.bytes > 0, 'the first bytes pass');
      for (const [ms, most] of [
        [100, 130],
        [100, 230],
        [100, 330],
      ] as const) {
        for (let passed = 0; passed < ms; passed += 5) {
          clock.advance(5);
          await turns(4);
        }
        assert.ok(to.bytes.length <= most, `${to.bytes.length} of ${most}`);
        assert.ok(to.bytes.length >= most - 60, `${to.bytes.length} of ${most}`);
      }
      stream.set({});
      await until(() => to.bytes.length === 500, 'the rest follows at once');
    });

    it('chunk: splits into single bytes, and stops splitting when cleared', async () => {
      const { from, to, stream } = await ends({ chunkBytes: 1 });
      from.socket.write('split');
      for (let count = 1; count <= 5; count += 1) {
        await until(() => to.bytes.length === count, `${count} bytes arrive`);
        await turns(2);
        clock.advance(0);
      }
      assert.deepEqual(
        to.chunks.map((chunk) => chunk.toString()),
        ['s', 'p', 'l', 'i', 't'],
      );
      stream.set({});
      from.socket.write(' whole');
      await to.reads('split whole');
      assert.equal(to.chunks.at(-1)?.toString(), ' whole');
    });

    it('corrupt: inverts one byte, counted from the first, and no other', async () => {
      const { from, to, stream } = await ends();
      from.socket.write('0123');
      await to.reads('0123');
      stream.set({ corruptAt: 6 });
      from.socket.write('4567');
      await to.reads(`012345${String.fromCharCode('6'.charCodeAt(0) ^ 0xff)}7`);
      stream.set({ corruptAt: 6 });
      from.socket.write('89');
      await until(() => to.bytes.length === 10, 'the rest arrives');
      assert.equal(to.text.slice(7), '789');
    });

    it('cut: ends with FIN after this many bytes', async () => {
      const { from, to, stream } = await ends({ cutAt: 6, cutWith: 'end' });
      from.socket.write('half of it');
      await to.isEnded();
      assert.deepEqual([to.text, stream.bytes, to.error], ['half o', 6, undefined]);
      assert.equal(from.ended, false);
    });

    it('cut: ends with RST, at once when as many bytes have already passed', async () => {
      const { from, to, stream } = await ends();
      from.socket.write('all of it');
      await to.reads('all of it');
      stream.set({ cutAt: 6 });
      await to.isReset();
    });

    it('cut: counts split chunks to the byte', async () => {
      const { from, to } = await ends({ cutAt: 5, cutWith: 'end', chunkBytes: 2 });
      from.socket.write('split and cut');
      await until(() => {
        clock.advance(0);
        return to.ended;
      }, 'FIN arrives');
      assert.equal(to.text, 'split');
    });
  });
}

/** Waits until this many timers hold something back. */
async function held(count: number): Promise<void> {
  await until(() => clock.timersPending === count, 'something is held back');
}

describe('what remains of a fault proxy', () => {
  it('is nothing, when it is closed while every fault is active', async () => {
    const faults: StreamFaults[] = [
      { latencyMs: 1_000 },
      { bytesPerSecond: 1 },
      { blackhole: true },
      { chunkBytes: 1 },
      { cutAt: 3, cutWith: 'end' },
    ];
    for (const fault of faults) {
      const { client } = await linked(fault, fault);
      client.socket.write('never whole');
    }
    proxy.set({ accept: 'silence' });
    dial();
    await until(() => proxy.links.length === 6, 'every link is there');
    const links = proxy.links;
    await proxy.close();
    assert.deepEqual([proxy.links, clock.timersPending], [[], 0]);
    assert.ok(links.every(({ up, down }) => up.bytes + down.bytes < 22));
    for (const client of clients)
      await until(() => client.ended || client.closed, 'it is reported');
  });
});

describe('ws through a fault proxy', () => {
  let server: WebSocketServer;
  let fault: FaultProxy;

  async function open(): Promise<{ client: WebSocket; told: string[]; link: FaultLink }> {
    server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
    await once(server, 'listening');
    const told: string[] = [];
    server.on('connection', (socket) => {
      socket.on('message', (data) => socket.send(`echo ${data}`));
      socket.on('error', (error) => told.push(`server ${(error as NodeJS.ErrnoException).code}`));
      socket.on('close', (code) => told.push(`server ${code}`));
    });
    fault = await FaultProxy.start({ port: (server.address() as AddressInfo).port });
    const client = new WebSocket(`ws://127.0.0.1:${fault.port}/`);
    client.on('error', (error) => told.push(`client ${(error as NodeJS.ErrnoException).code}`));
    client.on('close', (code) => told.push(`client ${code}`));
    client.on('message', (data) => told.push(`${data}`));
    await until(() => client.readyState === WebSocket.OPEN, 'it is open');
    return { client, told, link: fault.links[0] as FaultLink };
  }

  afterEach(async () => {
    await fault.close();
    await new Promise((resolve) => server.close(resolve));
  });

  it('is an echo, byte by byte', async () => {
    const { client, told, link } = await open();
    link.up.set({ chunkBytes: 1, latencyMs: 1 });
    link.down.set({ chunkBytes: 1 });
    client.send('hello');
    await until(() => told.length > 0, 'the echo arrives');
    assert.deepEqual(told, ['echo hello']);
  });

  it('RST up: the server closes with 1006 and the client learns nothing', async () => {
    const { client, told, link } = await open();
    link.up.reset();
    await until(() => told.length > 0, 'the server reports it');
    assert.deepEqual(told, ['server 1006']);
    assert.equal(client.readyState, WebSocket.OPEN);
  });

  it('corrupt header up: the server closes with 1002', async () => {
    const { client, told, link } = await open();
    link.up.set({ corruptAt: link.up.bytes });
    client.send('hello');
    await until(() => told.length === 3, 'both report it');
    assert.deepEqual(told.toSorted(), [
      'client 1002',
      'server 1006',
      'server WS_ERR_UNEXPECTED_RSV_2_3',
    ]);
  });

  it('cut down in the middle of a frame: the client closes with 1006', async () => {
    const { client, told, link } = await open();
    link.down.set({ cutAt: link.down.bytes + 4, cutWith: 'end' });
    client.send('hello');
    await until(() => told.includes('client 1006'), 'the client reports it');
    assert.ok(!told.includes('echo hello'));
  });

  it('blackhole: both stay open, and continue when it is cleared', async () => {
    const { client, told, link } = await open();
    link.up.set({ blackhole: true });
    client.send('hello');
    await turns(SETTLED_TURNS);
    assert.deepEqual([client.readyState, client.bufferedAmount, told], [WebSocket.OPEN, 0, []]);
    link.up.set({});
    await until(() => told.length > 0, 'the echo arrives');
    assert.deepEqual(told, ['echo hello']);
  });
});
