// Goal: between open and usable nothing overtakes a sign-in, nothing is lost, and a failed sign-in is an ending like
// any other. Method: servers that admit late, never, or not at all, and everything that reached either side, in order.
import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import { describe, it } from 'node:test';
import { firstValueFrom } from 'rxjs';
import { filter } from 'rxjs/operators';
import {
  createPool,
  type DialedConnection,
  type NodeClientOptions,
} from '../../src/client/index.ts';
import type { Connection } from '../../src/index.ts';
import { Dialing } from '../support/dialing.ts';
import { buildFrame, opcode } from '../support/frames.ts';
import { accepting } from '../support/rogue-server.ts';
import { stopsAndWatch } from '../support/stops.ts';
import { turns, until } from '../support/until.ts';

const quick: NodeClientOptions = {
  backoff: { minMs: 5, maxMs: 10, stableMs: 60_000 },
  timeouts: { closeMs: 200 },
};

const stops = stopsAndWatch();

function dial(url: string, options: NodeClientOptions): Dialing {
  const dialing = new Dialing(url, { ...quick, ...options });
  stops.add(() => dialing.client.close());
  return dialing;
}

/** Signs in, and waits for the answer. */
async function signIn(connection: DialedConnection): Promise<void> {
  const admitted = firstValueFrom(connection.messages$.pipe(filter((each) => each === 'admitted')));
  connection.send('sign in');
  await admitted;
}

/** A server whose answer to a sign-in the test triggers. */
async function admittingService() {
  const waiting: Connection[] = [];
  const service = await stops.service({
    onMessage: (connection: Connection, message: unknown) => {
      if (message === 'sign in') waiting.push(connection);
    },
  });
  const asked = (count: number) => until(() => waiting.length === count, 'the sign-in has arrived');
  return { service, waiting, asked };
}

/** A promise that never settles. */
const never = new Promise<void>(() => {});

describe('an async onOpen of a client', () => {
  it('holds back the queue, messages$, onMessage and up, and none of them is lost', async () => {
    const { service, waiting, asked } = await admittingService();
    const handled: unknown[] = [];
    const own: unknown[] = [];
    const dialing = dial(service.url, {
      onOpen: (connection) => {
        connection.messages$.subscribe((message) => own.push(message));
        return signIn(connection);
      },
      onMessage: (_, message) => void handled.push(message),
    });
    const { client } = dialing;
    assert.deepEqual([client.send('first'), client.send('second')], ['queued', 'queued']);
    await asked(1);
    assert.equal(client.send('third'), 'queued');
    waiting[0]?.send('news');
    await until(() => own.length === 1, 'the news have arrived');
    await turns(3);
    assert.deepEqual(service.messages, ['sign in']);
    assert.deepEqual([dialing.messages, handled], [[], []]);
    assert.deepEqual(
      [client.status.state, client.status.states],
      ['dialing', ['dialing', 'dialing.welcoming']],
    );
    waiting[0]?.send('admitted');
    waiting[0]?.send('later');
    await until(() => service.messages.length === 4, 'all have arrived');
    assert.deepEqual(service.messages, ['sign in', 'first', 'second', 'third']);
    await until(() => handled.length === 3, 'all are handled');
    for (const heard of [own, handled, dialing.messages])
      assert.deepEqual(heard, ['news', 'admitted', 'later']);
    assert.equal(client.status.state, 'up');
    assert.deepEqual(dialing.states, ['idle', 'dialing', 'dialing', 'up']);
  });

  const failing: Record<string, [() => unknown, cause: string, reported: string[]]> = {
    'that throws': [
      () => {
        throw new Error('no token');
      },
      'handler-error',
      ['onOpen'],
    ],
    'that rejects': [() => Promise.reject(new Error('no token')), 'handler-error', ['onOpen']],
    'that never settles': [() => never, 'welcome-timeout', []],
  };
  for (const [title, [onOpen, cause, reported]] of Object.entries(failing)) {
    it(`${title} ends the connection with ${cause}, and the client reconnects`, async () => {
      const service = await stops.service();
      let opened = 0;
      const dialing = dial(service.url, {
        timeouts: { closeMs: 200, welcomeMs: 40 },
        onOpen: (connection) => {
          opened += 1;
          if (opened < 3) return onOpen();
          connection.send('signed in');
          return undefined;
        },
      });
      dialing.client.send('waited');
      await until(() => service.messages.length === 2, 'both have arrived');
      assert.deepEqual(service.messages, ['signed in', 'waited']);
      assert.deepEqual(
        dialing.verdicts.map((verdict) => [verdict.cause, verdict.sent?.code, verdict.origin]),
        Array(2).fill([cause, 1011, 'local']),
      );
      assert.deepEqual(
        dialing.events.map((event) => event.type === 'handler.errored' && event.handler),
        [...reported, ...reported],
      );
      assert.equal(dialing.states.filter((state) => state === 'up').length, 1);
    });
  }

  it('that settles after its connection has ended has no effect', async () => {
    const { service, waiting, asked } = await admittingService();
    const settle: (() => void)[] = [];
    const own: unknown[] = [];
    const dialing = dial(service.url, {
      onOpen: (connection) => {
        connection.messages$.subscribe((message) => own.push(message));
        connection.send('sign in');
        return new Promise<void>((resolve) => settle.push(resolve));
      },
    });
    const { client } = dialing;
    client.send('waited');
    await asked(1);
    waiting[0]?.send('too early');
    waiting[0]?.terminate();
    await asked(2);
    settle[0]?.();
    await turns(5);
    waiting[1]?.send('still too early');
    await until(() => own.includes('still too early'), 'it has arrived');
    assert.deepEqual([client.status.state, client.queuedMessages], ['dialing', 1]);
    assert.deepEqual(dialing.messages, []);
    settle[1]?.();
    await until(() => service.messages.includes('waited'), 'it has arrived');
    assert.equal(client.status.state, 'up');
  });

  it('holds a limited number of messages, then makes the sender wait', async () => {
    const { service, waiting, asked } = await admittingService();
    let settle: () => void = () => {};
    const dialing = dial(service.url, {
      limits: { inFlightBytesMax: 50 },
      onOpen: (connection) => {
        connection.send('sign in');
        return new Promise<void>((resolve) => {
          settle = resolve;
        });
      },
    });
    await asked(1);
    for (let index = 0; index < 50; index += 1) waiting[0]?.send(index);
    const { client } = dialing;
    const isPaused = () => client.connection?.states.includes('open.intake.paused') === true;
    await until(isPaused, 'it waits');
    assert.deepEqual(dialing.messages, []);
    settle();
    await until(() => dialing.messages.length === 50, 'all have arrived');
    assert.deepEqual(dialing.messages, [...Array(50).keys()]);
  });

  it('can take several answers, even where messages are handled one after another', async () => {
    const service = await stops.service({
      onMessage: (connection: Connection, message: unknown) => {
        if (message === 'sign in') for (const step of [1, 2, 3]) connection.send(step);
      },
    });
    let inWork = 0;
    const mostInWork: number[] = [];
    const dialing = dial(service.url, {
      limits: { inFlightMax: 1 },
      onOpen: async (connection) => {
        connection.send('sign in');
        await firstValueFrom(connection.messages$.pipe(filter((step) => step === 3)));
      },
      onMessage: async () => {
        inWork += 1;
        mostInWork.push(inWork);
        await turns(2);
        inWork -= 1;
      },
    });
    await until(() => dialing.messages.length === 3, 'all have arrived');
    assert.deepEqual(
      [dialing.messages, mostInWork],
      [
        [1, 2, 3],
        [1, 1, 1],
      ],
    );
  });

  it('holds back everything after a message whose handler pauses the client', async () => {
    const { service, waiting, asked } = await admittingService();
    const handled: unknown[] = [];
    const dialing = dial(service.url, {
      onOpen: signIn,
      onMessage: (_, message) => {
        handled.push(message);
        if (message === 1) dialing.client.pause();
      },
    });
    await asked(1);
    for (const message of [1, 2, 'admitted', 3]) waiting[0]?.send(message);
    await until(() => handled.length === 1, 'the first is handled');
    await turns(5);
    assert.equal(dialing.client.connection?.resume(), false);
    await turns(5);
    assert.deepEqual(handled, [1]);
    dialing.client.resume();
    await until(() => handled.length === 4, 'all are handled');
    assert.deepEqual(handled, [1, 2, 'admitted', 3]);
  });

  it('is stopped by close at once', async () => {
    const { service, asked } = await admittingService();
    const dialing = dial(service.url, {
      onOpen: (connection) => {
        connection.send('sign in');
        return never;
      },
    });
    await asked(1);
    await dialing.client.close();
    assert.deepEqual(dialing.states, ['idle', 'dialing', 'dialing', 'stopping', 'stopped']);
    assert.deepEqual(
      dialing.verdicts.map(({ cause, code }) => [cause, code]),
      [['close', 1000]],
    );
  });

  it('keeps a connection out of a pool', async () => {
    const { service, waiting, asked } = await admittingService();
    const pool = createPool([service.url], { ...quick, size: 1, onOpen: signIn });
    stops.add(() => pool.drain({ withinMs: 200 }));
    await asked(1);
    assert.deepEqual([pool.checkout(), pool.status.state], [undefined, 'starting']);
    waiting[0]?.send('admitted');
    await until(() => pool.status.state === 'operational', 'it is ready');
    assert.equal(pool.checkout()?.send('work'), 'sent');
  });
});

describe('the status of a client', () => {
  it('leaves up as soon as the server breaks the protocol', async () => {
    const masked = buildFrame({ opcode: opcode.text, payload: '"x"' });
    const sockets: Socket[] = [];
    const server = await stops.rogue(accepting(({ socket }) => void sockets.push(socket)));
    const dialing = await dial(`ws://127.0.0.1:${server.port}/`, {}).up();
    sockets[0]?.write(masked);
    await until(() => dialing.states.length >= 5, 'the connection has ended');
    assert.deepEqual(dialing.states.slice(0, 5), ['idle', 'dialing', 'up', 'closing', 'waiting']);
  });

  it('reports that the server is suspect, and that it has answered', async () => {
    const sockets: Socket[] = [];
    const server = await stops.rogue(accepting(({ socket }) => void sockets.push(socket)));
    const dialing = dial(`ws://127.0.0.1:${server.port}/`, {
      backoff: { stableMs: 10 },
      heartbeat: { intervalMs: 20, graceMs: 2_000 },
    });
    const { client } = dialing;
    await until(() => client.status.states.includes('up.suspect'), 'it is suspect');
    sockets[0]?.write(buildFrame({ opcode: opcode.text, payload: '"here"', masked: false }));
    await until(() => client.status.states.includes('up.stable'), 'it is stable again');
    assert.deepEqual(new Set(dialing.states), new Set(['idle', 'dialing', 'up']));
  });
});
