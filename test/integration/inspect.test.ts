// Goal: printed objects identify themselves and reveal no secret. Method: print everything that a service can hold as
// console.log does, with secrets in all values from the application and the peer.
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { inspect } from 'node:util';
import { type Client, createClient, createPool, type Pool } from '../../src/client/index.ts';
import { attach, createSupervisor, listen } from '../../src/index.ts';
import { until } from '../support/until.ts';

const SECRET = 's3cret';

describe('console.log', () => {
  const supervisor = createSupervisor({
    authenticate: () => ({ name: 'Ann', session: SECRET }),
    key: ({ session }) => session,
    onOpen: (connection) => {
      connection.join('lobby');
      connection.join('news');
    },
  });
  const server = createServer();
  let client: Client;
  let pool: Pool;
  let host = '';

  before(async () => {
    attach(server, supervisor, { path: '/ws' });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
    const url = `ws://ann:${SECRET}@${host}/ws?token=${SECRET}`;
    const options = { headers: { authorization: SECRET } };
    client = createClient(url, options);
    pool = createPool([url], { ...options, size: 1 });
    await until(() => supervisor.counts.open === 2 && pool.status.open === 1, 'both are open');
  });
  after(async () => {
    await client.close();
    await pool.drain();
    await supervisor.drain();
    server.close();
  });

  /** Printed in every way, without the parts that change from run to run. */
  function printed(value: unknown): string {
    for (const options of [{ depth: 20 }, { showHidden: true, depth: 20 }, { depth: null }]) {
      assert.ok(!inspect(value, options).includes(SECRET), 'no secret');
    }
    return inspect(value, { breakLength: Number.POSITIVE_INFINITY }).replaceAll(host, 'HOST');
  }

  it('prints the identity of an accepted connection, and its topics', () => {
    const [connection] = supervisor.connections;
    const topics = "topics: [ 'lobby', 'news' ]";
    assert.equal(
      printed(connection),
      `Connection { id: 'c1', state: 'open', address: '127.0.0.1', ${topics} }`,
    );
    assert.match(printed([{ event: { connection } }]), /connection: \[Connection\]/);
    assert.match(
      printed({ type: 'connection.opened', connection }),
      /connection: Connection \{ id/,
    );
  });

  it('prints the identity of a dialed connection, its client and a pool, without credentials', () => {
    const dialed = "Connection { id: 'a1', state: 'open', address: 'HOST' }";
    assert.equal(printed(client.connection), dialed);
    const idle = 'attempts: 1, queuedMessages: 0';
    assert.equal(
      printed(client),
      `Client { state: 'up', address: 'HOST', ${idle}, connection: ${dialed} }`,
    );
    assert.equal(printed(pool), "Pool { state: 'operational', size: 1, open: 1, address: 'HOST' }");
  });

  it('prints the address of a listener, and not its whole server', async (t) => {
    const listener = await listen(createSupervisor(), { path: '/ws' });
    t.after(() => listener.close());
    const { url, port } = listener;
    assert.equal(printed(listener), `Listener { url: '${url}', port: ${port} }`);
  });

  it('prints the state of a supervisor, and the size of a topic', () => {
    assert.match(
      printed(supervisor),
      /^Supervisor \{ state: 'admitting', counts: \{ .*open: 2.* \}, topics: \[ 'lobby', 'news' \], children: 0 \}$/,
    );
    assert.equal(
      printed(supervisor.topic('lobby')),
      "Topic { name: 'lobby', size: 2, droppedMessages: 0 }",
    );
  });
});
