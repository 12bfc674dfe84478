// Goal: connections go through a proxy, or the application makes them, and no function among the connect options can
// end the process. Method: a real proxy, servers that record how they were reached, and functions that misbehave.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { Agent, type ClientRequest } from 'node:http';
import { type TcpNetConnectOpts, connect as tcpConnect } from 'node:net';
import { Duplex } from 'node:stream';
import { describe, it } from 'node:test';
import { connect as tlsConnect } from 'node:tls';
import { HttpsProxyAgent } from 'https-proxy-agent';
import { type ConnectOptions, createPool } from '../../src/client/index.ts';
import { ConnectProxy } from '../support/connect-proxy.ts';
import { connectStage, here } from '../support/connect-stage.ts';
import { deadPort } from '../support/dead-port.ts';
import { ProcessWatch } from '../support/process-watch.ts';
import { accepting } from '../support/rogue-server.ts';
import { stopsAndWatch } from '../support/stops.ts';
import { turns, until } from '../support/until.ts';

type CreateConnection = NonNullable<ConnectOptions['createConnection']>;
/** A request to which an agent passes its socket. */
interface SocketTaker extends ClientRequest {
  onSocket(socket: unknown): void;
}

type Lookup = NonNullable<ConnectOptions['lookup']>;

const stops = stopsAndWatch();
const { dial, secureService } = connectStage(stops);

describe('connect: agent', () => {
  it('reaches a server through a proxy', async () => {
    const service = await stops.service();
    const proxy = await stops.started(ConnectProxy.start());
    const agent = new HttpsProxyAgent(proxy.url.replace('//', '//ada:secret@'));
    const dialing = await dial(`ws://feed.test:${service.port}/ws`, { agent }).up();
    assert.deepEqual(proxy.targets, [`feed.test:${service.port}`]);
    assert.equal(proxy.credentials[0], `Basic ${Buffer.from('ada:secret').toString('base64')}`);
    dialing.client.send({ text: 'through' });
    await until(() => service.messages.length === 1, 'the message arrives');
    assert.deepEqual(service.messages, [{ text: 'through' }]);
    await dialing.client.close();
    const { verdict } = await service.when('connection.closed');
    assert.deepEqual([verdict.code, verdict.clean], [1000, true]);
  });

  it('reaches a server over TLS through a proxy, and names that server to the proxy', async () => {
    const service = await secureService('feed.test');
    const proxy = await stops.started(ConnectProxy.start());
    const agent = new HttpsProxyAgent(proxy.url);
    const url = `wss://feed.test:${service.port}/`;
    await dial(url, { agent, ca: service.certificate.cert }).up();
    assert.equal(service.visits[0]?.servername, 'feed.test');
    const { cause, phase } = await dial(url, { agent }).firstFailure();
    assert.deepEqual([cause, phase], ['tls-error', 'tls']);
    assert.equal(proxy.targets.length, 2);
  });

  it('B24: reports the answer of a proxy that refuses', async () => {
    const proxy = await stops.started(ConnectProxy.start(407));
    const agent = new HttpsProxyAgent(proxy.url);
    const failure = await dial('ws://feed.test:80/', { agent }).firstFailure();
    assert.deepEqual([failure.cause, failure.httpStatus], ['rejected', 407]);
    assert.equal(failure.response?.headers['proxy-authenticate'], 'Basic');
    assert.equal(failure.response?.body, 'this proxy does not know you');
  });

  it('reports an unreachable proxy', async () => {
    const agent = new HttpsProxyAgent(`http://127.0.0.1:${await deadPort()}`);
    const { cause, phase } = await dial('ws://feed.test:80/', { agent }).firstFailure();
    assert.deepEqual([cause, phase], ['tcp-refused', 'tcp']);
  });

  it('reports the phase of an attempt behind the proxy', async () => {
    const silent = await stops.rogue(() => {});
    const proxy = await stops.started(ConnectProxy.start());
    const connect = { agent: new HttpsProxyAgent(proxy.url) };
    const timeouts = { handshakeMs: 300 };
    for (const [scheme, phase] of [
      ['ws', 'http'],
      ['wss', 'tls'],
    ]) {
      const attempt = dial(`${scheme}://feed.test:${silent.port}/`, connect, { timeouts });
      const failure = await attempt.firstFailure();
      assert.deepEqual([failure.cause, failure.phase], ['handshake-timeout', phase]);
    }
  });

  it('serves the members of a pool', async () => {
    const service = await stops.service();
    const proxy = await stops.started(ConnectProxy.start());
    const agent = new HttpsProxyAgent(proxy.url);
    const pool = createPool([`ws://feed.test:${service.port}/ws`], { size: 2, connect: { agent } });
    stops.add(() => pool.drain({ withinMs: 500 }));
    await until(() => pool.status.open === 2, 'it is full');
    assert.equal(proxy.targets.length, 2);
  });

  it('may have private fields', async () => {
    const service = await stops.service();
    class PrivateAgent extends Agent {
      readonly #protocol = 'http:';
      get protocol() {
        return this.#protocol;
      }
      /** Its parent class sets it. */
      set protocol(_protocol) {}
    }
    await dial(service.url, { agent: new PrivateAgent() }).up();
  });

  const agents: Record<string, () => unknown> = {
    throws: () => {
      throw new Error('no proxy yet');
    },
    rejects: () => Promise.reject(new Error('no proxy yet')),
    'throws nothing': () => {
      throw undefined;
    },
  };
  for (const [title, addRequest] of Object.entries(agents)) {
    it(`B12c: an agent that ${title} fails the attempt`, async () => {
      const agent = Object.assign(new Agent(), { addRequest });
      const failed = dial('ws://feed.test:80/', { agent });
      const { cause, phase, retry, level } = await failed.firstFailure();
      const expected = ['target-error', 'config', 'backoff', 'error'];
      assert.deepEqual([cause, phase, retry, level], expected);
      assert.equal(failed.endings.length, 1);
    });
  }

  const takers: Record<string, (request: SocketTaker) => void> = {
    'hands over nothing': (request) => request.onSocket(undefined),
    'hands over no socket': (request) => request.onSocket({}),
    'hands over a closed socket': (request) =>
      request.onSocket(new Duplex().destroy(new Error('closed by itself'))),
    'hands over a socket with an encoding': (request) =>
      request.onSocket(new Duplex({ read() {} }).setEncoding('latin1')),
    'reports an error that is not one': (request) => void request.emit('error', null),
  };
  for (const [title, hand] of Object.entries(takers)) {
    it(`B12c: an agent that ${title} later fails the attempt`, async () => {
      const watch = new ProcessWatch();
      const addRequest = (request: SocketTaker) => void setImmediate(() => hand(request));
      const failed = dial('ws://feed.test:80/', {
        agent: Object.assign(new Agent(), { addRequest }),
      });
      const { retry } = await failed.firstFailure();
      assert.equal(retry, 'backoff');
      assert.equal(failed.endings.length, 1);
      await watch.assertQuiet();
      watch.stop();
    });
  }

  it('B12c: an agent that calls back without a socket fails the attempt', async () => {
    const watch = new ProcessWatch();
    const createConnection = (_target: unknown, done: (error: null) => void) =>
      void setImmediate(done, null);
    const agent = Object.assign(new Agent(), { createConnection });
    const { cause } = await dial('ws://feed.test:80/', { agent }).firstFailure();
    assert.equal(cause, 'target-error');
    await watch.assertQuiet();
    watch.stop();
  });

  const creations: Record<string, () => unknown> = {
    'rejects to make a socket': () => Promise.reject(new Error('no tunnel')),
    'makes a promise of a socket': async () => new Duplex(),
    'makes no socket': () => 42,
  };
  for (const [title, createConnection] of Object.entries(creations)) {
    it(`B12c: an agent that ${title} fails the attempt, and stays unchanged`, async () => {
      const watch = new ProcessWatch();
      const agent = Object.assign(new Agent(), { createConnection });
      const failed = dial('ws://feed.test:80/', { agent });
      const { cause, phase } = await failed.firstFailure();
      assert.deepEqual([cause, phase], ['target-error', 'config']);
      assert.equal(agent.createConnection, createConnection);
      await watch.assertQuiet();
      watch.stop();
    });
  }

  it('an agent whose socket breaks before the answer fails the attempt as the socket does', async () => {
    const collapse = () => tunnel.destroy(new Error('the tunnel is gone'));
    const { port } = await stops.rogue(({ asked }) => asked(collapse));
    const tunnel = tcpConnect(port, '127.0.0.1');
    await once(tunnel, 'connect');
    const agent = Object.assign(new Agent(), { createConnection: () => tunnel });
    const failed = dial('ws://feed.test:80/', { agent });
    const { cause, phase, error } = await failed.firstFailure();
    assert.deepEqual([cause, phase, error?.message], ['tcp-error', 'http', 'the tunnel is gone']);
  });

  it('an agent that throws after it has made a socket leaves no socket', async () => {
    const service = await stops.service();
    const sockets: Duplex[] = [];
    class FickleAgent extends Agent {
      addRequest(...args: unknown[]) {
        (Agent.prototype as unknown as FickleAgent).addRequest.apply(this, args);
        throw new Error('changed my mind');
      }
      override createConnection(target: TcpNetConnectOpts) {
        const socket = tcpConnect(target);
        sockets.push(socket);
        return socket;
      }
    }
    const { cause } = await dial(service.url, { agent: new FickleAgent() }).firstFailure();
    assert.equal(cause, 'target-error');
    await until(() => sockets[0]?.destroyed === true, 'the socket is destroyed');
  });
});

describe('connect: createConnection', () => {
  it('may make a socket of a foreign class, whose answer is checked as any other', async () => {
    const upgrade = 'HTTP/1.1 101 Yes\r\nUpgrade: websocket\r\nConnection: Upgrade';
    for (const answer of ['nonsense', `${upgrade}\r\nSec-WebSocket-Accept: no\r\n\r\n`]) {
      const createConnection = () =>
        new Duplex({
          read() {},
          write(_request, _encoding, done) {
            this.push(answer);
            done();
          },
        });
      const failure = await dial('ws://feed.test:80/', { createConnection }).firstFailure();
      assert.deepEqual([failure.cause, failure.phase], ['handshake-invalid', 'http']);
    }
  });

  it('makes a connection over TCP, at once, from a promise, or by calling back', async () => {
    const service = await stops.service();
    const ways: CreateConnection[] = [
      (target) => tcpConnect(target),
      async (target) => tcpConnect(target),
      (target, done) => void setImmediate(() => done(null, tcpConnect(target))),
    ];
    for (const createConnection of ways) await dial(service.url, { createConnection }).up();
  });

  it('makes one over TLS, for the name in the URL', async () => {
    const service = await secureService('feed.test');
    const createConnection: CreateConnection = (target) => tlsConnect(target);
    const connect = { createConnection, lookup: here, ca: service.certificate.cert };
    await dial(`wss://feed.test:${service.port}/`, connect).up();
    assert.equal(service.visits[0]?.servername, 'feed.test');
  });

  it('must make a connection over TLS for wss:, or nothing is sent', async () => {
    const heard: Buffer[] = [];
    const plain = await stops.rogue(({ socket }) =>
      socket.on('data', (bytes) => heard.push(bytes)),
    );
    const createConnection: CreateConnection = () => tcpConnect(plain.port, '127.0.0.1');
    const failed = dial('wss://feed.test/', { createConnection });
    const { cause, error } = await failed.firstFailure();
    assert.equal(cause, 'target-error');
    assert.match(String(error?.message), /must make a TLS socket for a wss: URL/);
    await until(() => plain.open === 0, 'it is closed');
    assert.deepEqual(heard, []);
  });

  it('may make a stream that is not a socket', async () => {
    const service = await stops.service();
    const createConnection: CreateConnection = () => {
      const socket = tcpConnect(service.port, '127.0.0.1');
      return Duplex.from({ readable: socket, writable: socket });
    };
    const dialing = await dial(service.url, { createConnection }).up();
    const sent = Array.from({ length: 8 }, () => dialing.client.sendAndFlush('x'.repeat(50_000)));
    assert.deepEqual(await Promise.all(sent), new Array(8).fill('sent'));
    await until(() => service.messages.length === 8, 'the messages arrive');
    await dialing.client.close();
    assert.equal(dialing.verdicts[0]?.cause, 'close');
    const { bytesIn = 0, bytesOut = 0 } = dialing.verdicts[0] ?? {};
    assert.ok(bytesIn > 0 && bytesOut > 400_000, `${bytesIn} in, ${bytesOut} out`);
  });

  const wrong: Record<string, [make: CreateConnection, message: RegExp]> = {
    throws: [
      () => {
        throw new Error('no tunnel');
      },
      /^no tunnel$/,
    ],
    'throws nothing': [
      () => {
        throw undefined;
      },
      /non-error/,
    ],
    rejects: [() => Promise.reject(new Error('no tunnel')), /^no tunnel$/],
    'makes no socket': [() => 5 as never, /must make a socket, not 5/],
    'makes a promise of no socket': [async () => undefined as never, /not undefined/],
    'calls back without a socket': [(_target, done) => done(null), /not undefined/],
    // HTTP consists of bytes, and an encoding turns them into text.
    'makes a socket with an encoding': [
      () => new Duplex({ read() {} }).setEncoding('latin1'),
      /without an encoding/,
    ],
    'makes a closed socket': [
      () => new Duplex().destroy(new Error('closed by itself')),
      /closed by itself/,
    ],
  };
  for (const [title, [createConnection, message]] of Object.entries(wrong)) {
    it(`B12c: fails the attempt when it ${title}`, async () => {
      const failed = dial('ws://feed.test:80/', { createConnection });
      const { cause, phase, retry, error } = await failed.firstFailure();
      assert.deepEqual([cause, phase, retry], ['target-error', 'config', 'backoff']);
      assert.match(String(error?.message), message);
      assert.equal(failed.endings.length, 1);
    });
  }

  it('fails the attempt with the error that it calls back with, and only its first callback counts', async () => {
    const error = Object.assign(new Error('tunnel refused'), { code: 'ECONNREFUSED' });
    const createConnection: CreateConnection = (_target, done) => {
      done(error);
      done(
        null,
        tcpConnect(1, '127.0.0.1').on('error', () => {}),
      );
      throw new Error('too late');
    };
    const failed = dial('ws://feed.test:80/', { createConnection });
    const { cause, phase } = await failed.firstFailure();
    assert.deepEqual([cause, phase], ['tcp-refused', 'tcp']);
    assert.equal(failed.endings.length, 1);
  });
});

describe('a client that a function of its connect options closes', () => {
  const ways: Record<string, (close: () => void) => ConnectOptions> = {
    lookup: (close) => ({
      lookup: (name, options, done) => {
        close();
        here(name, options, done);
      },
    }),
    createConnection: (close) => ({
      createConnection: (target) => {
        close();
        return tcpConnect({ ...target, host: '127.0.0.1' } as TcpNetConnectOpts);
      },
    }),
  };
  for (const [title, way] of Object.entries(ways)) {
    it(`leaves no WebSocket behind: ${title}`, async () => {
      const server = await stops.rogue(accepting(() => {}));
      const failed = dial(
        `ws://feed.test:${server.port}/`,
        way(() => void failed.client.close()),
      );
      const { cause } = await failed.firstFailure();
      assert.equal(cause, 'aborted');
      await until(() => server.visits === 0 || server.open === 0, 'no socket is left');
      await turns(5);
      assert.equal(server.open, 0);
    });
  }
});

describe('connect: lookup behind a guard', () => {
  type Done = Parameters<Lookup>[2];
  const first = { address: '127.0.0.1', family: 4 };
  const answers: Record<string, [lookup: (done: Done) => unknown, cause: string, phase: string]> = {
    'calls back at once': [(done) => done(null, [first]), 'tcp-refused', 'tcp'],
    'calls back in the next tick': [
      (done) => process.nextTick(done, null, [first]),
      'tcp-refused',
      'tcp',
    ],
    'calls back later': [(done) => setImmediate(done, null, [first]), 'tcp-refused', 'tcp'],
    'calls back twice': [
      (done) => {
        done(null, [first]);
        done(new Error('twice'), '');
        done(null, []);
      },
      'tcp-refused',
      'tcp',
    ],
    'calls back, then throws': [
      (done) => {
        done(null, [first]);
        throw new Error('too late');
      },
      'tcp-refused',
      'tcp',
    ],
    'gives one address where several are asked for': [
      (done) => done(null, '127.0.0.1', 4),
      'tcp-refused',
      'tcp',
    ],
    'returns a promise of an address': [async () => first, 'tcp-refused', 'tcp'],
    'returns a promise of its text': [async () => '127.0.0.1', 'tcp-refused', 'tcp'],
    'returns a promise of a list': [async () => [first], 'tcp-refused', 'tcp'],
    'returns a promise of nonsense': [async () => 42, 'dns-error', 'dns'],
    throws: [
      () => {
        throw new Error('not ready');
      },
      'dns-error',
      'dns',
    ],
    rejects: [() => Promise.reject(new Error('not ready')), 'dns-error', 'dns'],
    'calls back with an error': [(done) => done(new Error('nobody'), ''), 'dns-error', 'dns'],
    'calls back with a value that is not an error': [
      (done) => done('nobody' as never, ''),
      'dns-error',
      'dns',
    ],
    'finds that its name server refuses': [
      (done) =>
        done(Object.assign(new Error('queryA'), { code: 'ECONNREFUSED', syscall: 'queryA' }), ''),
      'dns-error',
      'dns',
    ],
    'finds an empty list': [(done) => done(null, []), 'dns-error', 'dns'],
    'finds nothing': [(done) => done(null, undefined as never), 'dns-error', 'dns'],
    'finds a name': [
      (done) => done(null, [{ address: 'other.test', family: 4 }]),
      'dns-error',
      'dns',
    ],
    'finds nonsense': [(done) => done(null, [null, 5, {}] as never), 'dns-error', 'dns'],
  };
  for (const [title, [lookup, cause, phase]] of Object.entries(answers)) {
    it(`${cause === 'dns-error' ? 'B02d' : 'B02c'}: causes one ${cause} when it ${title}`, async () => {
      const failed = dial(`ws://feed.test:${await deadPort()}/`, {
        lookup: ((_name, _options, done) => lookup(done)) as Lookup,
      });
      const failure = await failed.firstFailure();
      assert.deepEqual([failure.cause, failure.phase, failure.retry], [cause, phase, 'backoff']);
      assert.ok(failure.error);
      assert.equal(failed.endings.length, 1);
    });
  }

  it('B02c: may call back at once when the connection then fails at once', async () => {
    // An address that no host has (RFC 5737): the system refuses to bind to it.
    const failed = dial('ws://feed.test:9/', { lookup: here, localAddress: '203.0.113.9' });
    const { cause, phase, error } = await failed.firstFailure();
    assert.deepEqual([cause, phase], ['tcp-error', 'tcp']);
    assert.equal((error as NodeJS.ErrnoException).code, 'EADDRNOTAVAIL');
  });

  it('B02b: is given up when it never calls back, and a late call has no effect', async () => {
    let answer: Done = () => {};
    const failed = dial(
      'ws://feed.test:9/',
      {
        lookup: (_name, _options, done) => {
          answer = done;
        },
      },
      { timeouts: { handshakeMs: 50 } },
    );
    const { cause, phase } = await failed.firstFailure();
    assert.deepEqual([cause, phase], ['handshake-timeout', 'dns']);
    answer(new Error('late'), '');
    await failed.client.close();
    assert.equal(failed.endings.length, 1);
  });
});
