// Goal: a client reports each connection once, reconnects by itself, and loses no message without a report.
// Method: real sockets against our own service, plain ws, and servers that break every rule.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { WebSocketServer } from 'ws';
import { z } from 'zod';
import type { NodeClientOptions } from '../../src/client/index.ts';
import { type Clock, systemClock } from '../../src/core/clock.ts';
import { Dialing } from '../support/dialing.ts';
import { buildFrame, opcode } from '../support/frames.ts';
import { accepting, closeFrame } from '../support/rogue-server.ts';
import { stopsAndWatch } from '../support/stops.ts';
import { until } from '../support/until.ts';

/** Reconnects soon, so that tests are fast. */
const backoff = { minMs: 20, maxMs: 40, stableMs: 100 };

const stops = stopsAndWatch();

function dial(port: number, options: NodeClientOptions = {}): Dialing {
  const dialing = new Dialing(`ws://127.0.0.1:${port}/ws`, {
    backoff,
    timeouts: { closeMs: 200 },
    ...options,
  });
  stops.add(() => dialing.client.close());
  return dialing;
}

async function plainServer(): Promise<WebSocketServer> {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
  stops.add(() => new Promise((resolve) => server.close(resolve)));
  await new Promise((resolve) => server.on('listening', resolve));
  return server;
}

describe('client: an open connection', () => {
  it('exchanges messages with a Mooring server, and closes cleanly', async () => {
    const server = await stops.service({
      onMessage: (connection, message) => void connection.send({ echo: message }),
    });
    const dialing = await dial(server.port).up();
    assert.equal(dialing.client.send({ hello: 'there' }), 'sent');
    await until(() => dialing.messages.length === 1, 'the echo has arrived');
    assert.deepEqual(dialing.messages, [{ echo: { hello: 'there' } }]);
    await dialing.client.close(4_001, 'enough');
    assert.deepEqual(
      [...new Set(dialing.states)],
      ['idle', 'dialing', 'up', 'stopping', 'stopped'],
    );
    assert.equal(dialing.verdicts.length, 1);
    const [verdict] = dialing.verdicts;
    assert.deepEqual([verdict?.code, verdict?.origin, verdict?.clean], [4_001, 'local', true]);
    const { verdict: theirs } = await server.when('connection.closed');
    assert.deepEqual([theirs.code, theirs.reason, theirs.clean], [4_001, 'enough', true]);
  });

  it('negotiates a subprotocol, sends headers, and checks both contracts', async () => {
    const plain = await plainServer();
    let asked: string | undefined;
    plain.on('connection', (socket, { headers }) => {
      asked = headers['x-who'] as string;
      socket.send('{"price":"high"}');
      socket.send('{"price":1}');
    });
    const { port } = plain.address() as { port: number };
    const Quote = z.object({ price: z.number() });
    const dialing = await dial(port, {
      headers: { 'x-who': 'me' },
      subprotocols: ['chat'],
      messages: Quote,
      sends: Quote,
    }).up();
    await until(() => dialing.messages.length === 1, 'the valid one has arrived');
    assert.deepEqual([asked, dialing.messages], ['me', [{ price: 1 }]]);
    const [invalid] = dialing.events;
    assert.equal(invalid?.type === 'message.invalid' && invalid.fault.path, 'price');
    assert.throws(() => dialing.client.send({ price: 'low' }), { code: 'invalid-message' });
  });

  it('B16: delivers a message that arrived in the same packet as the answer', async () => {
    const server = await stops.rogue((visit) =>
      visit.asked((request) => {
        const hello = buildFrame({ opcode: opcode.text, payload: '"hello"', masked: false });
        visit.socket.write(Buffer.concat([Buffer.from(visit.acceptance(request)), hello]));
      }),
    );
    const dialing = await dial(server.port).up();
    await until(() => dialing.messages.length === 1, 'it is delivered');
  });

  it('B14c: a signal that aborts closes it', async () => {
    const server = await stops.service();
    const controller = new AbortController();
    const dialing = await dial(server.port, { signal: controller.signal }).up();
    controller.abort();
    await until(() => dialing.client.status.state === 'stopped', 'it stops');
    assert.equal(dialing.verdicts[0]?.clean, true);
  });

  it('detects a silent peer by the heartbeat', async () => {
    const server = await stops.rogue(accepting(() => {}));
    const heartbeat = { intervalMs: 100, graceMs: 100 };
    const dialing = await dial(server.port, { heartbeat }).up();
    await until(() => dialing.verdicts.length === 1, 'it is given up');
    const [verdict] = dialing.verdicts;
    assert.deepEqual([verdict?.cause, verdict?.origin], ['heartbeat-timeout', 'network']);
  });
});

describe('client: an ending that it did not request', () => {
  /** What the server does, and the expected verdict. */
  const ends: Record<string, [Parameters<typeof accepting>[0], code: number, cause: string]> = {
    'B17: a close frame behind the answer': [
      ({ socket }) => void socket.end(closeFrame(1013)),
      1013,
      'peer-close',
    ],
    'B18: RST': [({ socket }) => setTimeout(() => socket.resetAndDestroy(), 10), 1006, 'tcp-reset'],
    'B18b: FIN': [({ socket }) => void socket.end(), 1006, 'tcp-fin'],
    'E: a masked frame': [
      ({ socket }) => void socket.write(buildFrame({ opcode: opcode.text, payload: '"x"' })),
      1006,
      'protocol-error',
    ],
  };
  for (const [title, [then, code, cause]] of Object.entries(ends)) {
    it(`${title}: closed once, ${cause}`, async () => {
      const server = await stops.rogue(accepting(then));
      const dialing = dial(server.port, {
        backoff: { minMs: 60_000, maxMs: 60_000 },
        random: () => 0.99,
      });
      const ending = await dialing.firstEnding();
      assert.ok(ending.outcome === 'closed');
      assert.deepEqual([ending.verdict.code, ending.verdict.cause], [code, cause]);
      assert.ok(dialing.states.includes('up'));
      assert.equal(dialing.client.status.state, 'waiting');
      assert.deepEqual([dialing.endings.length, dialing.verdicts.length], [1, 1]);
    });
  }

  it('is reported in the state that follows, before that state is emitted', async () => {
    const server = await stops.rogue(accepting(({ socket }) => void socket.end(closeFrame(1001))));
    const dialing = dial(server.port, { backoff: { minMs: 60_000, maxMs: 60_000 } });
    const log: string[] = [];
    dialing.client.status$.subscribe(({ state }) => log.push(state));
    dialing.client.endings$.subscribe(() => {
      const { state, ending } = dialing.client.status;
      log.push(`ended: ${state} ${ending?.outcome}`);
    });
    await until(() => log.includes('waiting'), 'it waits');
    assert.deepEqual(
      [...new Set(log)],
      ['idle', 'dialing', 'up', 'closing', 'ended: waiting closed', 'waiting'],
    );
  });

  it('reports the ending of an attempt that is given up before it completes', async () => {
    const server = await stops.rogue(() => {});
    const dialing = dial(server.port);
    const log: string[] = [];
    dialing.client.status$.subscribe(({ state }) => log.push(state));
    dialing.client.endings$.subscribe({
      next: ({ outcome }) => log.push(outcome),
      complete: () => log.push('complete'),
    });
    await until(() => log.includes('dialing'), 'it dials');
    await dialing.client.close();
    assert.deepEqual(log, ['idle', 'dialing', 'stopping', 'failed', 'stopped', 'complete']);
    const late: string[] = [];
    dialing.client.status$.subscribe({
      next: ({ state }) => late.push(state),
      complete: () => late.push('complete'),
    });
    assert.deepEqual(late, ['stopped', 'complete']);
  });

  it('reconnects, and each connection is reported once', async () => {
    const server = await stops.rogue(accepting(({ socket }) => void socket.end(closeFrame(1001))));
    const dialing = dial(server.port);
    await until(() => dialing.verdicts.length >= 4, 'it has reconnected three times');
    const opened = dialing.states.filter(
      (state, index) => state === 'up' && dialing.states[index - 1] === 'dialing',
    );
    assert.ok(Math.abs(opened.length - dialing.verdicts.length) <= 1);
    assert.equal(dialing.endings.length, dialing.verdicts.length);
    assert.ok(dialing.verdicts.every(({ code }) => code === 1001));
  });

  it('increases the backoff while connections do not last', async () => {
    const server = await stops.rogue(accepting(({ socket }) => void socket.end(closeFrame(1001))));
    const slow = { minMs: 10, maxMs: 10_000, stableMs: 60_000 };
    const dialing = dial(server.port, { backoff: slow, random: () => 1 });
    await until(() => dialing.verdicts.length >= 5, 'it has reconnected four times');
    const delays = dialing.statuses.flatMap(({ delayMs }) => delayMs ?? []);
    assert.deepEqual(delays.slice(0, 4), [10, 20, 40, 80]);
  });

  it('resets the backoff after a connection that lasted', async () => {
    const server = await stops.rogue(
      accepting(({ socket }) => setTimeout(() => socket.end(closeFrame(1001)), 100)),
    );
    const slow = { minMs: 10, maxMs: 10_000, stableMs: 10 };
    const dialing = dial(server.port, { backoff: slow, random: () => 1 });
    await until(() => dialing.verdicts.length >= 3, 'it has reconnected twice');
    const delays = dialing.statuses.flatMap(({ delayMs }) => delayMs ?? []);
    assert.deepEqual(delays.slice(0, 2), [10, 10]);
  });

  it('gives up when the application decides so, or after too many endings', async () => {
    const normal = await stops.rogue(
      accepting(({ socket }) => void socket.end(closeFrame(1000, 'bye'))),
    );
    const done = dial(normal.port, { retry: () => 'never' });
    await until(() => done.client.status.state === 'exhausted', 'it gives up');
    const restless = await stops.rogue(
      accepting(({ socket }) => void socket.end(closeFrame(1001))),
    );
    const tired = dial(restless.port, { restarts: { max: 3, withinMs: 60_000 } });
    await until(() => tired.client.status.state === 'exhausted', 'it gives up');
    assert.equal(tired.verdicts.length, 4);
  });
});

describe('client: waking up', () => {
  /** A clock whose wall time can jump, as after a machine has slept. */
  function sleepyClock(): { clock: Clock; sleep: () => void } {
    let sleptMs = 0;
    const clock = { ...systemClock, wallNow: () => systemClock.wallNow() + sleptMs };
    return {
      clock,
      sleep: () => {
        sleptMs += 3_600_000;
      },
    };
  }

  it('probes an open connection at once', async () => {
    const plain = await plainServer();
    let pings = 0;
    plain.on('connection', (socket) =>
      socket.on('ping', () => {
        pings += 1;
      }),
    );
    const { clock, sleep } = sleepyClock();
    const { port } = plain.address() as { port: number };
    // Without the wake-up, the first ping would come at the end of the interval.
    await dial(port, { clock, random: () => 0.99 }).up();
    sleep();
    await until(() => pings === 1, 'it is pinged, long before the interval is over');
  });

  it('dials at once when it waits', async () => {
    const server = await stops.rogue(accepting(({ socket }) => void socket.end(closeFrame(1001))));
    const { clock, sleep } = sleepyClock();
    let chance = 0.99;
    const slow = { minMs: 60_000, maxMs: 60_000 };
    const dialing = dial(server.port, { clock, backoff: slow, random: () => chance });
    await until(() => dialing.client.status.state === 'waiting', 'it waits');
    chance = 0;
    sleep();
    await until(() => server.visits === 2, 'it has dialed again');
  });
});

describe('client: sending while away', () => {
  it('keeps messages in order until it is up, and sends them before any newer one', async () => {
    const server = await stops.service();
    const dialing = dial(server.port);
    assert.equal(dialing.client.send(1), 'queued');
    const flushed = dialing.client.sendAndFlush(2);
    assert.equal(dialing.client.send(3, { queue: false }), 'refused');
    assert.equal(dialing.client.queuedMessages, 2);
    await dialing.up();
    dialing.client.send(4);
    assert.equal(await flushed, 'sent');
    await until(() => server.messages.length === 3, 'all have arrived');
    assert.deepEqual(server.messages, [1, 2, 4]);
  });

  it('drops the oldest of too many and expired ones, and reports each', async () => {
    const server = await stops.rogue(() => {});
    const dialing = dial(server.port, { queueMax: 2 });
    const lost = dialing.client.sendAndFlush('a');
    for (const message of ['b', 'c']) dialing.client.send(message);
    assert.equal(await lost, 'lost');
    assert.deepEqual(dialing.events, [
      { type: 'message.dropped', message: 'a', reason: 'queue-full' },
    ]);
    await dialing.client.close();
    assert.deepEqual(
      dialing.events
        .slice(1)
        .map((event) => event.type === 'message.dropped' && [event.message, event.reason]),
      [
        ['b', 'stopped'],
        ['c', 'stopped'],
      ],
    );
    assert.equal(dialing.client.send('late'), 'refused');
    assert.equal(await dialing.client.sendAndFlush('late'), 'refused');
  });

  it('never sends messages that have expired meanwhile', async () => {
    const plain = await plainServer();
    const got: string[] = [];
    plain.on('connection', (socket) => socket.on('message', (data) => got.push(String(data))));
    const { port } = plain.address() as { port: number };
    const dialing = dial(port);
    dialing.client.send('stale', { ttlMs: 1 });
    dialing.client.send('fresh', { ttlMs: 60_000 });
    await until(() => got.length === 1, 'one has arrived');
    assert.deepEqual(got, ['"fresh"']);
    assert.deepEqual(dialing.events, [
      { type: 'message.dropped', message: 'stale', reason: 'expired' },
    ]);
  });

  it('is congested by a peer that does not read, refuses messages, and accepts them again later', async () => {
    let pause = () => {};
    const server = await stops.rogue(
      accepting(({ socket }) => {
        socket.pause();
        pause = () => void socket.resume();
      }),
    );
    const limits = { outboxHighBytes: 200_000, outboxLowBytes: 50_000 };
    const dialing = await dial(server.port, { limits }).up();
    const text = 'x'.repeat(100_000);
    const now = { queue: false };
    await until(() => dialing.client.send(text, now) === 'refused', 'it is congested');
    assert.equal(dialing.client.send('later'), 'queued');
    assert.equal(dialing.client.queuedMessages, 1);
    assert.equal(dialing.client.send('now', now), 'refused');
    pause();
    await until(() => dialing.client.queuedMessages === 0, 'it flows again');
  });
});
