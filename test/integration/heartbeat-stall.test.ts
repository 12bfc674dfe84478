import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import { WebSocket } from 'ws';
import { opcode } from '../support/frames.ts';
import { FrozenPeer, FrozenService } from '../support/frozen-peer.ts';
import { RawPeer } from '../support/raw-peer.ts';
import { Service } from '../support/service.ts';
import { turns, until } from '../support/until.ts';

/** A grace that a peer in another process can meet on a busy machine, and that is shorter than a stall. */
const heartbeat = { intervalMs: 200, graceMs: 700 };
const STALL_MS = 5 * heartbeat.intervalMs;
const PEERS = 200;

let service: Service;

/**
 * Blocks the event loop, as a long computation does, at the worst moment: late timers run before anything
 * is read. Repeats that with only a few turns of the loop in between.
 */
async function stall(count = 1, turnsBetween = 1): Promise<void> {
  await turns();
  for (let done = 0; done < count; done += 1) {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, STALL_MS);
    await turns(turnsBetween);
  }
}

/** Asserts that no connection closed, was lost or left. */
function assertNobodyDied(count: number): void {
  const { open, closed, errored, closing } = service.supervisor.counts;
  assert.deepEqual([open, closed, errored, closing], [count, 0, 0, 0]);
}

describe('F07 the event loop stalls', () => {
  let peers: FrozenPeer;
  afterEach(async () => {
    await peers.kill();
    await service.stop();
  });

  /** Waits until every peer has got this many more pings, and has answered all but the last. */
  async function pingedAgain(more: number): Promise<void> {
    const { pingsMin } = await peers.census();
    let census = await peers.census();
    const giveUpAt = performance.now() + 20_000;
    while (census.pingsMin < pingsMin + more && census.closed === 0) {
      assert.ok(performance.now() < giveUpAt, 'pings continue');
      census = await peers.census();
    }
    assert.deepEqual([census.open, census.closed], [PEERS, 0]);
  }

  it('F07: no connection ends after one stall of five intervals', async () => {
    service = await Service.start({ heartbeat });
    peers = await FrozenPeer.open(service.url, PEERS);
    await pingedAgain(2);
    await stall();
    await pingedAgain(2);
    assertNobodyDied(PEERS);
  });

  for (const turnsBetween of [1, 10]) {
    it(`F07: no connection ends after stalls in a row, ${turnsBetween} turns apart`, async () => {
      service = await Service.start({ heartbeat });
      peers = await FrozenPeer.open(service.url, PEERS);
      await pingedAgain(1);
      await stall(3, turnsBetween);
      assertNobodyDied(PEERS);
      await pingedAgain(2);
      assertNobodyDied(PEERS);
    });
  }

  it('F07: dead peers are found all the same', async () => {
    service = await Service.start({ heartbeat });
    peers = await FrozenPeer.open(service.url, PEERS);
    await pingedAgain(1);
    await peers.freeze();
    await stall(2, 2);
    await until(() => service.supervisor.counts.closed === PEERS, 'all are found');
    const causes = new Set(service.of('connection.closed').map(({ verdict }) => verdict.cause));
    assert.deepEqual([...causes], ['heartbeat-timeout']);
  });

  it('D08b: peers that freeze are suspect, and healthy again when they thaw in time', async () => {
    service = await Service.start({ heartbeat: { intervalMs: 200, graceMs: 2_000 } });
    peers = await FrozenPeer.open(service.url, PEERS);
    await pingedAgain(1);
    await peers.freeze();
    await until(() => service.of('connection.suspect').length === PEERS, 'all are suspect');
    peers.thaw();
    await until(() => service.of('connection.healthy').length === PEERS, 'all are healthy again');
    await pingedAgain(1);
    assertNobodyDied(PEERS);
  });

  it('F07: an echo that arrived during a stall completes the closing handshake', async () => {
    service = await Service.start({ heartbeat, timeouts: { closeMs: 100 } });
    peers = await FrozenPeer.open(service.url);
    const connection = await service.opened();
    await turns();
    connection.close(1001, 'leaving');
    await stall();
    await service.closedAs({
      code: 1001,
      sent: { code: 1001, reason: 'leaving' },
      origin: 'local',
      layer: 'websocket',
      clean: true,
      cause: 'close',
      level: 'info',
    });
  });
});

describe('F07 the event loop that the peers share stalls', () => {
  const peers: RawPeer[] = [];
  afterEach(async () => {
    for (const peer of peers.splice(0)) peer.destroy();
    await service.stop();
  });

  for (const turnsBetween of [1, 3]) {
    it(`F07: no connection ends after stalls in a row, ${turnsBetween} turns apart`, async () => {
      service = await Service.start({ heartbeat });
      const counts: (() => number)[] = [];
      while (counts.length < PEERS) {
        counts.push(...(await Promise.all(Array.from({ length: 50 }, openAnswering))));
      }
      const pingedAgain = async (more: number) => {
        const before = counts.map((count) => count());
        const isAgain = () =>
          counts.every((count, index) => count() >= (before[index] ?? 0) + more);
        await until(isAgain, 'everybody is pinged');
      };
      await pingedAgain(1);
      await stall(3, turnsBetween);
      await pingedAgain(2);
      assertNobodyDied(PEERS);
    });
  }

  it('F07: a stall never uses up the rest of the grace', async () => {
    service = await Service.start({ heartbeat });
    const peer = await RawPeer.open(service.port);
    peers.push(peer);
    await service.when('connection.suspect');
    await stall();
    peer.send({ opcode: opcode.pong });
    await service.when('connection.healthy');
    assertNobodyDied(1);
  });

  /** Opens a connection that answers every ping, and returns a function that counts its answers. */
  async function openAnswering(): Promise<() => number> {
    const peer = await RawPeer.open(service.port);
    peers.push(peer);
    const pings = () => peer.frames.filter((frame) => frame.opcode === opcode.ping).length;
    let answered = 0;
    const answer = () => {
      for (; answered < pings(); answered += 1) peer.send({ opcode: opcode.pong });
    };
    peer.socket.on('data', answer);
    answer();
    return () => answered;
  }
});

describe('F07e the process of the service freezes', () => {
  let frozen: FrozenService;
  let clients: WebSocket[];
  afterEach(async () => {
    for (const client of clients) client.terminate();
    await frozen.kill();
  });

  it('F07e: no connection ends when it wakes after five intervals, repeatedly', async () => {
    frozen = await FrozenService.start(heartbeat);
    const pings = new Map<WebSocket, number>();
    clients = Array.from({ length: 50 }, () => new WebSocket(`ws://127.0.0.1:${frozen.port}/ws`));
    for (const client of clients) {
      pings.set(client, 0);
      client.on('ping', () => pings.set(client, (pings.get(client) ?? 0) + 1));
    }
    const pingedAgain = async () => {
      const before = new Map(pings);
      const isAgain = (client: WebSocket) =>
        (pings.get(client) ?? 0) >= (before.get(client) ?? 0) + 2;
      await until(() => clients.every(isAgain), 'everybody is pinged');
    };
    await pingedAgain();
    for (let times = 0; times < 3; times += 1) {
      await frozen.freeze();
      const frozenAt = performance.now();
      await until(() => performance.now() - frozenAt > STALL_MS, 'five intervals have passed');
      frozen.thaw();
    }
    await pingedAgain();
    const { open, causes } = await frozen.census();
    assert.deepEqual({ open, causes }, { open: 50, causes: [] });
    assert.ok(clients.every(({ readyState }) => readyState === WebSocket.OPEN));
  });
});
