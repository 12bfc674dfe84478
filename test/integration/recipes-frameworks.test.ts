// Goal: the recipes for web frameworks serve routes and WebSockets on one port, admit both by the same session, and
// stop. Method: the real packages on real sockets.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, it } from 'node:test';
import { expressApp } from '../../docs/examples/recipes/express.ts';
import { fastifyApp } from '../../docs/examples/recipes/fastify.ts';
import { honoApp } from '../../docs/examples/recipes/hono.ts';
import type { Supervisor } from '../../src/index.ts';
import { PlainClient, refusedWith } from '../support/plain-client.ts';
import { stopsAndWatch } from '../support/stops.ts';

const stops = stopsAndWatch();

interface App {
  readonly server: Server;
  readonly supervisor: Pick<Supervisor, 'events$' | 'counts'>;
  readonly stop: () => Promise<unknown>;
}

/** What each recipe promises. `cookie` is the one of a session, or is set by the site. */
async function holds(app: App, hello: RegExp, cookie: (site: string) => Promise<string>) {
  app.supervisor.events$.subscribe();
  stops.add(() => app.server.closeAllConnections());
  const { port } = app.server.address() as AddressInfo;
  const [site, url] = [`http://127.0.0.1:${port}`, `ws://127.0.0.1:${port}/ws`];
  const headers = { Cookie: await cookie(site) };
  assert.match(await (await fetch(`${site}/hello`, { headers })).text(), hello);
  assert.equal((await fetch(`${site}/nobody`)).status, 404);
  assert.equal(await refusedWith(url), 401);
  // Another value, with the signature of the old one if there is one.
  const forged = headers.Cookie.replace(/=(good|ada)/, '=eve');
  assert.equal(await refusedWith(url, { headers: { Cookie: forged } }), 401);
  const client = await PlainClient.open(url, { headers });
  assert.deepEqual(await client.hears(1), [{ hello: 'ada' }]);
  const closed = once(app.server, 'close');
  await app.stop();
  assert.equal(client.closed, '1001 draining');
  await closed;
}

const sessions: Readonly<Record<string, string>> = { 'session=good': 'ada' };
const cookieOfAda = async () => 'session=good';

describe('docs/recipes/express.md', () => {
  /** Sets `request.session` later, as a session store does. */
  const session = (request: IncomingMessage, _response: ServerResponse, next: () => void) => {
    const userId = sessions[request.headers.cookie ?? ''];
    setImmediate(() => {
      Object.assign(request, { session: { userId } });
      next();
    });
  };

  it('serves routes and WebSockets with one session, and stops', async () => {
    const app = expressApp(session);
    await new Promise<void>((resolve) => app.server.listen(0, '127.0.0.1', resolve));
    await holds(app, /^hello from Express$/, cookieOfAda);
  });
});

describe('docs/recipes/fastify.md', () => {
  it('serves routes and WebSockets with one session, and stops', async () => {
    const { app, supervisor } = fastifyApp(async (cookie) => sessions[cookie ?? '']);
    await app.listen({ port: 0, host: '127.0.0.1' });
    const stop = () => app.close();
    await holds({ server: app.server, supervisor, stop }, /^\{"hello":"ada"\}$/, cookieOfAda);
  });
});

describe('docs/recipes/hono.md', () => {
  it('serves routes and WebSockets with one session, and stops', async () => {
    const app = honoApp('a secret of thirty-two characters', 0);
    if (!app.server.listening) await once(app.server, 'listening');
    await holds(app, /^hello from Hono$/, async (site) => {
      const { headers } = await fetch(`${site}/sign-in`, { method: 'POST' });
      return headers.get('set-cookie')?.split(';')[0] ?? '';
    });
  });
});
