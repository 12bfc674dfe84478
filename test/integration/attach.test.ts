import assert from 'node:assert/strict';
import type { EventEmitter } from 'node:events';
import { createServer } from 'node:http';
import { createServer as createHttp2Server } from 'node:http2';
import { afterEach, describe, it } from 'node:test';
import { WebSocketServer } from 'ws';
import { attach, createSupervisor, type MooringError } from '../../src/index.ts';
import { Premises } from '../support/before-open-premises.ts';
import { ProcessWatch } from '../support/process-watch.ts';
import { RawPeer } from '../support/raw-peer.ts';
import { until } from '../support/until.ts';

let premises: Premises;

afterEach(() => premises.close());

const ownTypes = () => premises.service.events.map(({ type }) => type);

/** A WebSocket server of ws that greets, on its own path of the same HTTP server. */
function neighbour(path = '/graphql'): WebSocketServer {
  const foreign = new WebSocketServer({ server: premises.service.server, path });
  foreign.on('connection', (socket) => {
    socket.on('error', () => {});
    socket.send('neighbour');
  });
  return foreign;
}

async function greeted(path: string): Promise<RawPeer> {
  const peer = await premises.open({ path });
  await until(() => peer.texts.length > 0 || peer.closed, 'the neighbour greets');
  assert.deepEqual(peer.texts, ['neighbour']);
  return peer;
}

describe('attach: every upgrade has one owner', { timeout: 60_000 }, () => {
  for (const slow of [false, true]) {
    const authenticate = async () => {
      if (slow) await new Promise((resolve) => setTimeout(resolve, 30));
      return 'somebody';
    };
    it(`ws with a path of its own keeps it, authenticate ${slow ? 'slow' : 'fast'}`, async () => {
      premises = await Premises.start({ authenticate });
      neighbour();
      await premises.open({ path: '/ws' });
      await greeted('/graphql');
      assert.deepEqual(ownTypes(), ['connection.opened']);
    });
  }

  it('keeps the listeners of the server', async () => {
    premises = await Premises.start();
    const { server } = premises.service;
    const calls: string[] = [];
    const always = () => calls.push('always');
    server.on('upgrade', always);
    server.once('upgrade', () => calls.push('once'));
    server.prependListener('upgrade', (_request, socket) => {
      calls.push('first');
      socket.end('HTTP/1.1 418 No\r\nConnection: close\r\nContent-Length: 0\r\n\r\n');
    });
    assert.ok(server.listeners('upgrade').includes(always));
    assert.equal((await premises.refused({ path: '/else' })).status, 418);
    assert.equal((await premises.refused({ path: '/else' })).status, 418);
    assert.deepEqual(calls, ['first', 'always', 'once', 'first', 'always']);
    await premises.open({ path: '/ws' });
    assert.equal(calls.length, 5);
    server.removeListener('upgrade', always);
    assert.equal((await premises.refused({ path: '/else' })).status, 418);
    assert.deepEqual(calls.slice(5), ['first']);
  });

  it('restores `emit` at detach, and leaves it alone if it was replaced meanwhile', async () => {
    premises = await Premises.start();
    const { server, supervisor } = premises.service;
    const other = createServer();
    const detach = attach(other, supervisor, { path: '/ws' });
    assert.ok(Object.hasOwn(other, 'emit'));
    detach();
    detach();
    assert.equal(Object.hasOwn(other, 'emit'), false);
    assert.equal(other.listenerCount('upgrade') + other.listenerCount('request'), 0);

    const seen: string[] = [];
    instrument(server, seen);
    const second = createSupervisor();
    const detachSecond = attach(server, second, { path: '/second' });
    await premises.open({ path: '/second' });
    detachSecond();
    await premises.open({ path: '/ws' });
    assert.equal((await premises.refused({ path: '/second' })).status, 404);
    assert.deepEqual(seen, ['/second', '/ws', '/second']);
    await second.drain({ withinMs: 50 });
  });

  it('works above and below an instrumentation that replaces `emit`', async () => {
    premises = await Premises.start();
    const server = createServer();
    const seen: string[] = [];
    instrument(server, seen);
    const detach = attach(server, premises.service.supervisor, { path: '/ws' });
    const restore = instrument(server, seen);
    server.on('upgrade', async (_request, socket) => {
      await new Promise((resolve) => setTimeout(resolve, 10));
      socket.end('HTTP/1.1 418 No\r\nConnection: close\r\nContent-Length: 0\r\n\r\n');
    });
    const port = await listening(server);
    await RawPeer.open(port, { path: '/ws' }).then((peer) => peer.destroy());
    assert.deepEqual(
      seen,
      ['/ws'],
      'the instrumentation below does not see the requests that a supervisor serves',
    );
    const peer = await RawPeer.connect(port);
    peer.request({ path: '/else' });
    await until(() => peer.status === 418, 'the other listener answers');
    assert.deepEqual(seen, ['/ws', '/else', '/else']);
    // Out of order: ours is below a foreign one, and must do nothing from now on.
    detach();
    const late = await RawPeer.connect(port);
    late.request({ path: '/ws' });
    await until(() => late.status === 418, 'the other listener answers for the path, too');
    assert.deepEqual(seen.slice(3), ['/ws', '/ws']);
    late.destroy();
    restore();
    server.removeAllListeners('upgrade');
    peer.destroy();
    server.close();
    server.closeAllConnections();
  });

  it('serves all the same when somebody restores `emit`', async () => {
    premises = await Premises.start();
    Reflect.deleteProperty(premises.service.server, 'emit');
    await premises.open({ path: '/ws' });
    assert.equal((await premises.refused({ path: '/else' })).status, 404);
  });

  it('is one listener among others with takeOver false', async () => {
    premises = await Premises.start({}, { path: '/ws', takeOver: false });
    const { server } = premises.service;
    assert.equal(Object.hasOwn(server, 'emit'), false);
    let seen = 0;
    server.on('upgrade', () => {
      seen += 1;
    });
    await premises.open({ path: '/ws' });
    assert.equal(seen, 1);
  });

  it('passes unserved requests to otherwise, and not to the listeners', async () => {
    const paths: (string | undefined)[] = [];
    premises = await Premises.start(
      {},
      {
        path: '/ws',
        otherwise: (request, socket) => {
          paths.push(request.url);
          socket.end('HTTP/1.1 418 No\r\nConnection: close\r\nContent-Length: 0\r\n\r\n');
        },
      },
    );
    neighbour('/else');
    assert.equal((await premises.refused({ path: '/else' })).status, 418);
    await premises.open({ path: '/ws' });
    assert.deepEqual(paths, ['/else']);
  });

  for (const [how, otherwise] of [
    ['throws', () => assert.fail('no idea')],
    ['rejects', async () => assert.fail('no idea')],
  ] as const) {
    it(`answers 404 when otherwise ${how}, and reports it`, async () => {
      const watch = new ProcessWatch();
      premises = await Premises.start({}, { path: '/ws', otherwise });
      assert.equal((await premises.refused({ path: '/else' })).status, 404);
      const [told] = premises.service.of('handler.errored');
      assert.deepEqual([told?.handler, told?.error.message], ['otherwise', 'no idea']);
      await watch.assertQuiet();
      watch.stop();
    });
  }

  it('ignores a rejection that a listener handles itself', async () => {
    const watch = new ProcessWatch();
    premises = await Premises.start();
    premises.service.server.on('upgrade', (_request, socket) => {
      const check = Promise.reject(new Error('handled'));
      check.catch(() =>
        socket.end('HTTP/1.1 503 No\r\nConnection: close\r\nContent-Length: 0\r\n\r\n'),
      );
      return check as unknown as undefined;
    });
    assert.equal((await premises.refused({ path: '/else' })).status, 503);
    await watch.assertQuiet();
    watch.stop();
  });

  for (const ending of ['', 'Connection: close\r\n']) {
    it(`blames nobody when the client leaves behind an earlier request ${ending.trim()}`, async () => {
      premises = await Premises.start();
      premises.service.server.on('request', (_request, response) =>
        setTimeout(() => response.end('late'), 30),
      );
      const peer = await premises.connect();
      peer.socket.write(`GET / HTTP/1.1\r\nHost: a\r\n${ending}\r\n`);
      peer.request();
      peer.end();
      await until(() => premises.sockets.size === 0, 'the socket is gone');
      const causes = premises.service.of('connection.failed').map(({ failure }) => failure.cause);
      assert.ok(!causes.includes('taken-away'), causes.join());
    });
  }

  it('passes a request that waited for earlier answers to the listeners after detach', async () => {
    premises = await Premises.start();
    const server = createServer((_request, response) => setTimeout(() => response.end('slow'), 50));
    const detach = attach(server, createSupervisor(), { path: '/ws' });
    const foreign = new WebSocketServer({ server });
    foreign.on('connection', (socket) => socket.send('neighbour'));
    const peer = await RawPeer.connect(await listening(server));
    peer.socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
    peer.request({ path: '/graphql' });
    await new Promise((resolve) => server.once('request', resolve));
    setImmediate(detach);
    await until(
      () => peer.answer.includes('slow') && /HTTP\/1\.1 101/.test(peer.answer),
      'it opens',
    );
    peer.destroy();
    foreign.close();
    server.close();
    server.closeAllConnections();
  });

  it('prefers an exact path to a function, and a function to no path', async () => {
    premises = await Premises.start({}, {});
    const { server } = premises.service;
    const [exact, byFunction] = [createSupervisor(), createSupervisor()];
    attach(server, byFunction, { path: (path) => path.startsWith('/rooms/') });
    attach(server, exact, { path: ['/rooms/1', '/other'] });
    for (const path of ['/rooms/1', '/rooms/2', '/other', '/any']) await premises.open({ path });
    assert.deepEqual(
      [exact, byFunction, premises.service.supervisor].map(({ counts }) => counts.open),
      [2, 1, 1],
    );
    await Promise.all([exact, byFunction].map((each) => each.drain({ withinMs: 50 })));
  });

  it('treats an async path function as no match, and reports it', async () => {
    const path = (async () => assert.fail('late')) as unknown as () => boolean;
    const watch = new ProcessWatch();
    premises = await Premises.start({}, { path });
    assert.equal((await premises.refused({ path: '/ws' })).status, 404);
    const [told] = premises.service.of('handler.errored');
    assert.equal(told?.handler, 'path');
    assert.match(told?.error.message ?? '', /path must return a boolean, not a Promise/);
    await watch.assertQuiet();
    watch.stop();
  });

  it('treats a path function that throws as no match, and reports it', async () => {
    premises = await Premises.start(
      {},
      {
        path: () => {
          throw new Error('no idea');
        },
      },
    );
    assert.equal((await premises.refused({ path: '/ws' })).status, 404);
    const [told] = premises.service.of('handler.errored');
    assert.deepEqual([told?.handler, told?.error.message], ['path', 'no idea']);
  });
});

describe('attach: refuses at once what cannot work', { timeout: 60_000 }, () => {
  it('the same path twice', async () => {
    premises = await Premises.start();
    const { server, supervisor } = premises.service;
    const second = createSupervisor({ onOpen: (connection) => void connection.send('second') });
    for (const path of ['/ws', ['/else', '/ws']]) {
      assert.throws(() => attach(server, second, { path }), {
        code: 'path-taken',
        message: /already serves \/ws; detach or drain/,
      });
    }
    await supervisor.drain({ withinMs: 50 });
    attach(server, second, { path: '/ws' });
    const peer = await premises.open({ path: '/ws' });
    await until(() => peer.texts.length > 0, 'the second greets');
    await second.drain({ withinMs: 50 });
    assert.equal((await premises.refused({ path: '/ws' })).status, 503);
  });

  it('every path twice', async () => {
    premises = await Premises.start({}, {});
    const code = { code: 'path-taken' };
    assert.throws(() => attach(premises.service.server, createSupervisor(), {}), code);
  });

  it('a second otherwise', async () => {
    const otherwise = () => {};
    premises = await Premises.start({}, { path: '/ws', otherwise });
    assert.throws(
      () => attach(premises.service.server, createSupervisor(), { path: '/else', otherwise }),
      { code: 'invalid-options', message: /options\.otherwise/ },
    );
  });

  it('a router pattern, or a query', async () => {
    premises = await Premises.start();
    for (const path of ['/ws/*', '/:id', '/a/:id/b', '/ws?x', '/ws#x', '/{a,b}', ['/a', '/b/*']]) {
      assert.throws(
        () => attach(createServer(), createSupervisor(), { path }),
        (error: MooringError) =>
          error.code === 'invalid-options' &&
          /options\.path: .*(function|query)/.test(error.message),
        String(path),
      );
    }
  });

  it('a value that is not a path', async () => {
    premises = await Premises.start();
    for (const path of ['ws', '', [], ['/ws', 1], 1, null]) {
      const wrong = { path } as unknown as { path: string };
      assert.throws(() => attach(createServer(), createSupervisor(), wrong), {
        code: 'invalid-options',
      });
    }
  });

  it('a supervisor that has stopped', async () => {
    premises = await Premises.start();
    const stopped = createSupervisor();
    await stopped.drain({ withinMs: 50 });
    assert.throws(() => attach(createServer(), stopped, { path: '/ws' }), {
      code: 'invalid-argument',
      message: /supervisor has stopped; create another one/,
    });
  });

  it('a value that is not a server or not a supervisor', async () => {
    premises = await Premises.start();
    const supervisor = createSupervisor();
    const loose = attach as (...args: unknown[]) => unknown;
    const app = () => {};
    for (const server of [undefined, null, 8080, app, {}, supervisor]) {
      assert.throws(() => loose(server, supervisor), {
        code: 'invalid-argument',
        message: /server must be an http\.Server, .*pass the http\.Server/,
      });
    }
    for (const wrong of [undefined, createServer(), {}]) {
      assert.throws(() => loose(createServer(), wrong), {
        code: 'invalid-argument',
        message: /pass the result of createSupervisor\(\)/,
      });
    }
  });

  it('accepts a server of node:http2', async () => {
    premises = await Premises.start();
    attach(createHttp2Server(), createSupervisor(), { path: '/ws' })();
  });
});

/** Replaces `emit` of one server as an instrumentation does, and returns a function that restores it. */
function instrument(server: EventEmitter, seen: string[]): () => void {
  const before = server.emit;
  server.emit = function emit(this: EventEmitter, event, ...args) {
    if (event === 'upgrade') seen.push(args[0].url);
    return before.call(this, event, ...args);
  };
  return () => {
    server.emit = before;
  };
}

async function listening(server: ReturnType<typeof createServer>): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as { port: number }).port;
}
