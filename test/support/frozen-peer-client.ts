/**
 * The program of a `FrozenPeer`: opens `count` connections to `url`, and reports when all are open, or when
 * one closes.
 */
import { WebSocket } from 'ws';
import type { PeerCensus } from './frozen-peer.ts';

const { url, count } = JSON.parse(process.argv[2] ?? '') as { url: string; count: number };
const pings: number[] = new Array(count).fill(0);
let open = 0;
let closed = 0;

function report(): void {
  const census: PeerCensus = { open, closed, pingsMin: Math.min(...pings) };
  process.send?.(census);
}

for (let index = 0; index < count; index += 1) {
  const socket = new WebSocket(url, { perMessageDeflate: false });
  socket.on('open', () => {
    open += 1;
    if (open === count) report();
  });
  socket.on('ping', () => {
    pings[index] = (pings[index] ?? 0) + 1;
  });
  socket.on('close', () => {
    open -= 1;
    closed += 1;
    report();
  });
  socket.on('error', () => {});
}

process.on('message', report);
process.on('disconnect', () => process.exit());
