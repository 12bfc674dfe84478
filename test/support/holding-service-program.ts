/** The program of a `HoldingService`: it holds what its peers make it hold, and reports how much that is. */
import type { Socket } from 'node:net';
import { binaryCodec, createSupervisor, listen } from '../../src/index.ts';
import { heapUsed } from './garbage.ts';
import type { HoldingCensus, HoldingOrder } from './holding-service.ts';

const closed: string[] = [];
let messages = 0;

const sockets = new Set<Socket>();
let bytesReadBefore = 0;

const supervisor = createSupervisor({
  ...(JSON.parse(process.argv[2] ?? '') as HoldingOrder),
  codec: binaryCodec(),
  authenticate: ({ socket }) => {
    sockets.add(socket);
    socket.on('close', () => {
      bytesReadBefore += socket.bytesRead;
      sockets.delete(socket);
    });
    return true;
  },
  onMessage: () => {
    messages += 1;
  },
  onClose: (_connection, { cause, sent }) => closed.push(`${cause} ${sent?.code}`),
});
const { port } = await listen(supervisor, { path: '/ws' });

async function report(): Promise<void> {
  const { open } = supervisor.counts;
  const heap = await heapUsed();
  const { external } = process.memoryUsage();
  const bytesRead = [...sockets].reduce((sum, socket) => sum + socket.bytesRead, bytesReadBefore);
  const census: HoldingCensus = {
    port,
    open,
    messages,
    bytesRead,
    liveBytes: heap + external,
    closed,
  };
  process.send?.(census);
}

await report();
process.on('message', () => void report());
process.on('disconnect', () => process.exit());
