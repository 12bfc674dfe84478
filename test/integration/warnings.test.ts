// Goal: nothing fails silently. Method: services and clients without a listener, and some with one, with every kind of
// failure. The test records what Node.js passes to `process.on('warning')`.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { firstValueFrom } from 'rxjs';
import { WebSocketServer } from 'ws';
import { z } from 'zod';
import { natsBus } from '../../src/bus/nats/index.ts';
import { type Client, createClient, createPool } from '../../src/client/index.ts';
import { ManagedConnection } from '../../src/connection/managed-connection.ts';
import {
  attach,
  createSupervisor,
  logEvents,
  Refusal,
  type Supervisor,
  type SupervisorOptions,
} from '../../src/index.ts';
import { until } from '../support/until.ts';

type AnySupervisor = Supervisor<unknown, unknown, unknown>;
type Warning = Error & { code?: string; detail?: string };

const warnings: Warning[] = [];
const note = (warning: Warning) => warnings.push(warning);
const codes = () => warnings.map(({ code }) => code);
const warned = (count: number) => until(() => warnings.length >= count, `${count} warnings`);

const cleanups: (() => unknown)[] = [];

/** Makes an order of the chart throw for every connection. */
function sabotage(order: 'upgrade' | 'admitMessages') {
  const { prototype } = ManagedConnection;
  const before = Object.getOwnPropertyDescriptor(prototype, order);
  const crash = {
    times: 0,
    restore() {
      if (before === undefined) Reflect.deleteProperty(prototype, order);
      else Object.defineProperty(prototype, order, before);
    },
  };
  const value = () => {
    crash.times += 1;
    throw new Error('sabotage\u001b');
  };
  Object.defineProperty(prototype, order, { value, configurable: true });
  cleanups.push(crash.restore);
  return crash;
}

/** A turn in which every warning emitted so far is delivered. */
const turn = () => new Promise((resolve) => setImmediate(resolve));

/** Serves on a free port. Returns the supervisor and its URL. */
async function serve(options: SupervisorOptions<unknown, unknown, unknown> = {}) {
  const supervisor: AnySupervisor = createSupervisor(options);
  const server = createServer();
  attach(server, supervisor, { path: '/ws' });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  cleanups.push(() => supervisor.drain({ withinMs: 100 }).then(() => server.close()));
  return { supervisor, url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}/ws` };
}

/** A client with listeners for everything, so that only the other side can be silent. */
function dial(url: string, headers = {}): Client {
  const client = createClient(url, { headers });
  client.events$.subscribe();
  client.endings$.subscribe();
  cleanups.push(() => client.close());
  return client;
}

const boom = () => {
  throw new TypeError('boom\u001b[2J');
};

beforeEach(() => {
  warnings.length = 0;
  process.on('warning', note);
});

afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) await cleanup();
  process.off('warning', note);
});

describe('a supervisor without a listener', () => {
  it('warns once that the bus is down, and not if events$ has a subscriber', async () => {
    const bus = natsBus({ servers: 'nats://127.0.0.1:1' });
    for (const isHeard of [true, false]) {
      const supervisor = createSupervisor({ bus });
      if (isHeard) supervisor.events$.subscribe();
      cleanups.push(() => supervisor.drain({ withinMs: 100 }));
      await until(() => supervisor.bus === 'down', 'the bus is down');
      await turn();
      assert.equal(warnings.length, isHeard ? 0 : 1);
    }
    assert.deepEqual(codes(), ['MOORING_BUS_DOWN']);
    assert.match(
      String(warnings[0]?.message),
      /^the bus is down, so other processes get nothing: .*ECONNREFUSED.* To be notified, call logEvents/,
    );
  });

  it('warns once about each handler that throws, with its error and stack', async () => {
    const { url } = await serve({ onOpen: boom, onClose: boom });
    dial(url);
    await warned(2);
    dial(url);
    await until(() => warnings.length >= 2, 'two handler errors are reported');
    await turn();
    assert.deepEqual(codes(), ['MOORING_HANDLER_ERROR', 'MOORING_HANDLER_ERROR']);
    assert.match(
      String(warnings[0]?.message),
      /^onOpen threw TypeError: boom\\u001b\[2J\. To be notified, /,
    );
    assert.match(
      String(warnings[1]?.message),
      /^onClose threw .*logEvents\(supervisor\.events\$, logger\)/,
    );
    assert.match(String(warnings[0]?.detail), /TypeError: boom\\u001b\[2J\n {4}at /);
    assert.equal(warnings[0]?.name, 'MooringWarning');
  });

  it('warns once about each kind of refusal, whoever refused', async () => {
    const authenticate = ({ headers }: { headers: Record<string, unknown> }) => {
      if (headers['x-user'] === undefined) throw new Refusal(401, 'sign in first');
      return headers['x-user'];
    };
    const { url } = await serve({ authenticate });
    dial(url);
    await warned(1);
    dial(url, { origin: 'https://elsewhere.example' });
    await warned(2);
    const again = dial(url);
    await until(() => again.status.states.includes('waiting.slow'), 'the third is refused');
    await turn();
    assert.deepEqual(codes(), ['MOORING_REFUSED', 'MOORING_REFUSED']);
    const [first, second] = warnings.map(({ message }) => message);
    assert.match(
      String(first),
      /^a connection was refused with 401 \(unauthorized\): sign in first\. /,
    );
    assert.match(
      String(second),
      /^a connection was refused with 403 \(wrong-origin, by admission\.origins\)/,
    );
  });

  it('warns about an authenticate that throws as about a handler, and not about the refusal that follows', async () => {
    const { url, supervisor } = await serve({ authenticate: boom });
    dial(url);
    await until(() => supervisor.counts.failed === 1, 'it is refused');
    await warned(1);
    await turn();
    assert.deepEqual(codes(), ['MOORING_HANDLER_ERROR']);
  });

  it('warns about a refusal by a close frame, with its code', async () => {
    const { url } = await serve({ authenticate: () => null, admission: { refusals: 'close' } });
    dial(url);
    await warned(1);
    assert.match(
      String(warnings[0]?.message),
      /^a connection was refused with 3000 \(unauthorized\)\. To be notified, /,
    );
  });

  for (const [stage, order] of [
    ['before it is open', 'upgrade'],
    ['when it is open', 'admitMessages'],
  ] as const) {
    it(`warns once about connections that crash ${stage}, and about nothing else`, async () => {
      const { url, supervisor } = await serve();
      const crash = sabotage(order);
      dial(url);
      dial(url);
      await until(() => crash.times >= 2, 'both have crashed');
      crash.restore();
      await warned(1);
      await until(() => supervisor.counts.failed + supervisor.counts.closed >= 2, 'both are over');
      await turn();
      assert.deepEqual(codes(), ['MOORING_CONNECTION_CRASHED']);
      assert.match(
        String(warnings[0]?.message),
        /^a connection crashed: Error: sabotage\\u001b\. This is a bug in Mooring: please report it\. /,
      );
      assert.match(String(warnings[0]?.detail), /sabotage\\u001b\n {4}at /);
    });
  }

  it('never warns about a requested refusal, nor about a client that left', async () => {
    const { url, supervisor } = await serve({ authenticate: () => new Promise(() => {}) });
    const leaving = dial(url);
    await until(() => supervisor.counts.handshaking === 1, 'it waits');
    await leaving.close();
    await until(() => supervisor.counts.failed === 1, 'it has left');
    supervisor.suspend();
    dial(url);
    await until(() => supervisor.counts.failed === 2, 'it is refused');
    await turn();
    assert.deepEqual(codes(), []);
  });

  it('warns separately from other supervisors', async () => {
    for (const { url } of [await serve({ onOpen: boom }), await serve({ onOpen: boom })]) dial(url);
    await warned(2);
    assert.deepEqual(codes(), ['MOORING_HANDLER_ERROR', 'MOORING_HANDLER_ERROR']);
  });
});

describe('a supervisor with a listener', () => {
  const silent = { info() {}, warn() {}, error() {} };
  const throwing = {
    onOpen: boom,
    authenticate: ({ url = '' }) => {
      if (url.includes('refuse')) throw new Refusal();
      return { name: 'Ann' };
    },
  };

  it('never warns: its events are logged', async () => {
    const { url, supervisor } = await serve(throwing);
    logEvents(supervisor.events$, silent);
    for (const query of ['', '?refuse']) dial(url + query);
    await until(() => supervisor.counts.failed + supervisor.counts.closed >= 2, 'both have ended');
    await turn();
    assert.deepEqual(codes(), []);
  });

  it('never warns: it has onHandlerError and onFailed', async () => {
    const told: string[] = [];
    const onHandlerError = (_: Error, handler: string) => void told.push(handler);
    const onFailed = ({ cause }: { cause: string }) => void told.push(cause);
    const { url } = await serve({ ...throwing, onHandlerError, onFailed });
    for (const query of ['', '?refuse']) dial(url + query);
    await until(
      () => told.includes('onOpen') && told.includes('unauthorized'),
      'both are reported',
    );
    await turn();
    assert.deepEqual(codes(), []);
  });
});

/** A client without a listener. */
function dialUnheard(url: string, options: Parameters<typeof createClient>[1] = {}): Client {
  const client = createClient(url, options);
  cleanups.push(() => client.close());
  return client;
}

/** A port without WebSockets: every request gets this status. */
async function answering(status: number): Promise<string> {
  const server = createServer((_request, response) => response.writeHead(status).end());
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  cleanups.push(() => server.close());
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

// This comes first: a kind of warning appears only once in this process.
describe('a client with a listener', () => {
  const listening: Record<string, (client: Client) => unknown> = {
    endings$: (client) => client.endings$.subscribe(),
    status$: (client) => client.status$.subscribe(),
  };
  for (const [name, listen] of Object.entries(listening)) {
    it(`gives up without a warning: ${name}`, async () => {
      const client = dialUnheard(`ws://${await answering(410)}/`, { privateCodes: () => 'never' });
      listen(client);
      await until(() => client.status.state === 'exhausted', 'it gives up');
      await turn();
      assert.deepEqual(codes(), []);
    });
  }

  it('gives up without a warning: the events of its supervisor are logged', async () => {
    const supervisor = createSupervisor();
    const told: string[] = [];
    supervisor.events$.subscribe((event) => {
      if (event.type === 'child.changed') told.push(event.child.state);
    });
    dialUnheard(`ws://${await answering(410)}/`, { supervisor });
    await until(() => told.includes('exhausted'), 'the supervisor reports it');
    await turn();
    assert.deepEqual(codes(), []);
  });
});

describe('a client without a listener', () => {
  it('warns once about each handler that throws, for all clients of the process', async () => {
    const { url } = await serve();
    const clients = [dialUnheard(url, { onOpen: boom }), dialUnheard(url, { onOpen: boom })];
    await warned(1);
    await until(
      () => clients.every(({ status }) => status.ending !== undefined),
      'both are closed',
    );
    await turn();
    assert.deepEqual(codes(), ['MOORING_HANDLER_ERROR']);
    assert.match(
      String(warnings[0]?.message),
      /^onOpen threw .*To be notified, subscribe to events\$ of the client or the pool\. /,
    );
  });

  it('warns about a subscriber to events$ that throws, which would get its own error', async () => {
    const client = dialUnheard('ws://127.0.0.1:1/', { queueMax: 1 });
    client.events$.subscribe(boom);
    for (const message of ['one', 'two']) client.send(message);
    await warned(1);
    assert.match(String(warnings[0]?.message), /^events\$ threw TypeError/);
  });

  it('warns when it gives up, without the credentials of its URL', async () => {
    const host = await answering(410);
    const url = `ws://ann:s3cret@${host}/feed?token=s3cret`;
    const client = dialUnheard(url);
    const other = dialUnheard(url);
    await warned(1);
    await until(() => [client, other].every(({ status }) => status.state === 'exhausted'), 'both');
    await turn();
    assert.deepEqual(codes(), ['MOORING_CONNECTION_LOST']);
    const { message = '', detail } = warnings[0] ?? {};
    assert.match(
      message,
      new RegExp(
        `^a client of ${host} gave up: rejected with 410\\. To be notified, subscribe to endings\\$ or status\\$`,
      ),
    );
    assert.ok(!`${message}${detail}`.includes('s3cret'));
  });

  it('warns when there were too many endings', async () => {
    const backoff = { minMs: 1, maxMs: 1 };
    dialUnheard('ws://127.0.0.1:1/', { backoff, restarts: { max: 2, withinMs: 60_000 } });
    await warned(1);
    assert.match(String(warnings[0]?.message), /^a client of 127\.0\.0\.1:1 gave up: restarts\. /);
  });

  it('warns when it drops a message, once for each reason', async () => {
    const client = dialUnheard('ws://127.0.0.1:1/', { queueMax: 1 });
    for (const message of ['one', 'two', 'three']) client.send(message);
    await warned(1);
    assert.deepEqual(codes(), ['MOORING_MESSAGE_DROPPED']);
    assert.match(
      String(warnings[0]?.message),
      /^a client dropped a message: queue-full\. To be notified, subscribe to events\$ /,
    );
  });

  it('warns about invalid messages, once for each matching close code', async () => {
    const server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
    cleanups.push(() => server.close());
    server.on('connection', (socket) => {
      for (const price of ['1', '2']) socket.send(JSON.stringify({ [`a\u001b${price}`]: 0 }));
      for (const _ of ['once', 'twice']) socket.send(Buffer.from('{}'));
      socket.send('{"price":1}');
    });
    await once(server, 'listening');
    const messages = z.strictObject({ price: z.number().optional() });
    const { port } = server.address() as AddressInfo;
    const client = dialUnheard(`ws://127.0.0.1:${port}/`, { messages });
    await firstValueFrom(client.messages$);
    await warned(2);
    await turn();
    assert.deepEqual(codes(), ['MOORING_MESSAGE_INVALID', 'MOORING_MESSAGE_INVALID']);
    const [broken, unreadable] = warnings.map(({ message }) => message);
    assert.match(
      String(broken),
      /^a client received an invalid message, which is not delivered: .*a\\u001b1.*\. To be notified, /,
    );
    assert.match(
      String(unreadable),
      /: expected a text frame with JSON\. To be notified, subscribe to events\$ of the client /,
    );
  });

  it('never warns when it was closed', async () => {
    const client = dialUnheard('ws://127.0.0.1:1/');
    client.send('waits');
    await client.close();
    await turn();
    assert.deepEqual(codes(), []);
  });
});

describe('a pool', () => {
  it('never warns about upstreams that refuse when there is a listener', async () => {
    const pool = createPool([`ws://${await answering(402)}/`], { size: 1 });
    cleanups.push(() => pool.drain());
    const told: string[] = [];
    pool.endings$.subscribe(({ outcome }) => told.push(outcome));
    await until(() => told.length > 0, 'it is refused');
    await turn();
    assert.deepEqual(codes(), []);
  });

  it('never warns about what another attempt may fix, nor when it is drained', async () => {
    const { url } = await serve();
    const away = createPool(['ws://127.0.0.1:1/'], { size: 1 });
    const pool = createPool([url], { size: 1 });
    const degraded = () => [away.status.state, pool.status.state].join() === 'degraded,operational';
    await until(degraded, 'one has failed, the other is open');
    await Promise.all([pool.drain(), away.drain()]);
    await turn();
    assert.deepEqual(codes(), []);
  });

  it('warns once that its upstreams refuse, and continues', async () => {
    const host = await answering(451);
    const pool = createPool([`ws://${host}/?token=s3cret`], { size: 2 });
    cleanups.push(() => pool.drain());
    await warned(1);
    await turn();
    assert.deepEqual(codes(), ['MOORING_CONNECTION_LOST']);
    const message = String(warnings[0]?.message);
    assert.match(
      message,
      new RegExp(`^a pool of ${host} is refused: rejected with 451\\. To be notified`),
    );
    assert.ok(!message.includes('s3cret'));
    assert.notEqual(pool.status.state, 'stopped');
  });

  it('warns about a handler of its members, and not when there is a listener', async () => {
    const { url } = await serve();
    const messages$ = boom;
    const heard = createPool([url], { size: 1, onOpen: boom });
    const told: string[] = [];
    heard.events$.subscribe(({ type }) => told.push(type));
    cleanups.push(() => heard.drain());
    await until(() => told.length > 0, 'the events report it');
    await turn();
    assert.deepEqual(codes(), []);
    const silent = createPool([url], { size: 1 });
    silent.status$.subscribe(messages$);
    cleanups.push(() => silent.drain());
    await warned(1);
    assert.match(String(warnings[0]?.message), /^status\$ threw TypeError/);
  });
});
