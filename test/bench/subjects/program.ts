/** The process of one subject: a server that carries out the orders of its parent. */
import type { AddressInfo } from 'node:net';
import { carryOut } from '../lines.ts';
import type { ServerOrders, Setup } from '../orders.ts';
import { bare } from './bare.ts';
import { collect, liveBytes } from './memory.ts';
import { mooring } from './mooring.ts';
import { pauseOrders } from './pause-watch.ts';
import { profileOrders } from './profiling.ts';
import { serverOrders } from './server-orders.ts';
import { socketIo } from './socket-io.ts';
import type { Subject } from './subject.ts';
import { ws } from './ws.ts';

const subject = subjectOf(JSON.parse(process.argv[2] ?? '{}') as Setup);

carryOut<ServerOrders>({
  listen,
  leave,
  ...serverOrders(subject),
  ...pauseOrders(),
  ...profileOrders(),
  collect,
  liveBytes,
});

function subjectOf(setup: Setup): Subject {
  switch (setup.program) {
    case 'mooring':
      return mooring(setup);
    case 'ws':
      return ws(setup);
    case 'bare':
      return bare();
    case 'socket.io':
      return socketIo(setup);
    case 'bun':
      throw new Error('Bun has a program of its own');
  }
}

async function listen(port = 0): Promise<number> {
  const { server } = subject;
  await subject.untilShared?.();
  const address = { port, host: '127.0.0.1', backlog: 4_096 };
  await new Promise<void>((resolve) => server.listen(address, resolve));
  return (server.address() as AddressInfo).port;
}

/** It stops listening first: a client that returns at once must not reach the server that is leaving. */
function leave(): void {
  if (subject.terminate === undefined) throw new Error('this subject is not one that leaves');
  subject.server.close();
  subject.terminate();
}
