// Sends each message back to the client that sent it. Clients sign in with a token in the `Authorization` header:
//
//   PORT=8080 TOKENS='ada=s3cret bob=hunter2' node echo.js

import { createHash } from 'node:crypto';
import { createSupervisor, listen, logEvents, Refusal } from 'mooring';

const { PORT = '8080', TOKENS = '' } = process.env;

/** User names by the hash of their token. A look-up by hash does not reveal how much of a token was right. */
const users = new Map<string, string>();
for (const entry of TOKENS.split(' ').filter(Boolean)) {
  const [name = '', token = ''] = entry.split('=');
  users.set(hashOf(token), name);
}

const supervisor = createSupervisor({
  authenticate({ headers }) {
    const [, token] = /^Bearer (\S+)$/.exec(headers.authorization ?? '') ?? [];
    const name = token === undefined ? undefined : users.get(hashOf(token));
    if (name === undefined) {
      throw new Refusal(401, 'send a token', { 'WWW-Authenticate': 'Bearer' });
    }
    return { name };
  },
  onOpen(connection) {
    connection.send({ hello: connection.peer.name });
  },
  // The promise is in flight until the echo has left. With 16 in flight, reading pauses. A client that sends faster than
  // it reads therefore has to wait, and no echo is refused.
  onMessage: (connection, message) => connection.sendAndFlush({ echo: message }),
  limits: { payloadBytesMax: 65_536, inFlightMax: 16 },
});

logEvents(supervisor.events$, console);
const listener = await listen(supervisor, { port: Number(PORT), path: '/echo' });
console.log(`listening at ${listener.url}`);

process.once('SIGTERM', async () => {
  await supervisor.drain({ withinMs: 5_000 });
  await listener.close();
});

function hashOf(token: string): string {
  return createHash('sha256').update(token).digest('hex');
}
