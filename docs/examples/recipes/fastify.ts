import { fastify } from 'fastify';
import { attach, createSupervisor, Refusal } from 'mooring';

/** Finds the user of a session, for both routes and WebSockets. */
export type UserOf = (cookie: string | undefined) => Promise<string | undefined>;

export function fastifyApp(userOf: UserOf) {
  const app = fastify();

  app.get('/hello', async (request) => {
    return { hello: await userOf(request.headers.cookie) };
  });

  const supervisor = createSupervisor({
    async authenticate({ headers }) {
      const userId = await userOf(headers.cookie);
      if (userId === undefined) throw new Refusal(401, 'sign in first');
      return { userId };
    },
    onOpen(connection) {
      connection.send({ hello: connection.peer.userId });
    },
  });

  attach(app.server, supervisor, { path: '/ws' });

  // Fastify waits for the connections of its server, so they must end first.
  app.addHook('preClose', async () => {
    await supervisor.drain({ withinMs: 20_000 });
  });
  return { app, supervisor };
}
