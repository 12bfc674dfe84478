import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { WebSocketServer } from 'ws';
import { attach, createSupervisor } from '../../src/index.ts';
import { Swarm } from '../support/swarm-process.ts';
import { until } from '../support/until.ts';
import type { BenchRow } from './row.ts';

/** A server whose accept cost is measured. */
interface Subject {
  readonly server: Server;
  /** Connections that are open. */
  count(): number;
}

function mooring(): Subject {
  const server = createServer();
  const supervisor = createSupervisor({ onOpen: (connection) => connection.join('all') });
  attach(server, supervisor, { path: '/ws' });
  return { server, count: () => supervisor.counts.open };
}

/** ws the way its README does it, with the error listener that it asks for. */
function bareWs(): Subject {
  const server = createServer();
  const sockets = new WebSocketServer({ server, path: '/ws' });
  sockets.on('connection', (socket) => {
    socket.on('error', () => {});
    socket.on('message', () => {});
  });
  return { server, count: () => sockets.clients.size };
}

const WARM_UP = 10_000;
const BATCH = 1_000;
const CROWD = 14_000;

/** Server CPU per accepted connection, in microseconds: with nobody there, and with 14,000 there. */
interface Cost {
  few: number;
  many: number;
}

/**
 * What an accept costs, and that it costs the same with 14,000 connections there as with none.
 *
 * The clients live in another process; only this process's CPU is counted.
 */
export async function benchAccept(rounds: number): Promise<BenchRow[]> {
  const ours: Cost[] = [];
  const peers: Cost[] = [];
  for (let round = 0; round < rounds; round += 1) {
    ours.push(await measure(mooring()));
    peers.push(await measure(bareWs()));
  }
  const few = median(ours.map((cost) => cost.few));
  const many = median(ours.map((cost) => cost.many));
  const peer = median(peers.map((cost) => cost.few));
  const peerMany = median(peers.map((cost) => cost.many));
  return [
    row(['accept-flat', 'mooring at 1,000'], [many, few], 1.1),
    row(['accept', 'ws at 1,000'], [few, peer], 1.2),
    row(['accept-15000', 'ws at 15,000'], [many, peerMany], 1.2),
  ];
}

function row(
  [name, peerName]: [string, string],
  [ours, peer]: [number, number],
  target: number,
): BenchRow {
  const ratio = ours / peer;
  return { name, unit: 'µs', ours, peer, peerName, ratio, target, holds: ratio <= target };
}

async function measure(subject: Subject): Promise<Cost> {
  const { server } = subject;
  await new Promise<void>((resolve) =>
    server.listen({ port: 0, host: '127.0.0.1', backlog: 4_096 }, resolve),
  );
  const { port } = server.address() as AddressInfo;
  const swarm = new Swarm(port);
  const accept = async (count: number) => {
    const target = subject.count() + count;
    const before = process.cpuUsage();
    await swarm.open(count);
    await until(() => subject.count() === target, `${target} are open`, 60_000);
    const { user, system } = process.cpuUsage(before);
    return (user + system) / count;
  };
  await accept(WARM_UP);
  await swarm.end('reset');
  await until(() => subject.count() === 0, 'the warm-up has left', 60_000);
  const few = await accept(BATCH);
  await accept(CROWD - BATCH);
  const many = await accept(BATCH);
  await swarm.stop();
  await until(() => subject.count() === 0, 'all have left', 60_000);
  await new Promise<void>((resolve) => server.close(() => resolve()));
  return { few, many };
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}
