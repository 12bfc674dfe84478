/** The process of the subject Bun: its own server, run by its own binary. */
import { carryOut } from '../lines.ts';
import type { ServerOrders } from '../orders.ts';
import { publishing } from './publishing.ts';
import { TEXT } from './text.ts';
import { cpuMicros, longestPauseMs, MemoryWatch, untilCount } from './watching.ts';

/** As much of Bun as is used here. */
interface BunSocket {
  subscribe(topic: string): void;
}
interface BunServer {
  readonly port: number;
  upgrade(request: object): boolean;
  publish(topic: string, message: string): void;
}
interface BunGlobal {
  gc(isSynchronous: boolean): void;
  serve(options: {
    port: number;
    hostname: string;
    fetch(request: object, server: BunServer): Response | undefined;
    websocket: {
      open(socket: BunSocket): void;
      message(): void;
      close(): void;
    };
  }): BunServer;
}

const { Bun } = globalThis as unknown as { Bun: BunGlobal };
let server: BunServer | null = null;
let open = 0;
let memory: MemoryWatch | null = null;

carryOut<ServerOrders>({
  listen,
  untilOpen: (count) => untilCount(() => open === count, count, 'open'),
  untilPresent: (count) => untilCount(() => open <= count, count, 'left'),
  cpuMicros,
  collect: () => Bun.gc(true),
  liveBytes() {
    throw new Error('the heap of Bun is not compared');
  },
  publish: (stream) => publishing(stream, TEXT, (text) => server?.publish('all', `"${text}"`)),
  longestPauseMs,
  watchMemory() {
    memory = new MemoryWatch();
  },
  grownBytes: () => memory?.grownBytes() ?? 0,
});

async function listen(): Promise<number> {
  server = Bun.serve({
    port: 0,
    hostname: '127.0.0.1',
    fetch: (request, own) => (own.upgrade(request) ? undefined : new Response('', { status: 400 })),
    websocket: {
      open(socket) {
        open += 1;
        socket.subscribe('all');
      },
      message: () => {},
      close() {
        open -= 1;
      },
    },
  });
  return server.port;
}
