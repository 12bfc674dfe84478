import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import type { RawPeer } from './raw-peer.ts';
import type { Service } from './service.ts';
import { until } from './until.ts';

/** Every way in which a client can leave. */
export const departures: Readonly<Record<string, (peer: RawPeer) => void>> = {
  RST: (peer) => peer.reset(),
  FIN: (peer) => peer.end(),
  silence: () => {},
};

/** The bytes of a valid upgrade request, with headers changed or added. */
export function requestBytes(port: number, changes: Readonly<Record<string, string>> = {}): Buffer {
  const headers = {
    Host: `127.0.0.1:${port}`,
    Upgrade: 'websocket',
    Connection: 'Upgrade',
    'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
    'Sec-WebSocket-Version': '13',
    ...changes,
  };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  return Buffer.from(`GET /ws HTTP/1.1\r\n${lines.join('')}\r\n`);
}

/** Waits until the service has read everything that these clients have written. */
export async function arrived(peers: readonly RawPeer[], sockets: Iterable<Socket>): Promise<void> {
  await until(
    () => haveArrived(peers, sockets),
    `all bytes of ${peers.length} clients have arrived`,
  );
}

/** Whether the service has read everything that these clients have written. */
export function haveArrived(peers: readonly RawPeer[], sockets: Iterable<Socket>): boolean {
  const written = new Map(peers.map(({ socket }) => [socket.localPort, socket.bytesWritten]));
  const here = [...sockets].filter(({ remotePort }) => written.has(remotePort));
  return (
    here.length === peers.length &&
    here.every(({ remotePort, bytesRead }) => bytesRead === written.get(remotePort))
  );
}

/** How many connections failed, opened and closed. */
export interface Tally {
  failed: number;
  opened: number;
  closed: number;
}

/**
 * Counts the reports, and asserts for every connection: one terminal report, `closed` if and only if it was
 * opened, in this order.
 */
export function tallied(service: Service): Tally {
  const stories = [...storiesOf(service).entries()];
  const opened = stories.filter(([, types]) => types[0] !== 'connection.failed');
  for (const [id, types] of stories) assertOneEnd(id, types);
  const tally: Tally = {
    failed: stories.length - opened.length,
    opened: opened.length,
    closed: opened.filter(([, types]) => types.includes('connection.closed')).length,
  };
  assert.equal(service.calls.filter((call) => call === 'onFailed').length, tally.failed);
  assert.equal(service.calls.filter((call) => call === 'onClose').length, tally.closed);
  return tally;
}

/** The reports of each connection, in order. */
function storiesOf(service: Service): Map<string, string[]> {
  const told = new Map<string, string[]>();
  for (const event of service.events) {
    const id = idOf(event);
    if (id !== undefined) told.set(id, [...(told.get(id) ?? []), event.type]);
  }
  return told;
}

function idOf(event: Service['events'][number]): string | undefined {
  if ('id' in event) return event.id;
  return 'connection' in event ? event.connection?.id : undefined;
}

function assertOneEnd(id: string, types: readonly string[]): void {
  if (types[0] === 'connection.failed' && types.length === 1) return;
  const story = `${id}: ${types.join(', ')}`;
  assert.equal(types[0], 'connection.opened', story);
  assert.ok(!types.includes('connection.failed'), story);
  assert.ok(types.filter((type) => type === 'connection.opened').length === 1, story);
  const closed = types.indexOf('connection.closed');
  assert.ok(closed === -1 || closed === types.length - 1, story);
}
