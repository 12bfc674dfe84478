import { createServer, type IncomingMessage, ServerResponse } from 'node:http';
import express, { type Request, type RequestHandler, type Response } from 'express';
import { attach, createSupervisor, Refusal } from 'mooring';

/**
 * Runs a middleware on an upgrade request, which Express never sees. The middleware must need no more than Node.js
 * provides, as express-session does.
 */
function through(middleware: RequestHandler, request: IncomingMessage): Promise<void> {
  return new Promise((resolve, reject) => {
    // Never sent: Mooring answers the upgrade request.
    const response = new ServerResponse(request) as Response;
    void middleware(request as Request, response, (error) =>
      error === undefined ? resolve() : reject(error),
    );
  });
}

/** @param session - sets `request.session`, as express-session does. */
export function expressApp(session: RequestHandler) {
  const app = express();
  app.use(session);
  app.get('/hello', (_request, response) => {
    response.send('hello from Express');
  });

  const supervisor = createSupervisor({
    async authenticate(request: IncomingMessage & { session?: { userId?: string } }) {
      await through(session, request);
      const userId = request.session?.userId;
      if (userId === undefined) throw new Refusal(401, 'sign in first');
      return { userId };
    },
    onOpen(connection) {
      connection.send({ hello: connection.peer.userId });
    },
  });

  const server = createServer(app); // or what app.listen() returns
  attach(server, supervisor, { path: '/ws' });

  async function stop(): Promise<void> {
    server.close(); // accepts no new connections
    await supervisor.drain({ withinMs: 20_000 });
    // Browsers open sockets in advance, and `close` waits for them.
    setTimeout(() => server.closeAllConnections(), 2_000).unref();
  }
  return { server, supervisor, stop };
}
