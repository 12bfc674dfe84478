import { createServer } from 'node:http';
import { attach, createSupervisor } from 'mooring';

/** One of several processes behind nginx. */
export function behindNginx(hosts: readonly string[]) {
  const supervisor = createSupervisor({
    admission: {
      // The names in the address bar of the browser. nginx passes them on as Host.
      hosts,
      // The last entry is the one that nginx appended. The others are only what the client claims.
      addressOf: ({ headers }) =>
        String(headers['x-forwarded-for'] ?? '')
          .split(',')
          .at(-1)
          ?.trim(),
      connectionsPerAddressMax: 100,
    },
    onOpen(connection) {
      connection.send({ address: connection.address });
    },
  });

  const server = createServer((_request, response) => response.writeHead(404).end());
  attach(server, supervisor, { path: '/ws' });

  /** Stops this process. While it drains, it answers 503, and nginx asks the next process. */
  async function stop(): Promise<void> {
    await supervisor.drain({ withinMs: 20_000, perSecond: 200 });
    server.close();
    // Browsers open sockets in advance, and `close` waits for them.
    setTimeout(() => server.closeAllConnections(), 2_000).unref();
  }
  return { server, supervisor, stop };
}
