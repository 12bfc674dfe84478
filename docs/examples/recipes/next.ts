import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { attach, createSupervisor, logEvents, Refusal } from 'mooring';
import next from 'next';

const { NODE_ENV, PORT = '3000' } = process.env;

const app = next({ dev: NODE_ENV !== 'production', port: Number(PORT) });
await app.prepare();
const handle = app.getRequestHandler();
const server = createServer((request, response) => void handle(request, response));

const supervisor = createSupervisor({
  authenticate({ headers }) {
    const [, user] = /(?:^|; )user=(\w+)/.exec(headers.cookie ?? '') ?? []; // look up your session here
    if (user === undefined) throw new Refusal(401, 'sign in first');
    return { user };
  },
  onOpen(connection) {
    connection.send({ hello: connection.peer.user });
  },
});

logEvents(supervisor.events$, console);
attach(server, supervisor, { path: '/ws' });

server.listen(Number(PORT), () => {
  const { port } = server.address() as AddressInfo;
  console.log(`listening at http://localhost:${port}`);
});

process.once('SIGTERM', async () => {
  server.close(); // accepts no new connections
  await supervisor.drain({ withinMs: 20_000 });
  await app.close();
  process.exit(); // Next.js keeps the process alive
});
