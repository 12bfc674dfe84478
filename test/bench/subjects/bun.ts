/** The process of the subject Bun: its own server, run by its own binary. */
import { carryOut } from '../lines.ts';
import type { ServerOrders } from '../orders.ts';
import { serverOrders } from './server-orders.ts';

/** The part of Bun that is used here. */
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

carryOut<ServerOrders>({
  listen,
  ...serverOrders({
    open: () => open,
    present: () => open,
    publish: (text) => server?.publish('all', `"${text}"`),
  }),
  collect: () => Bun.gc(true),
  liveBytes: notCompared,
  leave: notCompared,
  watchPauses: notCompared,
  watchedPauseMs: notCompared,
  profile: notCompared,
  profiled: notCompared,
});

function notCompared(): never {
  throw new Error('this is not compared with Bun');
}

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
