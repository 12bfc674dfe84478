import { randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage } from 'node:http';
import { admitted, attach, createSupervisor, Refusal } from 'mooring';

const SESSION_MS = 8 * 60 * 60 * 1_000;

interface Session {
  readonly id: string;
  readonly userId: string;
  readonly expiresAt: number;
}

/** In your service, use a database. */
const sessions = new Map<string, Session>();

function sessionOf({ headers }: IncomingMessage): Session | undefined {
  const [, id = ''] = /(?:^|; )session=([^;]+)/.exec(headers.cookie ?? '') ?? [];
  return sessions.get(id);
}

export const supervisor = createSupervisor({
  authenticate(request) {
    const session = sessionOf(request);
    // With `close`, the page can read the reason.
    if (session === undefined) throw new Refusal(401, 'sign in first', { close: true });
    return admitted(session, { expiresInMs: session.expiresAt - Date.now() });
  },
  key: ({ userId }) => userId,
  onOpen(connection) {
    connection.send({ hello: connection.peer.userId });
  },
});

export const server = createServer((request, response) => {
  if (request.method === 'POST' && request.url === '/sign-in') {
    // Check a password first.
    const session = {
      id: randomBytes(16).toString('hex'),
      userId: 'ada',
      expiresAt: Date.now() + SESSION_MS,
    };
    sessions.set(session.id, session);
    const cookie = `session=${session.id}; HttpOnly; Secure; SameSite=Strict; Path=/`;
    response.writeHead(204, { 'Set-Cookie': cookie }).end();
  } else if (request.method === 'POST' && request.url === '/sign-out') {
    const session = sessionOf(request);
    if (session !== undefined) signOut(session);
    response.writeHead(204, { 'Set-Cookie': 'session=; Max-Age=0; Path=/' }).end();
  } else {
    response.writeHead(404).end();
  }
});

attach(server, supervisor, { path: '/ws' });

/** Closes the connections of this session. Connections of the user's other sessions stay open. */
function signOut({ id, userId }: Session): void {
  sessions.delete(id);
  for (const connection of supervisor.byKey(userId)) {
    if (connection.peer.id === id) connection.close(3000, 'signed out');
  }
}
