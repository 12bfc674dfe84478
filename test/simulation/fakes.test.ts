import assert from 'node:assert/strict';
import { createServer, type Server } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { after, before, describe, it } from 'node:test';
import type { CloseFrame } from '../../src/core/close-code.ts';
import * as defaults from '../../src/core/defaults.ts';
import type { UpgradeResult } from '../../src/server/inbound-connection.ts';
import { WsUpgrader } from '../../src/server/upgrader.ts';
import type { WebSocketFace } from '../../src/transport/node-transport.ts';
import type { SocketObserver } from '../../src/transport/transport.ts';
import type { Upgrade } from '../../src/transport/upgrade.ts';
import { opcode } from '../support/frames.ts';
import { RawPeer } from '../support/raw-peer.ts';
import { turns, until } from '../support/until.ts';
import { FakePeer } from './fake-peer.ts';
import { FakeSocket, systemError } from './fake-socket.ts';
import { FakeUpgrader, fakeUpgrade } from './fake-upgrade.ts';
import { SimulatedClock } from './simulated-clock.ts';

// Goal: a fake emits what net.Socket and ws emit, in the same order. Method: the same script on a
// real connection and on a fake one, with one recorder for both.

/** Records the events of a raw socket and its WebSocket, each with the state of the WebSocket at that moment. */
class Recorder implements SocketObserver {
  readonly told: string[] = [];
  readonly connection = {
    receive: (payload: Uint8Array) => this.#note(`message ${payload}`),
    heard: () => this.#note('control'),
  };
  readonly raw: Socket;
  readonly socket: WebSocketFace;

  constructor(
    { request, socket: raw, head }: Upgrade,
    complete: (upgrade: Upgrade) => UpgradeResult,
  ) {
    this.raw = raw;
    // As in production: before the listeners of ws.
    raw.on('error', (error: NodeJS.ErrnoException) => this.#note(`error ${error.code}`));
    raw.on('end', () => this.#note('end'));
    raw.on('close', () => this.#note('close'));
    this.socket = complete({ request, socket: raw, head }) as WebSocketFace;
    this.socket.observer = this;
    this.socket.addEventListener('close', ({ wasClean }) =>
      this.#note(`closed ${wasClean ? 'cleanly' : 'uncleanly'}`),
    );
  }

  get isOver(): boolean {
    return this.told.some((line) => line.startsWith('closed'));
  }

  #note(what: string): void {
    this.told.push(`${what} (${this.socket?.readyState})`);
  }

  pongDue(): void {
    this.#note('pong due');
  }

  closeReceived(code: number, reason: Buffer | undefined): void {
    this.#note(`close frame ${code} ${reason ?? ''}`.trim());
    this.socket.answerClose(code, reason);
  }

  violationFound({ code }: CloseFrame): void {
    this.#note(`violation ${code}`);
    this.socket.answerClose(code);
  }

  messageRefused(): void {}

  protocolErrored(): void {
    this.#note('protocol error');
  }

  sendErrored(): void {}

  pingFlooded(): void {
    this.#note('ping flood');
  }

  /** Writes bytes past the WebSocket, and records the result. */
  write(text: string): void {
    this.raw.write(text, (error) =>
      this.#note(`written ${(error as NodeJS.ErrnoException)?.code ?? 'well'}`),
    );
  }
}

/** What a peer does, in terms that a real one and a fake one support. */
type Deed =
  | 'say hello'
  | 'ping'
  | 'ping 61 times'
  | 'close'
  | 'close empty'
  | 'violate'
  | 'end'
  | 'reset';

/** One act of a script: of the peer, or of this side. */
type Act = Deed | ((recorder: Recorder) => void);

const deedsOfReal: Readonly<Record<Deed, (peer: RawPeer) => void>> = {
  'say hello': (peer) => peer.text('hello'),
  ping: (peer) => peer.send({ opcode: opcode.ping }),
  'ping 61 times': (peer) => {
    peer.socket.cork();
    for (let left = 61; left > 0; left -= 1) peer.send({ opcode: opcode.ping });
    peer.socket.uncork();
  },
  close: (peer) => peer.sendClose(4_001, 'bye'),
  'close empty': (peer) => peer.sendClose(),
  violate: (peer) => peer.send({ opcode: opcode.text, rsv: 4, payload: 'x' }),
  end: (peer) => peer.end(),
  reset: (peer) => peer.reset(),
};

const deedsOfFake: Readonly<Record<Deed, (peer: FakePeer) => void>> = {
  'say hello': (peer) => peer.send([Buffer.from('hello')]),
  ping: (peer) => peer.ping(),
  'ping 61 times': (peer) => peer.ping(61),
  close: (peer) => peer.close(4_001, 'bye'),
  'close empty': (peer) => peer.close(1005),
  violate: (peer) => peer.violate(1002),
  end: (peer) => peer.end(),
  reset: (peer) => peer.reset(systemError('ECONNRESET')),
};

/** Starts the closing handshake. The write reports when the close frame has left. */
function closeAndWrite(seen: Recorder): void {
  seen.socket.answerClose(1000, 'enough');
  seen.write('x');
}

function playOnFake(script: readonly Act[]): readonly string[] {
  const clock = new SimulatedClock();
  const raw = new FakeSocket(clock);
  const upgrader = new FakeUpgrader(clock);
  const peer = new FakePeer(clock, raw, {
    latencyMs: () => 1,
    pongMs: () => 1,
    beatMs: () => 1,
    closing: 'never',
    ends: true,
    readBytes: 1_000_000,
    readEveryMs: 0,
  });
  const recorder = new Recorder(fakeUpgrade(raw), (upgrade) =>
    upgrader.complete({ ...upgrade, address: '', path: '/' }),
  );
  clock.advance(10);
  for (const act of script) {
    if (typeof act === 'string') deedsOfFake[act](peer);
    else act(recorder);
    clock.advance(10);
  }
  return recorder.told;
}

describe('a fake socket and the WebSocket above it', () => {
  let server: Server;
  let recorder: Recorder | undefined;

  before(async () => {
    const upgrader = new WsUpgrader(defaults.limits, []);
    server = createServer().on('upgrade', (request, raw, head) => {
      recorder = new Recorder({ request, socket: raw as Socket, head }, (upgrade) =>
        upgrader.complete({ ...upgrade, address: '', path: '/' }),
      );
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  });
  after(() => server.close());

  async function playForReal(script: readonly Act[]): Promise<readonly string[]> {
    recorder = undefined;
    const peer = await RawPeer.open((server.address() as AddressInfo).port);
    const seen = recorder as unknown as Recorder;
    for (const act of script) {
      const before = seen.told.length;
      if (typeof act === 'string') deedsOfReal[act](peer);
      else act(seen);
      await until(() => seen.told.length > before, 'an event is emitted');
      await turns(20);
    }
    await until(() => seen.isOver, 'it is over');
    peer.destroy();
    return seen.told;
  }

  const scripts: Readonly<Record<string, readonly Act[]>> = {
    'a message and a ping, then the end of the peer (D03)': ['say hello', 'ping', 'end'],
    'a reset (D01)': ['reset'],
    'a reset behind a message (D02)': ['say hello', 'reset'],
    'a close frame of the peer (C01)': ['close'],
    'an empty close frame (C01)': ['close empty'],
    'a violation of the protocol (E)': ['violate'],
    'more pings than are answered (E05)': ['ping 61 times'],
    'a close frame of ours that is answered (C06)': [closeAndWrite, 'close'],
    'messages behind a close frame of ours (C07)': [closeAndWrite, 'say hello', 'ping', 'close'],
    'the end of the peer behind a close frame of ours': [closeAndWrite, 'end'],
    'a reset behind a close frame of ours': [closeAndWrite, 'reset'],
    'a socket that is destroyed (C09)': [({ raw }) => void raw.destroy()],
    'a write to a socket that has been destroyed': [
      (seen) => {
        seen.raw.destroy();
        seen.write('late');
      },
    ],
    'a write behind the end of ours': [
      (seen) => {
        seen.raw.end();
        seen.write('late');
      },
    ],
  };

  for (const [what, script] of Object.entries(scripts)) {
    it(`emit the events of net.Socket and ws for ${what}`, async () => {
      assert.deepEqual(playOnFake(script), await playForReal(script));
    });
  }
});

describe('a fake socket', () => {
  const watch = () => {
    const clock = new SimulatedClock();
    const socket = new FakeSocket(clock, { kernelBytes: 100 });
    const written: string[] = [];
    const write = (name: string, bytes: number) =>
      socket.write(Buffer.alloc(bytes), (error) =>
        written.push(error ? `${name}: ${error.message}` : name),
      );
    const marks = () => [socket.writableLength, socket._handle?.writeQueueSize, socket.flushMark];
    return { clock, socket, write, written, marks };
  };

  it('keeps a write that finds the kernel full whole, and flushes later ones in one write', () => {
    const { clock, socket, write, written, marks } = watch();
    assert.equal(write('a', 60), true);
    assert.deepEqual(marks(), [0, 0, 60]);
    assert.equal(write('b', 60), false);
    write('c', 30);
    write('d', 30);
    assert.deepEqual(marks(), [120, 20, 40]);
    socket.take(10);
    assert.deepEqual(marks(), [120, 10, 50]);
    socket.take(20);
    assert.deepEqual(marks(), [60, 50, 70]);
    clock.advance(0);
    assert.deepEqual(written, ['a', 'b']);
    socket.take(1_000);
    clock.advance(0);
    assert.deepEqual(written, ['a', 'b', 'c', 'd']);
    assert.deepEqual(marks(), [0, 0, 180]);
  });

  it('fails pending writes when it is destroyed, and none that has left', () => {
    const { clock, socket, write, written } = watch();
    write('gone', 100);
    write('waiting', 10);
    socket.destroy();
    clock.advance(0);
    assert.deepEqual(written, ['gone', 'waiting: ERR_STREAM_DESTROYED']);
  });

  it('reports the error of a write to a reset connection at once', () => {
    const { clock, socket, write, written } = watch();
    socket.on('error', (error: Error) => written.push(`error ${error.message}`));
    socket.receiveReset(systemError('ECONNRESET'));
    assert.equal(socket.writable, true);
    write('late', 1);
    assert.equal(socket.errored?.message, 'ECONNRESET');
    assert.equal(socket.writable, false);
    clock.advance(0);
    assert.deepEqual(written, ['late: ECONNRESET', 'error ECONNRESET']);
  });

  it('ends only when everything before the end has left', () => {
    const { clock, socket, write } = watch();
    const told: string[] = [];
    socket.otherEnd = {
      bytesWaiting: () => {},
      ended: () => told.push('ended'),
      destroyed: () => told.push('destroyed'),
    };
    write('much', 150);
    socket.end();
    clock.advance(0);
    assert.deepEqual(told, []);
    socket.take(50);
    assert.deepEqual(told, ['ended']);
    socket.receiveEnd();
    assert.deepEqual(told, ['ended', 'destroyed']);
  });

  it('holds chunks back while it is paused, but not an end with nothing before it', () => {
    const { socket } = watch();
    const told: string[] = [];
    socket.on('end', () => told.push('end'));
    socket.receiveEnd();
    assert.deepEqual(told, ['end']);
    const { socket: other } = watch();
    other.on('end', () => told.push('never'));
    other.receive({ bytes: 1, frames: [() => {}] });
    other.receiveEnd();
    assert.deepEqual(told, ['end']);
    assert.equal(other.bytesRead, 1);
  });
});
