// Goal: a listener closes although WebSockets are open, and every way to stop it together with its supervisor
// completes. Method: plain requests that take as long as the test specifies, beside WebSockets of ws, over TCP
// and over TLS.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { get as getPlain, type ServerResponse } from 'node:http';
import { get as getOverTls } from 'node:https';
import { connect } from 'node:net';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { connect as connectOverTls } from 'node:tls';
import { WebSocket } from 'ws';
import { createSupervisor, type Listener, listen, type Supervisor } from '../../src/index.ts';
import { selfSigned } from '../support/certificate.ts';
import { assertAtRest, resources } from '../support/service.ts';
import { until } from '../support/until.ts';

const GRACE_MS = 2_000;

type AnySupervisor = Supervisor<unknown, unknown, unknown>;

let supervisor: AnySupervisor;
let listener: Listener;
/** Plain requests that wait for an answer. */
let requests: ServerResponse[];
/** What `authenticate` waits for. */
let door: Promise<void> | undefined;

async function start(scheme: 'ws' | 'wss'): Promise<void> {
  requests = [];
  door = undefined;
  supervisor = createSupervisor<unknown, unknown, unknown>({
    authenticate: async () => {
      await door;
      return 'anybody';
    },
    onMessage: (connection, message) => void connection.send(message),
  });
  const options = {
    path: '/ws',
    onRequest: (_request: unknown, response: ServerResponse) => void requests.push(response),
  };
  const tls = scheme === 'wss' && { tls: selfSigned('localhost') };
  listener = await listen(supervisor, { ...options, ...tls });
}

const dial = () => new WebSocket(listener.url, { rejectUnauthorized: false });

async function opened(): Promise<WebSocket> {
  const socket = dial();
  await once(socket, 'open');
  return socket;
}

async function assertEchoes(socket: WebSocket): Promise<void> {
  socket.send('"still here"');
  const [data] = await once(socket, 'message');
  assert.equal(String(data), '"still here"');
}

/** A plain request that is under way. */
class PlainRequest {
  /** The status of the answer, or the code of the error. */
  outcome: unknown;

  static async begin(): Promise<PlainRequest> {
    const count = requests.length;
    const request = new PlainRequest();
    const get = listener.url.startsWith('wss:') ? getOverTls : getPlain;
    const { port } = listener;
    get({ port, host: '127.0.0.1', rejectUnauthorized: false, agent: false }, (response) => {
      response.resume();
      request.outcome = response.statusCode;
    }).on('error', (error: NodeJS.ErrnoException) => {
      request.outcome = error.code;
    });
    await until(() => requests.length > count, 'the request is under way');
    return request;
  }
}

for (const scheme of ['ws', 'wss'] as const) {
  describe(`a listener over ${scheme} that closes`, { timeout: 60_000 }, () => {
    let before: ReturnType<typeof resources>;

    beforeEach(async () => {
      before = resources();
      await start(scheme);
    });

    afterEach(async () => {
      await supervisor.drain();
      await listener.close();
      await assertAtRest(before);
    });

    it('resolves although a WebSocket is open, which continues, and admits nobody new', async () => {
      const socket = await opened();
      let cuts = 0;
      listener.server.closeAllConnections = () => {
        cuts += 1;
      };
      await listener.close();
      assert.equal(cuts, 0, 'there was nothing to wait for');
      assert.equal(listener.server.listening, false);
      await assertEchoes(socket);
      const [error] = await once(dial(), 'error');
      assert.equal(error.code, 'ECONNREFUSED');
      assert.equal(supervisor.counts.open, 1);
    });

    it('waits for a plain request that is under way, and no longer', async () => {
      const socket = await opened();
      const request = await PlainRequest.begin();
      let isClosed = false;
      const closing = listener.close().then(() => {
        isClosed = true;
      });
      await assertEchoes(socket);
      assert.equal(isClosed, false);
      requests[0]?.writeHead(204).end();
      await until(() => request.outcome === 204, 'it is answered');
      await closing;
      await assertEchoes(socket);
    });

    it('waits for a plain request although the supervisor has WebSockets on another server, too', async () => {
      const other = await listen(supervisor, { path: '/ws' });
      const elsewhere = new WebSocket(other.url);
      await once(elsewhere, 'open');
      const request = await PlainRequest.begin();
      let isClosed = false;
      const closing = listener.close().then(() => {
        isClosed = true;
      });
      await assertEchoes(elsewhere);
      assert.equal(isClosed, false);
      requests[0]?.writeHead(204).end();
      await until(() => request.outcome === 204, 'it is answered');
      await closing;
      await other.close();
    });

    it('cuts a plain request that takes longer than two seconds', async () => {
      const socket = await opened();
      const request = await PlainRequest.begin();
      const began = performance.now();
      await listener.close();
      assert.ok(performance.now() - began >= GRACE_MS);
      await until(() => request.outcome === 'ECONNRESET', 'it is cut');
      await assertEchoes(socket);
    });

    it('resolves although a client sends nothing, and cuts it', async () => {
      const socket = await opened();
      const silent = connect(listener.port, '127.0.0.1').on('error', () => {});
      await once(silent, 'connect');
      await listener.close();
      await assertEchoes(socket);
      // A TLS handshake that has not begun cannot be cut. So nothing is expected here.
      if (scheme === 'wss') {
        connectOverTls({ socket: silent, rejectUnauthorized: false }).on('error', () => {});
      }
      await until(() => silent.closed, 'it is cut');
    });

    it('resolves while a connection is being admitted, which opens all the same', async () => {
      let admit: () => void = assert.fail;
      door = new Promise((resolve) => {
        admit = resolve;
      });
      const socket = dial();
      await until(() => supervisor.counts.handshaking === 1, 'it is being admitted');
      await listener.close();
      admit();
      await once(socket, 'open');
      await assertEchoes(socket);
    });

    it('returns the same promise from every call of close', async () => {
      await opened();
      const first = listener.close();
      assert.equal(listener.close(), first);
      await first;
      assert.equal(listener.close(), first);
    });

    it('drains the supervisor when it is disposed of', async () => {
      const socket = await opened();
      const closed = once(socket, 'close');
      await listener[Symbol.asyncDispose]();
      assert.equal(supervisor.state, 'stopped');
      assert.equal(listener.server.listening, false);
      assert.equal((await closed)[0], 1001);
    });
  });
}

describe('a supervisor and a listener that are stopped together', { timeout: 60_000 }, () => {
  const endings: Readonly<Record<string, () => unknown>> = {
    nothing: () => {},
    drain: () => supervisor.drain(),
    close: () => listener.close(),
    'drain, then close': () => supervisor.drain().then(() => listener.close()),
    'close, then drain': () => listener.close().then(() => supervisor.drain()),
    'both at once, twice': () =>
      Promise.all([listener.close(), supervisor.drain(), supervisor.drain(), listener.close()]),
    'both disposals at once': () =>
      Promise.all([listener[Symbol.asyncDispose](), supervisor[Symbol.asyncDispose]()]),
  };
  const orders: Readonly<Record<string, () => AsyncDisposable[]>> = {
    'listener last': () => [listener, supervisor],
    'supervisor last': () => [supervisor, listener],
  };

  const assertStopped = async (socket: WebSocket, before: ReturnType<typeof resources>) => {
    assert.equal(supervisor.state, 'stopped');
    assert.equal(listener.server.listening, false);
    await until(() => socket.readyState === WebSocket.CLOSED, 'the WebSocket is closed');
    await assertAtRest(before);
  };

  for (const [order, disposables] of Object.entries(orders)) {
    for (const [name, end] of Object.entries(endings)) {
      for (const isAwaited of [true, false]) {
        const when = isAwaited ? 'before' : 'during';
        it(`stop with \`await using\`, ${order}, ${when}: ${name}`, async () => {
          const before = resources();
          await start('ws');
          const socket = await opened();
          {
            const [first, second] = disposables();
            await using _first = first;
            await using _second = second;
            const ending = end();
            if (isAwaited) await ending;
          }
          await assertStopped(socket, before);
        });
      }
    }
  }
});
