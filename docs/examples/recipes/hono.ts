import type { Server } from 'node:http';
import { serve } from '@hono/node-server';
import { Hono } from 'hono';
import { setSignedCookie } from 'hono/cookie';
import { parseSigned } from 'hono/utils/cookie';
import { attach, createSupervisor, Refusal } from 'mooring';

export function honoApp(secret: string, port: number) {
  const app = new Hono();
  app.get('/hello', (context) => context.text('hello from Hono'));
  app.post('/sign-in', async (context) => {
    // Check a password first.
    const options = { httpOnly: true, secure: true, sameSite: 'Strict' } as const;
    await setSignedCookie(context, 'user', 'ada', secret, options);
    return context.body(null, 204);
  });

  const supervisor = createSupervisor({
    async authenticate({ headers }) {
      const { user } = await parseSigned(headers.cookie ?? '', secret, 'user');
      // `false` means that the signature is wrong.
      if (user === undefined || user === false) throw new Refusal(401, 'sign in first');
      return { user };
    },
    onOpen(connection) {
      connection.send({ hello: connection.peer.user });
    },
  });

  // Without the option `createServer`, this is a server of node:http.
  const server = serve({ fetch: app.fetch, port }) as Server;
  attach(server, supervisor, { path: '/ws' });

  async function stop(): Promise<void> {
    server.close(); // accepts no new connections
    await supervisor.drain({ withinMs: 20_000 });
    // Browsers open sockets in advance, and `close` waits for them.
    setTimeout(() => server.closeAllConnections(), 2_000).unref();
  }
  return { server, supervisor, stop };
}
