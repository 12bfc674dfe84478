// Goal: over the WebSocket of a browser a client reports the same as over a raw socket, as far as a page can
// observe it. Method: the entry point for browsers with undici's WebSocket, which follows the same standard, on
// real sockets.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type Client, createClient, type Ending } from '../../src/client/browser.ts';
import { accepting, closeFrame } from '../support/rogue-server.ts';
import { Service } from '../support/service.ts';
import { stopsAndWatch } from '../support/stops.ts';
import { useUndiciWebSocket } from '../support/undici-web-socket.ts';
import { until } from '../support/until.ts';

const backoff = { minMs: 20, maxMs: 40, stableMs: 100 };
const timeouts = { handshakeMs: 400, closeMs: 200 };

const stops = stopsAndWatch();
useUndiciWebSocket();

function dial(port: number, options: Parameters<typeof createClient>[1] = {}) {
  const client = createClient(`ws://127.0.0.1:${port}/ws`, { backoff, timeouts, ...options });
  stops.add(() => client.close());
  const endings: Ending[] = [];
  const messages: unknown[] = [];
  const states: string[] = [];
  client.endings$.subscribe((ending) => endings.push(ending));
  client.messages$.subscribe((message) => messages.push(message));
  client.status$.subscribe(({ state }) => states.push(state));
  return { client, endings, messages, states };
}

const up = (client: Client) => until(() => client.status.state === 'up', 'the client is up');

describe('client over a native WebSocket', () => {
  it('exchanges messages with a Mooring server, and closes cleanly', async () => {
    const server = await Service.start({
      onMessage: (connection, message) => void connection.send({ echo: message }),
    });
    stops.add(() => server.stop());
    const { client, messages, endings, states } = dial(server.port);
    await up(client);
    client.send({ text: 'grüß dich' });
    await until(() => messages.length === 1, 'the echo has arrived');
    assert.deepEqual(messages, [{ echo: { text: 'grüß dich' } }]);
    await client.close(4_001, 'enough');
    assert.deepEqual([...new Set(states)], ['idle', 'dialing', 'up', 'stopping', 'stopped']);
    const [ending] = endings;
    assert.ok(ending?.outcome === 'closed');
    const { code, cause, origin, clean, bytesIn, bytesOut } = ending.verdict;
    assert.deepEqual([code, cause, origin, clean], [4_001, 'close', 'local', true]);
    assert.ok(bytesIn > 20 && bytesOut > 10);
    const { verdict } = await server.when('connection.closed');
    assert.deepEqual([verdict.code, verdict.reason], [4_001, 'enough']);
  });

  it('reports an attempt that does not open once, without a reason', async () => {
    const server = await stops.rogue(({ asked, socket }) =>
      asked(() => void socket.end('HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n')),
    );
    const { endings, states } = dial(server.port, {
      backoff: { minMs: 60_000, maxMs: 60_000 },
      random: () => 0.99,
    });
    await until(() => endings.length > 0, 'the attempt is over');
    const [ending] = endings;
    assert.ok(ending?.outcome === 'failed');
    const { phase, cause, retry } = ending.failure;
    assert.deepEqual([phase, cause, retry], ['undisclosed', 'undisclosed', 'backoff']);
    assert.ok(!states.includes('up'));
  });

  it('gives up an attempt that takes too long', async () => {
    const server = await stops.rogue(() => {});
    const { endings } = dial(server.port, {
      backoff: { minMs: 60_000, maxMs: 60_000 },
      random: () => 0.99,
    });
    await until(() => endings.length > 0, 'the attempt is over');
    assert.ok(endings[0]?.outcome === 'failed');
    assert.equal(endings[0].failure.cause, 'handshake-timeout');
  });

  it('refuses a URL that no WebSocket can have', () => {
    const error = { code: 'invalid-options', message: 'url: must be the URL of a WebSocket' };
    for (const url of ['nowhere', '/ws', 'ftp://a.test/', 'ws://a.test/#top'])
      assert.throws(() => createClient(url), error, url);
  });

  it('accepts a URL relative to its page, and uses the scheme of the page', async () => {
    const server = await Service.start();
    stops.add(() => server.stop());
    const place = globalThis as { location?: unknown };
    place.location = { href: `http://127.0.0.1:${server.port}/app/index.html` };
    stops.add(() => delete place.location);
    for (const url of ['/ws', '../ws', new URL(`http://127.0.0.1:${server.port}/ws`)]) {
      const client = createClient(url, { backoff, timeouts });
      stops.add(() => client.close());
      assert.equal(client.url, `ws://127.0.0.1:${server.port}/ws`);
      await up(client);
      await client.close();
    }
  });

  it('calls the functions for subprotocols and URL for each attempt', async () => {
    const server = await Service.start({ subprotocols: ['new'] });
    stops.add(() => server.stop());
    let asked = 0;
    const client = createClient(async () => new URL(server.url), {
      backoff,
      timeouts,
      subprotocols: () => {
        asked += 1;
        return asked === 1 ? ['a b'] : ['new'];
      },
    });
    stops.add(() => client.close());
    const endings: Ending[] = [];
    client.endings$.subscribe((ending) => endings.push(ending));
    await up(client);
    assert.equal(client.connection?.subprotocol, 'new');
    assert.ok(endings[0]?.outcome === 'failed' && endings.length === 1);
    const { cause, error, retry } = endings[0].failure;
    assert.deepEqual([cause, retry], ['target-error', 'backoff']);
    assert.match(String(error?.message), /options\.subprotocols\.0: has a character/);
  });

  it('has the close frame of the peer, and reconnects', async () => {
    const server = await stops.rogue(
      accepting(({ socket }) => void socket.end(closeFrame(1001, 'restart'))),
    );
    const { endings } = dial(server.port);
    await until(() => endings.length >= 2, 'it has reconnected');
    for (const ending of endings) {
      assert.ok(ending.outcome === 'closed');
      const { code, reason, cause, origin } = ending.verdict;
      assert.deepEqual([code, reason, cause, origin], [1001, 'restart', 'peer-close', 'peer']);
    }
  });

  it('D16: reports a failing network once, and reconnects', async () => {
    const server = await stops.rogue(
      accepting(({ socket }) => setTimeout(() => socket.resetAndDestroy(), 10)),
    );
    const { endings } = dial(server.port);
    await until(() => endings.length >= 2, 'it has reconnected');
    assert.ok(endings[0]?.outcome === 'closed');
    const { code, cause, origin, clean, level } = endings[0].verdict;
    assert.deepEqual([code, cause, origin, clean], [1006, 'connection-lost', 'network', false]);
    assert.equal(level, 'warn');
  });

  it('never waits for a peer that does not answer its close frame', async () => {
    const server = await stops.rogue(accepting(() => {}));
    const { client, endings } = dial(server.port);
    await up(client);
    await client.close();
    assert.ok(endings[0]?.outcome === 'closed');
    assert.equal(endings[0].verdict.cause, 'close-timeout');
  });
});
