// Goal: connections that a supervisor dials are counted, reported, observed and drained like accepted ones, and
// belong to no audience. Method: a service whose clients and pools dial other real services. Everything that it
// reports is recorded.
import assert from 'node:assert/strict';
import { Socket } from 'node:net';
import { afterEach, describe, it } from 'node:test';
import type { InspectionEvent } from 'xstate';
import {
  createClient,
  createPool,
  MooringError,
  type NodeClientOptions,
} from '../../src/client/index.ts';
import { createSupervisor, type SupervisorEvent } from '../../src/index.ts';
import { RawPeer } from '../support/raw-peer.ts';
import { accepting, type Script } from '../support/rogue-server.ts';
import type { Service } from '../support/service.ts';
import { Stops } from '../support/stops.ts';
import { until } from '../support/until.ts';

const quick = {
  backoff: { minMs: 10, maxMs: 20, stableMs: 50 },
  timeouts: { handshakeMs: 1_000, closeMs: 300, forcedMs: 100 },
} satisfies NodeClientOptions;

const stops = new Stops();
afterEach(() => stops.all());

async function rogue(script: Script): Promise<string> {
  const server = await stops.rogue(script);
  return `ws://127.0.0.1:${server.port}/feed`;
}

/** Short descriptions of the events of dialed connections and of children. */
function told(service: Service): string[] {
  return service.events.flatMap((event: SupervisorEvent) => {
    if (event.type === 'child.changed') return [`${event.child.kind} ${event.child.state}`];
    if (event.type === 'connection.failed') return [`${event.id} failed`];
    if (!('connection' in event) || event.connection?.direction !== 'dialed') return [];
    return [`${event.connection.id} ${event.type.replace('connection.', '')}`];
  });
}

const isUp = ({ status }: { status: { state: string } }) => status.state === 'up';

describe('a client of a supervisor', () => {
  it('is counted and reported, and belongs to no audience', async () => {
    const upstream = await stops.service();
    const service = await stops.service();
    const { supervisor } = service;
    const client = createClient(upstream.url, { ...quick, supervisor });
    await until(() => isUp(client), 'it is up');
    const peer = await RawPeer.open(service.port);
    stops.add(() => peer.destroy());
    await until(() => supervisor.counts.open === 2, 'both are counted');
    const [dialed] = [...supervisor.dialed];
    assert.equal(dialed, client.connection);
    assert.deepEqual([dialed?.direction, dialed?.id, dialed?.path], ['dialed', 'd1', '/ws']);
    assert.equal([...supervisor.connections].length, 1);
    assert.equal(supervisor.get('d1'), undefined);
    const address = `127.0.0.1:${upstream.port}`;
    assert.deepEqual([...supervisor.children], [{ kind: 'client', address, state: 'up' }]);
    supervisor.broadcast('hello');
    await until(() => peer.texts.length === 1, 'the peer receives it');
    client.send('only me');
    await until(() => upstream.messages.length === 1, 'the upstream receives the other');
    assert.deepEqual(upstream.messages, ['only me']);
    await client.close();
    assert.deepEqual([[...supervisor.children], [...supervisor.dialed]], [[], []]);
    assert.deepEqual(told(service), [
      ...['client dialing', 'd1 opened', 'client up'],
      ...['d1 closing', 'client stopping', 'd1 closed', 'client stopped'],
    ]);
    const { open, closed } = supervisor.counts;
    assert.deepEqual([open, closed], [1, 1]);
    // Its handlers are those of accepted connections.
    assert.deepEqual(service.calls, ['onOpen']);
  });

  it('reports each failed attempt, and that it gave up', async () => {
    const url = await rogue(({ asked, socket }) =>
      asked(() => void socket.end('HTTP/1.1 410 No\r\nContent-Length: 0\r\n\r\n')),
    );
    const service = await stops.service();
    const client = createClient(url, { ...quick, supervisor: service.supervisor });
    await until(() => client.status.state === 'exhausted', 'it gives up');
    assert.deepEqual(
      [...service.supervisor.children].map(({ state }) => state),
      ['exhausted'],
    );
    assert.deepEqual(told(service), ['client dialing', 'd1 failed', 'client exhausted']);
    assert.equal(client.status.gaveUp, 'refused');
    await client.close();
    assert.deepEqual([...service.supervisor.children], []);
    assert.equal(service.supervisor.counts.failed, 1);
    assert.deepEqual(service.calls, []);
  });

  it('is visible to the inspector of the supervisor, from its own chart to its connection', async () => {
    const upstream = await stops.service();
    const seen = new Set<string>();
    const inspect = (event: InspectionEvent) => {
      const { logic } = event.actorRef as unknown as { logic: { config: { id: string } } };
      if (event.type === '@xstate.snapshot') seen.add(logic.config.id);
    };
    const supervisor = createSupervisor({ inspect });
    const client = createClient(upstream.url, { ...quick, supervisor });
    const pool = createPool([upstream.url], { ...quick, size: 1, supervisor });
    await until(() => isUp(client) && pool.status.state === 'operational', 'both are up');
    assert.deepEqual(
      ['client', 'connection', 'pool'].filter((id) => !seen.has(id)),
      [],
    );
    await supervisor.drain();
  });
});

describe('a pool of a supervisor', () => {
  it('is one child, and each of its connections is counted', async () => {
    const [one, other] = [await stops.service(), await stops.service()];
    const { supervisor } = await stops.service();
    const pool = createPool([one.url, other.url], { ...quick, size: 3, supervisor });
    await until(() => pool.status.state === 'operational', 'it is operational');
    assert.equal(supervisor.counts.open, 3);
    const address = `127.0.0.1:${one.port}, 127.0.0.1:${other.port}`;
    assert.deepEqual([...supervisor.children], [{ kind: 'pool', address, state: 'operational' }]);
    assert.deepEqual(
      [...supervisor.dialed].map(({ id }) => id).toSorted(),
      [...pool.connections].map(({ id }) => id).toSorted(),
    );
    const { closed } = await pool.drain();
    assert.equal(closed, 3);
    assert.deepEqual([[...supervisor.children], supervisor.counts.open], [[], 0]);
  });
});

describe('child.changed', () => {
  it('is emitted once for each state, whatever else changes', async () => {
    const upstream = await stops.service();
    const service = await stops.service();
    const { supervisor } = service;
    const client = createClient(upstream.url, { ...quick, supervisor });
    const pool = createPool([upstream.url], { ...quick, size: 4, supervisor });
    await until(() => client.status.states.includes('up.stable'), 'the client is stable');
    await until(() => pool.status.state === 'operational', 'the pool is operational');
    await client.close();
    await pool.drain();
    const of = (kind: string) => told(service).filter((line) => line.startsWith(kind));
    assert.deepEqual(of('client'), [
      ...['client dialing', 'client up', 'client stopping', 'client stopped'],
    ]);
    assert.deepEqual(of('pool'), ['pool operational', 'pool draining', 'pool stopped']);
  });
});

describe('the drain of a supervisor with children', () => {
  it('ends them after the accepted connections are gone, and counts both', async () => {
    const upstream = await stops.service();
    let client: ReturnType<typeof createClient> | undefined;
    const service = await stops.service({
      onClose: async () => {
        // A running handler may need the dialed connections.
        await Promise.resolve();
        client?.send('goodbye of the peer');
      },
    });
    const { supervisor } = service;
    client = createClient(upstream.url, { ...quick, supervisor });
    const pool = createPool([upstream.url], { ...quick, size: 2, supervisor });
    await until(() => upstream.supervisor.counts.open === 3, 'three are dialed');
    const peer = await RawPeer.open(service.port);
    stops.add(() => peer.destroy());
    await service.opened();
    peer.socket.on('data', () => {
      if (peer.closeFrame) peer.finishPolitely();
    });
    const { closed, forced } = await supervisor.drain({ withinMs: 5_000 });
    assert.deepEqual([closed, forced], [4, 0]);
    assert.deepEqual([client.status.state, pool.status.state], ['stopped', 'stopped']);
    assert.deepEqual(upstream.messages, ['goodbye of the peer']);
    const codes = upstream.of('connection.closed').map(({ verdict }) => verdict.code);
    assert.deepEqual(codes, [1001, 1001, 1001]);
    const order = service.events.map(({ type }) => type);
    const dialedEnd = service.events.findIndex(
      (event: SupervisorEvent) =>
        event.type === 'connection.closed' && event.connection.direction === 'dialed',
    );
    assert.ok(order.indexOf('connection.closed') < dialedEnd);
    assert.equal(order.at(-1), 'supervisor.stopped');
  });

  it('destroys at its deadline what they could not close', async () => {
    const url = await rogue(accepting(() => {}));
    const { supervisor } = await stops.service();
    const timeouts = { ...quick.timeouts, closeMs: 60_000 };
    const client = createClient(url, { ...quick, timeouts, supervisor });
    await until(() => isUp(client), 'it is up');
    const { closed, forced, tookMs } = await supervisor.drain({ withinMs: 300 });
    assert.deepEqual([closed, forced, client.status.state], [0, 1, 'stopped']);
    assert.ok(tookMs >= 300 && tookMs < 5_000, `${tookMs} ms`);
  });

  it('reports the end of all of them before its own, however long a socket takes to close', async () => {
    const url = await rogue(accepting(() => {}));
    const service = await stops.service({ timeouts: { forcedMs: 50 } });
    const timeouts = { ...quick.timeouts, closeMs: 60_000, forcedMs: 60_000 };
    const client = createClient(url, { ...quick, timeouts, supervisor: service.supervisor });
    await until(() => isUp(client), 'it is up');
    const { prototype } = Socket;
    const { _destroy: destroy } = prototype;
    prototype._destroy = function (this: Socket, error, callback) {
      setTimeout(() => destroy.call(this, error, callback), 300);
    };
    try {
      await service.supervisor.drain({ withinMs: 100 });
    } finally {
      prototype._destroy = destroy;
    }
    const order = service.events.map(({ type }) => type);
    assert.deepEqual(order.slice(-3), ['connection.closed', 'child.changed', 'supervisor.stopped']);
    assert.deepEqual(told(service).slice(-2), ['d1 closed', 'client stopped']);
  });

  it('stops them in time when the accepted connections take all of it', async () => {
    const upstream = await stops.service();
    const service = await stops.service({ timeouts: { closeMs: 60_000, forcedMs: 100 } });
    const { supervisor } = service;
    const client = createClient(upstream.url, { ...quick, supervisor });
    await until(() => isUp(client), 'it is up');
    const stubborn = await RawPeer.open(service.port);
    stops.add(() => stubborn.destroy());
    await service.opened();
    const { closed, forced } = await supervisor.drain({ withinMs: 500 });
    assert.deepEqual([closed, forced], [1, 1]);
    const [verdict] = upstream.of('connection.closed').map((event) => event.verdict);
    assert.deepEqual([verdict?.code, verdict?.clean], [1001, true]);
  });

  it('never waits for a client that only waits, and refuses late newcomers', async () => {
    const url = await rogue(({ socket }) => socket.resetAndDestroy());
    const { supervisor } = await stops.service();
    const backoff = { minMs: 60_000, maxMs: 60_000 };
    const client = createClient(url, { backoff, random: () => 1, supervisor });
    await until(() => client.status.state === 'waiting', 'it waits');
    await supervisor.drain();
    assert.equal(client.status.state, 'stopped');
    const upstream = await stops.service();
    const late = createClient(upstream.url, { ...quick, supervisor });
    const latePool = createPool([upstream.url], { ...quick, supervisor });
    await until(() => late.status.state === 'stopped', 'the client is refused');
    await until(() => latePool.status.state === 'stopped', 'so is the pool');
    assert.equal(upstream.supervisor.counts.open + upstream.of('connection.opened').length, 0);
  });
});

describe('the option `supervisor`', () => {
  const refused = (options: object, pattern: RegExp) =>
    assert.throws(
      () => createClient('ws://127.0.0.1:1', options),
      (error) => error instanceof MooringError && pattern.test(error.message),
    );

  it('must be a supervisor', () => {
    refused({ supervisor: {} }, /options\.supervisor: must be a supervisor/);
    refused({ supervisor: 5 }, /options\.supervisor: must be a supervisor/);
  });

  it('refuses another inspector', () => {
    refused({ supervisor: createSupervisor(), inspect: () => {} }, /options\.inspect: /);
  });
});
