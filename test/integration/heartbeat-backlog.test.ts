import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import type { Connection, SupervisorOptions } from '../../src/index.ts';
import { byError, opening } from '../support/closings.ts';
import { RawPeer } from '../support/raw-peer.ts';
import { Service } from '../support/service.ts';
import { until } from '../support/until.ts';
import { lostToNetwork } from '../support/verdicts.ts';

const MEBIBYTE = 2 ** 20;
const timeouts = { closeMs: 300, erroredMs: 200, forcedMs: 200, stalledMs: 60_000 };
const heartbeat = { intervalMs: 300, graceMs: 900 };
const limits = { outboxHighBytes: 512 * MEBIBYTE };

let service: Service;
let peer: RawPeer;
let connection: Connection<unknown, unknown, unknown>;
let reading: NodeJS.Timeout | undefined;

async function connect(options: SupervisorOptions<unknown, unknown, unknown> = {}): Promise<void> {
  service = await Service.start({ timeouts, heartbeat, limits, ...options });
  peer = await RawPeer.open(service.port);
  connection = await service.opened();
  peer.pause();
}

async function release(): Promise<void> {
  clearInterval(reading);
  peer.destroy();
  await service.stop();
}

/** Reads some 12 MiB in a second and sends nothing, not even pongs. */
function readSlowly(): void {
  peer.socket.removeAllListeners('data');
  peer.socket.on('readable', () => {});
  reading = setInterval(() => peer.socket.read(65_536) ?? peer.socket.read(), 5);
}

/** Waits until it has lived twice as long as a dead peer would have. */
async function liveLong(): Promise<void> {
  const { intervalMs, graceMs } = heartbeat;
  const startedAt = performance.now();
  const isOver = () => service.of('connection.closed').length > 0;
  await until(
    () => isOver() || performance.now() - startedAt > 2 * (intervalMs + graceMs),
    'it lives',
  );
  assert.deepEqual(
    service.of('connection.closed').map(({ verdict }) => verdict.cause),
    [],
  );
  assert.ok(connection.bufferedBytes > 0, 'the backlog is still there');
}

describe('D05d a ping waits behind a backlog', () => {
  afterEach(release);

  it('D05d: the connection lives while the peer reads slowly: many messages', async () => {
    await connect();
    for (let count = 0; count < 64; count += 1) connection.send('x'.repeat(MEBIBYTE));
    readSlowly();
    await liveLong();
  });

  it('D05d: the connection lives while the peer reads slowly: one long message', async () => {
    await connect();
    connection.send('x'.repeat(64 * MEBIBYTE));
    readSlowly();
    await liveLong();
  });

  it('D05: a peer is no slow consumer while it reads slowly', async () => {
    await connect({
      heartbeat: { intervalMs: 60_000, graceMs: 60_000 },
      limits: { outboxHighBytes: MEBIBYTE },
      timeouts: { ...timeouts, stalledMs: 900 },
    });
    connection.send('x'.repeat(64 * MEBIBYTE));
    await service.when('connection.congested');
    readSlowly();
    await liveLong();
  });

  it('D05d: the connection ends when the peer reads nothing and sends nothing', async () => {
    await connect();
    for (let count = 0; count < 16; count += 1) connection.send('x'.repeat(MEBIBYTE));
    await service.closedAs({
      states: [...opening, ...byError],
      ...lostToNetwork.silent,
    });
  });

  it('D05d: the connection ends when the peer stops reading', async () => {
    await connect();
    for (let count = 0; count < 64; count += 1) connection.send('x'.repeat(MEBIBYTE));
    readSlowly();
    await until(() => peer.socket.bytesRead > 2 * MEBIBYTE, 'it has read for a while');
    clearInterval(reading);
    await service.closedAs({ cause: 'heartbeat-timeout', origin: 'network', level: 'warn' });
  });

  it('D05d: the connection lives when the peer reads nothing but sends', async () => {
    await connect();
    for (let count = 0; count < 16; count += 1) connection.send('x'.repeat(MEBIBYTE));
    reading = setInterval(() => peer.json('here'), 50);
    await liveLong();
    assert.deepEqual(service.of('connection.suspect'), []);
  });
});
