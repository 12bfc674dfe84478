// Goal: an application can send the first message, dial at once, and learn why nothing more arrives. Method: real
// servers, and everything that reached them, in order.
import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import {
  createClient,
  createPool,
  type DialedConnection,
  MooringError,
  type NodeClientOptions,
} from '../../src/client/index.ts';
import { createSupervisor } from '../../src/index.ts';
import { Dialing } from '../support/dialing.ts';
import { accepting, closeFrame, type Script } from '../support/rogue-server.ts';
import { Stops } from '../support/stops.ts';
import { until } from '../support/until.ts';

const quick: NodeClientOptions = {
  backoff: { minMs: 10, maxMs: 20, stableMs: 100 },
  timeouts: { closeMs: 200 },
};
const slow: NodeClientOptions = {
  ...quick,
  backoff: { minMs: 60_000, maxMs: 60_000 },
  random: () => 1,
};

const stops = new Stops();
afterEach(() => stops.all());

function dial(url: string, options: NodeClientOptions): Dialing {
  const dialing = new Dialing(url, options);
  stops.add(() => dialing.client.close());
  return dialing;
}

async function rogue(script: Script): Promise<string> {
  const server = await stops.rogue(script);
  return `ws://127.0.0.1:${server.port}/`;
}

describe('onOpen of a client', () => {
  it('sends first on each connection, before waiting messages and before the connection is reported', async () => {
    const service = await stops.service();
    let opened = 0;
    const { client } = dial(service.url, {
      ...quick,
      onOpen: (connection) => {
        opened += 1;
        connection.send(`sign in ${opened}`);
      },
    });
    client.status$.subscribe(({ state }) => {
      if (state === 'up') client.send('up');
    });
    client.send('waited');
    await until(() => service.messages.length === 3, 'all have arrived');
    assert.deepEqual(service.messages, ['sign in 1', 'waited', 'up']);
    client.connection?.terminate();
    client.send('late');
    await until(() => service.messages.length === 6, 'all have arrived again');
    assert.deepEqual(service.messages.slice(3), ['sign in 2', 'late', 'up']);
  });

  it('sends before listeners that get the connection from a supervisor, or from a pool', async () => {
    const service = await stops.service();
    const supervisor = createSupervisor();
    stops.add(() => supervisor.drain({ withinMs: 500 }));
    const onOpen = (connection: DialedConnection) => void connection.send('sign in');
    const client = createClient(service.url, { ...quick, onOpen, supervisor });
    supervisor.events$.subscribe(({ type }) => {
      if (type === 'connection.opened') client.send('work');
    });
    await until(() => service.messages.length === 2, 'both have arrived');
    assert.deepEqual(service.messages, ['sign in', 'work']);
    const pool = createPool([service.url], { ...quick, onOpen, size: 1 });
    stops.add(() => pool.drain({ withinMs: 500 }));
    pool.status$.subscribe(({ state }) => {
      if (state === 'operational') pool.checkout()?.send('work');
    });
    await until(() => service.messages.length === 4, 'both have arrived again');
    assert.deepEqual(service.messages.slice(2), ['sign in', 'work']);
  });

  it('may throw, or end the connection, and nothing is lost', async () => {
    const service = await stops.service();
    let opened = 0;
    const { client, events } = dial(service.url, {
      ...quick,
      onOpen: (connection) => {
        opened += 1;
        if (opened === 1) throw new Error('not yet');
        if (opened === 2) connection.close();
      },
    });
    client.send('a');
    await until(() => service.messages.length === 1, 'the message has arrived');
    assert.deepEqual(
      events.map((event) => event.type === 'handler.errored' && event.handler),
      ['onOpen'],
    );
    client.connection?.terminate();
    client.send('b');
    await until(() => service.messages.length === 2, 'the other has arrived, on the fourth');
    assert.deepEqual([service.messages, opened], [['a', 'b'], 4]);
  });

  it('must be a function', () => {
    assert.throws(
      () => new Dialing('ws://127.0.0.1:1', { onOpen: 5 as never }),
      (error) => error instanceof MooringError && /options\.onOpen/.test(error.message),
    );
  });
});

describe('dialNow', () => {
  it('dials at once if the client waits, and does nothing while it connects, is up or has closed', async () => {
    let isUp = false;
    const url = await rogue((visit) =>
      isUp ? accepting(() => {})(visit) : visit.socket.resetAndDestroy(),
    );
    const { client, statuses } = dial(url, slow);
    const waits = () => statuses.filter(({ state }) => state === 'waiting').length;
    assert.equal(client.dialNow(), false);
    await until(() => client.status.state === 'waiting', 'it waits');
    assert.equal(client.status.delayMs, 60_000);
    assert.equal(client.dialNow(), true);
    await until(() => waits() === 2, 'it has tried');
    isUp = true;
    assert.equal(client.dialNow(), true);
    assert.equal(client.dialNow(), false);
    await until(() => client.status.state === 'up', 'it is up');
    assert.equal(client.dialNow(), false);
    assert.equal(client.status.attempts, 3);
    await client.close();
    assert.equal(client.dialNow(), false);
  });
});

describe('gaveUp', () => {
  it('names a fault that no further attempt would fix', async () => {
    const url = await rogue(accepting(({ socket }) => void socket.end(closeFrame(1008))));
    const { client, completed } = dial(url, { ...quick, retry: () => 'never' });
    await until(() => client.status.state === 'exhausted', 'it gives up');
    assert.equal(client.status.gaveUp, 'refused');
    assert.deepEqual([client.send('hi'), completed.length], ['refused', 0]);
    await client.close();
    assert.deepEqual([client.status.state, completed.length], ['stopped', 4]);
  });

  it('reports that there were too many attempts', async () => {
    const url = await rogue(({ socket }) => socket.resetAndDestroy());
    const { client, statuses } = dial(url, { ...quick, restarts: { max: 2 } });
    await until(() => client.status.state === 'exhausted', 'it gives up');
    assert.equal(client.status.gaveUp, 'restarts');
    assert.ok(statuses.slice(0, -1).every(({ gaveUp }) => gaveUp === undefined));
  });

  it('is left through dialNow, which starts the count anew', async () => {
    let isUp = false;
    const url = await rogue((visit) => {
      if (isUp) accepting(() => {})(visit);
      else visit.socket.resetAndDestroy();
    });
    const { client } = dial(url, { ...quick, restarts: { max: 1 } });
    for (const round of [1, 2]) {
      await until(() => client.status.state === 'exhausted', `it gives up: ${round}`);
      isUp = round === 2;
      assert.equal(client.dialNow(), true);
      assert.equal(client.status.state, 'dialing');
    }
    await until(() => client.status.state === 'up', 'it is up');
    assert.equal(client.status.gaveUp, undefined);
  });

  it('is absent for a client that was closed', async () => {
    const service = await stops.service();
    const { client } = dial(service.url, quick);
    await client.close();
    assert.deepEqual([client.status.state, client.status.gaveUp], ['stopped', undefined]);
  });
});
