import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import { afterEach, describe, it } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { Connection } from '../../src/index.ts';
import { listenersOf } from '../support/dialed-pair.ts';
import { opcode } from '../support/frames.ts';
import { RawPeer } from '../support/raw-peer.ts';
import { Service } from '../support/service.ts';
import { TimerCountingClock } from '../support/timer-counting-clock.ts';
import { until } from '../support/until.ts';

type AnyConnection = Connection<unknown, unknown, unknown>;

const timeouts = { closeMs: 100, erroredMs: 100, forcedMs: 100 };

/** Every way in which an open connection can end on a loopback. */
const endings: readonly [string, (connection: AnyConnection, peer: RawPeer) => void][] = [
  ['close of the peer', (_, peer) => peer.sendClose(1000)],
  ['our close', (connection) => void connection.close()],
  ['a close of both', (connection, peer) => peer.sendClose(connection.close() ? 1000 : 1001)],
  ['terminate', (connection) => void connection.terminate()],
  ['fail', (connection) => void connection.fail(new Error('ours'))],
  ['FIN of the peer', (_, peer) => peer.end()],
  ['RST of the peer', (_, peer) => peer.reset()],
  ['a violation', (_, peer) => peer.send({ opcode: opcode.text, masked: false })],
];

let service: Service;
let peer: RawPeer;

async function release(): Promise<void> {
  peer.destroy();
  await service.stop();
}

describe('C13 lookups while a connection dies', () => {
  afterEach(release);

  for (const [name, end] of endings) {
    it(`C13: find nothing from the first event of ${name}`, async () => {
      service = await Service.start({ timeouts });
      peer = await RawPeer.open(service.port);
      const connection = await service.opened();
      connection.join('all');
      const seen: { type: string; found: object }[] = [];
      service.supervisor.events$.subscribe(({ type }) => {
        seen.push({ type, found: look(connection) });
      });
      end(connection, peer);
      await service.when('connection.closed');
      const first = seen[0]?.type ?? '';
      assert.ok(['connection.errored', 'connection.closing'].includes(first), first);
      assert.equal(seen.at(-1)?.type, 'connection.closed');
      for (const { type, found } of seen) assert.deepEqual(found, nothing, type);
    });
  }
});

/** What every way to look up a connection finds. */
function look(connection: AnyConnection): object {
  const { supervisor } = service;
  const { delivered, dropped } = supervisor.broadcast('x');
  const published = supervisor.topic('all').publish('x');
  return {
    listed: [...supervisor.connections].length,
    known: supervisor.get(connection.id) !== undefined,
    open: supervisor.counts.open,
    reached: [delivered, dropped, published.delivered, published.dropped],
    members: supervisor.topic('all').size,
    sent: connection.send('x'),
    joined: connection.join('all'),
  };
}

const nothing = {
  listed: 0,
  known: false,
  open: 0,
  reached: [0, 0, 0, 0],
  members: 0,
  sent: 'refused',
  joined: false,
};

describe('C15 what remains of a connection', () => {
  afterEach(release);

  for (const [name, end] of endings) {
    it(`C15: no timer, no listener and no reference after ${name}`, async () => {
      const clock = new TimerCountingClock();
      service = await Service.start({ timeouts, clock });
      const socket = nextSocket();
      peer = await RawPeer.open(service.port);
      const connection = await service.opened();
      // Between two ticks there is a moment without one.
      await until(() => clock.pending.size === 1, 'there is one timer, for the heartbeat');
      end(connection, peer);
      await service.when('connection.closed');
      assert.equal(clock.pending.size, 0, 'no timer');
      assert.deepEqual(listenersOf(socket()), [], 'no listener except the one for late errors');
      assert.deepEqual([connection.bufferedBytes, connection.subprotocol], [0, '']);
      await assertCollectable(socket);
      assert.notEqual(connection.verdict, undefined);
    });
  }
});

/** Holds the server's side of the next TCP connection weakly. */
function nextSocket(): () => Socket | undefined {
  let held: WeakRef<Socket> | undefined;
  service.server.once('connection', (socket: Socket) => {
    held = new WeakRef(socket);
  });
  return () => held?.deref();
}

async function assertCollectable(socket: () => Socket | undefined): Promise<void> {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  await until(() => {
    collect();
    return socket() === undefined;
  }, 'the socket is garbage');
}

describe('C17 listeners of others', () => {
  afterEach(release);

  for (const [name, end] of endings) {
    it(`C17: those of the host on the raw socket stay and are called at ${name}`, async () => {
      service = await Service.start({ timeouts });
      const called: string[] = [];
      const onError = () => void called.push('error');
      const onClose = () => void called.push('close');
      let raw: Socket | undefined;
      service.server.once('connection', (socket: Socket) => {
        raw = socket.on('error', onError).on('close', onClose);
      });
      peer = await RawPeer.open(service.port);
      const connection = await service.opened();
      end(connection, peer);
      await service.when('connection.closed');
      assert.deepEqual(called, name.startsWith('RST') ? ['error', 'close'] : ['close']);
      assert.ok(raw?.listeners('error').includes(onError));
      assert.ok(raw?.listeners('close').includes(onClose));
    });
  }
});
