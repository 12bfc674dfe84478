/**
 * A crowd of raw WebSocket clients in a separate process, controlled by its parent.
 *
 * `{ open: n }` opens n more connections. `{ end: style }` ends all of them. The process answers each
 * order with the same order when it is done.
 */
import { connect, type Socket } from 'node:net';
import { buildFrame, closePayload, opcode } from './frames.ts';

/** How the crowd leaves. */
export type EndStyle = 'random' | 'close' | 'reset';

/** The orders of the parent. */
export type SwarmOrder = { open: number } | { end: EndStyle };

const CONCURRENCY = 100;
const [port = 0, firstLocalPort = 0] = process.argv.slice(2).map(Number);

/** Explicit local ports: Linux would search longer and longer for a free one. */
let nextLocalPort = firstLocalPort;
const sockets = new Set<Socket>();

const REQUEST = [
  'GET /ws HTTP/1.1',
  `Host: 127.0.0.1:${port}`,
  'Upgrade: websocket',
  'Connection: Upgrade',
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
  'Sec-WebSocket-Version: 13',
  '\r\n',
].join('\r\n');

function openOne(): Promise<void> {
  return new Promise((resolve) => {
    const local =
      firstLocalPort === 0 ? {} : { localPort: nextLocalPort++, localAddress: '127.0.0.1' };
    const socket = connect({ host: '127.0.0.1', port, ...local }, () => socket.write(REQUEST));
    let answered = false;
    socket.on('data', () => {
      if (answered) return;
      answered = true;
      sockets.add(socket);
      resolve();
    });
    socket.on('error', () => resolve());
    socket.on('close', () => {
      sockets.delete(socket);
      resolve();
    });
  });
}

async function open(count: number): Promise<void> {
  let left = count;
  const worker = async () => {
    for (; left > 0; ) {
      left -= 1;
      await openOne();
    }
  };
  await Promise.all(Array.from({ length: Math.min(CONCURRENCY, count) }, worker));
}

const close = buildFrame({ opcode: opcode.close, payload: closePayload(1000, 'bye') });
const violation = buildFrame({ opcode: opcode.text, payload: 'x', masked: false });
const endings: readonly ((socket: Socket) => void)[] = [
  (socket) => socket.write(close),
  (socket) => socket.resetAndDestroy(),
  (socket) => socket.end(),
  (socket) => socket.destroy(),
  (socket) => socket.write(violation),
  (socket) => socket.write(close.subarray(0, 3), () => socket.resetAndDestroy()),
];

function endOne(socket: Socket, style: EndStyle): void {
  const index = { close: 0, reset: 1, random: Math.floor(Math.random() * endings.length) }[style];
  endings[index]?.(socket);
}

async function endAll(style: EndStyle): Promise<void> {
  for (const socket of [...sockets]) endOne(socket, style);
  while (sockets.size > 0) await new Promise((resolve) => setTimeout(resolve, 5));
}

process.on('message', async (order: SwarmOrder) => {
  if ('open' in order) await open(order.open);
  else await endAll(order.end);
  process.send?.(order);
});
process.on('disconnect', () => process.exit());
