// Goal: whatever code of the application throws, returns or wraps, it ends its own connection at most. Method: errors
// with odd properties, promises that nobody awaits, proxies and wrapped sockets, without a listener. None may reach the
// process.
import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import { describe, it } from 'node:test';
import { createClient } from '../../src/client/index.ts';
import {
  admitted,
  createSupervisor,
  jsonCodec,
  type SupervisorOptions,
  UndecodableError,
} from '../../src/index.ts';
import { opcode } from '../support/frames.ts';
import { RawPeer } from '../support/raw-peer.ts';
import { accepting, closeFrame } from '../support/rogue-server.ts';
import { stopsAndWatch } from '../support/stops.ts';
import { turns, until } from '../support/until.ts';

type Options = SupervisorOptions<unknown, unknown, unknown>;

const timeouts = { closeMs: 200, erroredMs: 100, forcedMs: 100 };
const stops = stopsAndWatch();

const errors: Readonly<Record<string, () => Error>> = {
  'an object as its message': () => Object.assign(new Error('x'), { message: { code: 7 } }),
  'no message': () => Object.assign(new Error('x'), { message: undefined }),
  'call sites as its stack': () => Object.assign(new Error('x'), { stack: [1, 2] }),
  'a symbol as its name': () => Object.assign(new Error('x'), { name: Symbol('odd') }),
  'a message that throws': () =>
    Object.defineProperty(new Error('x'), 'message', {
      get: () => {
        throw new Error('getter');
      },
    }),
  'a prototype that throws': () =>
    new Proxy(new Error('x'), {
      getPrototypeOf: () => {
        throw new Error('trap');
      },
    }),
};

describe('an error of a handler without a listener', () => {
  for (const [odd, make] of Object.entries(errors))
    for (const way of ['throws', 'rejects'] as const)
      it(`ends its connection with 1011: ${way} ${odd}`, async () => {
        const fail = () => {
          if (way === 'rejects') return Promise.reject(make());
          throw make();
        };
        const service = await stops.service({ timeouts, onMessage: fail });
        const peer = await RawPeer.open(service.port);
        peer.json('hello');
        await peer.finishPolitely();
        assert.equal(peer.closeFrame?.code, 1011);
        const { verdict } = await service.when('connection.closed');
        assert.equal(verdict.cause, 'handler-error');
        for (const line of service.logLines()) assert.equal(typeof line.message, 'string');
      });
});

describe('a promise that code of the application forgot', () => {
  const forgotten = () => Promise.reject(new Error('forgotten')) as Promise<never>;

  it('is handled when it is the peer of admitted', async () => {
    const authenticate = () => admitted(forgotten());
    const service = await stops.service({ authenticate });
    await assert.rejects(RawPeer.open(service.port), /500/);
  });

  it('is handled when it is the key of a message', async () => {
    const { supervisor } = await stops.service();
    const keyOf = forgotten as unknown as () => string;
    const topic = supervisor.topic('prices', { overflow: 'latest', keyOf });
    assert.throws(() => topic.publish('1'), { code: 'invalid-message' });
  });

  it('is handled when privateCodes returns it', async () => {
    const { port } = await stops.rogue(
      accepting(({ socket }) => void socket.end(closeFrame(4_000))),
    );
    const backoff = { minMs: 10, maxMs: 20 };
    const privateCodes = forgotten as unknown as () => 'never';
    const client = createClient(`ws://127.0.0.1:${port}/`, { backoff, privateCodes, timeouts });
    stops.add(() => client.close());
    await until(() => client.status.attempts > 1, 'it dials again');
  });

  it('is handled when url rejects and headers throws', async () => {
    const headers = () => {
      throw new Error('no token');
    };
    const client = createClient(forgotten, { headers });
    stops.add(() => client.close());
    await until(() => client.status.ending !== undefined, 'the attempt has failed');
    const { ending } = client.status;
    assert.equal(ending?.outcome === 'failed' && ending.failure.cause, 'target-error');
  });
});

describe('what code of the application returns', () => {
  it('is refused with 500 when authenticate resolves to a value that throws when it is read', async () => {
    const trap = () => {
      throw new Error('trap');
    };
    const hostile = new Proxy({}, { has: trap, getPrototypeOf: trap });
    const service = await stops.service({ authenticate: async () => hostile });
    await assert.rejects(RawPeer.open(service.port), /500/);
  });

  it('is checked once for being a promise', async () => {
    let looks = 0;
    const result = Object.defineProperty({}, 'then', {
      get: () => {
        looks += 1;
        if (looks > 1) throw new Error('looked twice');
        return undefined;
      },
    });
    const service = await stops.service({ onMessage: () => result, timeouts });
    const peer = await RawPeer.open(service.port);
    peer.json('hello');
    await until(() => looks === 1, 'it is checked');
    await turns(5);
    assert.equal(service.supervisor.counts.open, 1);
  });

  it('is never sent as the close code when a codec names one that must not be sent', async () => {
    const codec = {
      ...jsonCodec(),
      decode: () => {
        throw new UndecodableError(1006 as never, 'odd');
      },
    };
    const service = await stops.service({ codec, invalidMessages: 'close', timeouts });
    const peer = await RawPeer.open(service.port);
    peer.json('hello');
    await peer.finishPolitely();
    assert.equal(peer.closeFrame?.code, 1007);
  });

  it('is never delivered when the codec has ended the connection', async () => {
    const json = jsonCodec();
    const options: Options = {
      timeouts,
      codec: {
        ...json,
        decode: (payload, isBinary) => {
          for (const connection of service.supervisor.connections) connection.close();
          return json.decode(payload, isBinary);
        },
      },
    };
    const service = await stops.service(options);
    const peer = await RawPeer.open(service.port);
    peer.json('hello');
    await peer.finishPolitely();
    await service.when('connection.closed');
    assert.deepEqual(service.messages, []);
  });
});

describe('a socket whose write throws', () => {
  const heartbeat = { intervalMs: 20, graceMs: 40 };
  const ways: Readonly<Record<string, [options: Options, (peer: RawPeer) => void]>> = {
    'a ping of the peer': [{}, (peer) => peer.send({ opcode: opcode.ping, payload: 'x' })],
    'a close frame of the peer': [{}, (peer) => peer.sendClose(1000)],
    'a violation of the peer': [{}, (peer) => peer.send({ opcode: 5 })],
    'a ping of the heartbeat': [{ heartbeat }, () => {}],
  };
  for (const [way, [options, act]] of Object.entries(ways))
    for (const method of ['write', 'cork'] as const)
      it(`ends its connection, and nothing else: ${way}, ${method}`, async () => {
        const sockets: Socket[] = [];
        const service = await stops.service({ ...options, timeouts });
        service.server.on('connection', (socket: Socket) => void sockets.push(socket));
        const peer = await RawPeer.open(service.port);
        await service.opened();
        const [socket] = sockets;
        assert.ok(socket);
        socket[method] = () => {
          throw new Error('wrapped');
        };
        act(peer);
        // Mooring writes a ping without cork.
        if (way === 'a ping of the heartbeat' && method === 'cork') peer.destroy();
        await service.when('connection.closed');
        assert.deepEqual(service.calls, ['onOpen', 'onClose']);
      });
});

describe('the queue of a client', () => {
  it('loses and repeats nothing when a subscriber sends during the flush', async () => {
    const server = await stops.service({ limits: { payloadBytesMax: 64 << 20 }, timeouts });
    const supervisor = createSupervisor();
    const client = createClient(server.url, {
      supervisor,
      queueMax: 2,
      queueBytesMax: 64 << 20,
      limits: { outboxHighBytes: 1 << 20 },
    });
    stops.add(() => client.close());
    const dropped: unknown[] = [];
    client.events$.subscribe((event) => {
      if (event.type === 'message.dropped') dropped.push(event.reason);
    });
    let hasSent = false;
    supervisor.events$.subscribe((event) => {
      if (event.type !== 'connection.congested' || hasSent) return;
      hasSent = true;
      client.send('third');
    });
    const first = client.sendAndFlush('f'.repeat(30 << 20));
    const second = client.sendAndFlush('second');
    assert.deepEqual(await Promise.all([first, second]), ['sent', 'sent']);
    await until(() => server.messages.length === 3, 'all arrive', 30_000);
    assert.deepEqual(server.messages.slice(1), ['second', 'third']);
    assert.deepEqual(dropped, []);
  });
});
