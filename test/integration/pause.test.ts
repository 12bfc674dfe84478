// Goal: reading stops exactly where it should, and nothing is lost. Method: real sockets, and many messages in one
// write, so that one read must be held back in the middle.
import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import type { Connection } from '../../src/index.ts';
import { buildFrame, opcode } from '../support/frames.ts';
import { RawPeer } from '../support/raw-peer.ts';
import { Service } from '../support/service.ts';
import { TimerCountingClock } from '../support/timer-counting-clock.ts';
import { turns, until } from '../support/until.ts';

type AnyConnection = Connection<unknown, unknown, unknown>;

/** Text frames with the numbers from 0. */
const numbers = (count: number) =>
  Buffer.concat(
    Array.from({ length: count }, (_, n) => buildFrame({ opcode: opcode.text, payload: `${n}` })),
  );

const upTo = (count: number) => Array.from({ length: count }, (_, n) => n);

let service: Service;
afterEach(() => service.stop());

describe('connection.pause()', () => {
  it('stops in the middle of a read, and resume() delivers the rest in order', async () => {
    service = await Service.start({
      onMessage: (connection, message) => {
        if (message === 2) assert.equal(connection.pause(), true);
      },
    });
    const peer = await RawPeer.open(service.port);
    const connection = await service.opened();
    peer.socket.write(numbers(1_000));
    await until(() => connection.states.includes('open.intake.paused'), 'it is paused');
    await turns(20);
    assert.deepEqual(service.messages, [0, 1, 2]);
    assert.equal(connection.resume(), true);
    await until(() => service.messages.length === 1_000, 'the rest arrives');
    assert.deepEqual(service.messages, upTo(1_000));
    assert.ok(connection.states.includes('open.intake.receiving'));
  });

  it('loses and reorders nothing when every message pauses and resumes', async () => {
    service = await Service.start({
      onMessage: (connection) => {
        connection.pause();
        setImmediate(() => connection.resume());
      },
      overRate: 'pause',
      limits: { messagesPerSecondMax: 100_000, messageBurstMax: 100_000 },
    });
    const peer = await RawPeer.open(service.port);
    // Much more than one read, in pieces that end anywhere.
    const bytes = Buffer.concat([
      numbers(2_000),
      peer.frame({ opcode: opcode.ping, payload: 'p' }),
    ]);
    for (let at = 0; at < bytes.length; at += 777) peer.socket.write(bytes.subarray(at, at + 777));
    await until(() => service.messages.length === 2_000, 'all arrive');
    assert.deepEqual(service.messages, upTo(2_000));
    await until(() => peer.frames.some((frame) => frame.opcode === opcode.pong), 'the ping too');
  });

  it('returns whether it changed something, in every state, in any order of calls', async () => {
    service = await Service.start();
    const peer = await RawPeer.open(service.port);
    const connection = await service.opened();
    assert.deepEqual(
      [connection.resume(), connection.pause(), connection.pause(), connection.resume()],
      [false, true, false, true],
    );
    assert.deepEqual(
      [connection.pause(), connection.resume(), connection.resume()],
      [true, true, false],
    );
    peer.json('heard');
    await until(() => service.messages.length === 1, 'it is read again');
    connection.close();
    assert.deepEqual([connection.pause(), connection.resume()], [false, false]);
    await peer.finishPolitely();
    await service.when('connection.closed');
    assert.deepEqual([connection.pause(), connection.resume()], [false, false]);
  });

  it('holds in onOpen, at once or later, until resume() and not only until the welcome', async () => {
    for (const isAsync of [false, true]) {
      service = await Service.start({
        onOpen: async (connection) => {
          if (isAsync) await turns(3);
          connection.pause();
        },
      });
      const peer = await RawPeer.open(service.port);
      peer.json('waits');
      const connection = await service.opened();
      await until(() => connection.states.includes('open.intake.paused'), 'it is paused');
      await turns(20);
      assert.deepEqual(service.messages, []);
      connection.resume();
      await until(() => service.messages.length === 1, 'it is delivered');
      await service.stop();
    }
  });

  it('delivers nothing yet when resume() is called while onOpen runs', async () => {
    let open = () => {};
    service = await Service.start({
      onOpen: (connection) => {
        connection.pause();
        connection.resume();
        return new Promise<void>((resolve) => {
          open = resolve;
        });
      },
    });
    const peer = await RawPeer.open(service.port);
    peer.json('waits');
    await service.opened();
    await turns(20);
    assert.deepEqual(service.messages, []);
    open();
    await until(() => service.messages.length === 1, 'it is delivered');
  });

  it('keeps the close frame and FIN of the peer behind the messages that wait', async () => {
    service = await Service.start({
      onMessage: (connection, message) => {
        if (message === 0) connection.pause();
      },
    });
    const peer = await RawPeer.open(service.port);
    const connection = await service.opened();
    peer.socket.write(
      Buffer.concat([
        numbers(10),
        peer.frame({ opcode: opcode.close, payload: Buffer.from('\x03\xe8bye', 'latin1') }),
      ]),
    );
    await until(() => connection.states.includes('open.intake.paused'), 'it is paused');
    await turns(20);
    assert.equal(connection.state, 'open');
    connection.resume();
    await peer.finishPolitely();
    const verdict = await service.closedAs({ code: 1000, cause: 'peer-close', level: 'info' });
    assert.equal(verdict.clean, true);
    assert.deepEqual(service.messages, upTo(10));
  });

  const endings: readonly [string, string, (connection: AnyConnection) => unknown][] = [
    ['close', 'close', (connection) => connection.close(4000, 'enough')],
    ['terminate', 'terminate', (connection) => connection.terminate()],
    ['fail', 'fail', (connection) => connection.fail(new Error('enough'))],
    ['a drain', 'drain', () => service.supervisor.drain({ withinMs: 5_000 })],
  ];
  for (const [title, cause, end] of endings) {
    it(`allows ${title}, and waiting messages are not delivered`, async () => {
      service = await Service.start({
        onMessage: (connection, message) => {
          if (message === 0) connection.pause();
        },
      });
      const peer = await RawPeer.open(service.port);
      const connection = await service.opened();
      peer.socket.write(numbers(100));
      await until(() => connection.states.includes('open.intake.paused'), 'it is paused');
      void end(connection);
      if (cause !== 'terminate') await peer.finishPolitely();
      const { verdict } = await service.when('connection.closed');
      assert.equal(verdict.cause, cause);
      // The answer of the peer is read, so the deadline for closing does not end the connection.
      assert.equal(verdict.clean, cause !== 'terminate');
      assert.equal(verdict.lingered, undefined);
      assert.deepEqual(service.messages, [0]);
    });
  }
});

describe('connection.pause() when a message proves that the peer is back', () => {
  it('holds that very message back', async () => {
    service = await Service.start({ heartbeat: { intervalMs: 50, graceMs: 10_000 } });
    service.supervisor.events$.subscribe((event) => {
      if (event.type === 'connection.healthy') assert.ok(event.connection.pause());
    });
    const peer = await RawPeer.open(service.port);
    const connection = await service.opened();
    await service.when('connection.suspect', 10_000);
    peer.socket.write(numbers(3));
    await service.when('connection.healthy');
    await turns(20);
    assert.deepEqual(service.messages, []);
    connection.resume();
    await until(() => service.messages.length === 3, 'all arrive');
    assert.deepEqual(service.messages, upTo(3));
  });
});

describe('a peer that sends too much', () => {
  it('a burst of 5,000 arrives, in order, under the default limits', async () => {
    service = await Service.start();
    const peer = await RawPeer.open(service.port);
    const startedAt = performance.now();
    peer.socket.write(numbers(5_000));
    await until(() => service.messages.length === 5_000, 'all arrive', 30_000);
    assert.deepEqual(service.messages, upTo(5_000));
    // 2,000 at once, then 1,000 a second.
    assert.ok(performance.now() - startedAt >= 2_900);
  });

  it('overRate: the rate is kept, even when a burst is smaller than a tick', async () => {
    service = await Service.start({ limits: { messagesPerSecondMax: 500, messageBurstMax: 5 } });
    const peer = await RawPeer.open(service.port);
    const startedAt = performance.now();
    peer.socket.write(numbers(300));
    await until(() => service.messages.length === 300, 'all arrive', 20_000);
    const tookMs = performance.now() - startedAt;
    assert.deepEqual(service.messages, upTo(300));
    assert.ok(tookMs >= 580, `${tookMs} ms`);
  });

  it("overRate 'close' ends it with 1008", async () => {
    service = await Service.start({
      overRate: 'close',
      limits: { messagesPerSecondMax: 20, messageBurstMax: 5 },
    });
    const peer = await RawPeer.open(service.port);
    peer.socket.write(numbers(50));
    await peer.finishPolitely();
    await service.closedAs({ cause: 'message-rate', level: 'warn' });
    assert.deepEqual(service.messages, upTo(5));
  });
});

describe('handlers that fall behind', () => {
  /** Settles handlers in the order in which they began. */
  class Work {
    readonly #waiting: (() => void)[] = [];
    most = 0;

    begin(): Promise<void> {
      return new Promise((resolve) => {
        this.#waiting.push(resolve);
        this.most = Math.max(this.most, this.#waiting.length);
      });
    }

    get count(): number {
      return this.#waiting.length;
    }

    settle(): void {
      this.#waiting.shift()?.();
    }
  }

  it('are never more than inFlightMax, and no message is lost', async () => {
    const work = new Work();
    service = await Service.start({
      limits: { inFlightMax: 3 },
      onMessage: () => work.begin(),
    });
    const peer = await RawPeer.open(service.port);
    const connection = await service.opened();
    peer.socket.write(numbers(50));
    await until(() => connection.states.includes('open.intake.paused'), 'it is paused');
    while (service.messages.length < 50) {
      await until(() => work.count > 0, 'a handler is at work');
      work.settle();
      await turns(2);
    }
    assert.deepEqual(service.messages, upTo(50));
    assert.equal(work.most, 3);
    while (work.count > 0) work.settle();
    await until(() => connection.states.includes('open.intake.receiving'), 'all have settled');
  });

  it('inFlightMax 1 handles messages strictly one after another', async () => {
    let running = 0;
    let most = 0;
    service = await Service.start({
      limits: { inFlightMax: 1 },
      onMessage: async () => {
        running += 1;
        most = Math.max(most, running);
        await turns(1);
        running -= 1;
      },
    });
    const peer = await RawPeer.open(service.port);
    peer.socket.write(numbers(500));
    await until(() => service.messages.length === 500, 'all arrive', 20_000);
    assert.deepEqual(service.messages, upTo(500));
    assert.equal(most, 1);
  });

  it('inFlightBytesMax stops reading, too, and one message always fits', async () => {
    const work = new Work();
    service = await Service.start({
      limits: { inFlightBytesMax: 1_000 },
      onMessage: () => work.begin(),
    });
    const peer = await RawPeer.open(service.port);
    const frame = (bytes: number) =>
      buildFrame({ opcode: opcode.text, payload: JSON.stringify('x'.repeat(bytes)) });
    peer.socket.write(
      Buffer.concat([frame(400), frame(400), frame(400), frame(400), frame(9_000)]),
    );
    await until(() => service.messages.length === 3, 'three of them exceed 1,000 bytes');
    await turns(20);
    assert.equal(service.messages.length, 3);
    work.settle();
    await until(() => service.messages.length === 4, 'there is room again');
    work.settle();
    await until(() => service.messages.length === 5, 'the large one fits');
    while (work.count > 0) work.settle();
  });

  it('a rejection counts as settled', async () => {
    service = await Service.start({
      limits: { inFlightMax: 1 },
      onMessage: () => Promise.reject(new Error('on purpose')),
      onHandlerError: () => 'keep',
    });
    const peer = await RawPeer.open(service.port);
    peer.socket.write(numbers(20));
    await until(() => service.messages.length === 20, 'all arrive');
  });

  it('handlers that never settle end it with 1011 handler-stalled after pausedMs', async () => {
    service = await Service.start({
      timeouts: { pausedMs: 200 },
      limits: { inFlightMax: 2 },
      onMessage: () => new Promise(() => {}),
    });
    const peer = await RawPeer.open(service.port);
    peer.socket.write(numbers(20));
    await peer.finishPolitely();
    await service.closedAs({
      cause: 'handler-stalled',
      origin: 'local',
      retry: 'backoff',
      sent: { code: 1011, reason: 'handlers have stalled' },
      level: 'error',
    });
    assert.deepEqual(service.messages, upTo(2));
  });

  it('leave no timer behind when the connection ends during their pause', async () => {
    const clock = new TimerCountingClock();
    service = await Service.start({
      clock,
      limits: { inFlightMax: 1, messageBurstMax: 1, messagesPerSecondMax: 1 },
      onMessage: () => new Promise(() => {}),
    });
    const peer = await RawPeer.open(service.port);
    const connection = await service.opened();
    peer.socket.write(numbers(2));
    await until(() => connection.states.includes('open.intake.paused'), 'it is paused');
    connection.terminate();
    await service.when('connection.closed');
    assert.equal(clock.pending.size, 0);
  });

  it('the application may pause for longer than pausedMs, whatever its handlers do', async () => {
    const work = new Work();
    service = await Service.start({
      timeouts: { pausedMs: 100 },
      limits: { inFlightMax: 1 },
      onMessage: (connection) => {
        connection.pause();
        return work.begin();
      },
    });
    const peer = await RawPeer.open(service.port);
    const connection = await service.opened();
    peer.socket.write(numbers(2));
    await until(() => work.count === 1, 'the first is handled');
    const startedAt = performance.now();
    await until(() => performance.now() - startedAt > 500, 'time passes');
    assert.equal(connection.state, 'open');
    connection.resume();
    await service.when('connection.closed');
    assert.equal(connection.verdict?.cause, 'handler-stalled');
  });
});

describe('a paused peer that is gone', () => {
  const heartbeat = { intervalMs: 100, graceMs: 200 };

  async function paused(): Promise<{ peer: RawPeer; connection: AnyConnection }> {
    service = await Service.start({
      heartbeat,
      onMessage: (connection, message) => {
        if (message === 0) connection.pause();
      },
    });
    const peer = await RawPeer.open(service.port);
    const connection = await service.opened();
    return { peer, connection };
  }

  it('is never judged by its silence, and pings are still sent', async () => {
    const { peer, connection } = await paused();
    peer.socket.write(numbers(10));
    await until(() => connection.states.includes('open.intake.paused'), 'it is paused');
    const pings = () => peer.frames.filter((frame) => frame.opcode === opcode.ping).length;
    const before = pings();
    await until(() => pings() >= before + 8, 'pings go out');
    assert.equal(connection.state, 'open');
    assert.ok(!service.events.some(({ type }) => type === 'connection.suspect'));
    connection.resume();
    await until(() => service.messages.length === 10, 'the rest arrives');
  });

  it('is found by its silence when the application pauses and resumes repeatedly', async () => {
    service = await Service.start({ heartbeat });
    const peer = await RawPeer.open(service.port);
    const connection = await service.opened();
    // Such a peer answers no ping.
    const toggling = setInterval(() => connection.pause() || connection.resume(), 20);
    try {
      const { verdict } = await service.when('connection.closed', 10_000);
      assert.equal(verdict.cause, 'heartbeat-timeout');
    } finally {
      clearInterval(toggling);
      peer.destroy();
    }
  });

  it('is found by a reset, even when the buffer is full', async () => {
    const { peer, connection } = await paused();
    peer.socket.write(numbers(1));
    await until(() => connection.states.includes('open.intake.paused'), 'it is paused');
    const filler = peer.frame({ opcode: opcode.text, payload: JSON.stringify('x'.repeat(60_000)) });
    for (let count = 0; count < 100; count += 1) peer.socket.write(filler);
    await turns(20);
    peer.reset();
    const { verdict } = await service.when('connection.closed', 10_000);
    assert.ok(['tcp-reset', 'send-error'].includes(verdict.cause), verdict.cause);
    assert.deepEqual(service.messages, [0]);
  });

  it('is found when FIN is behind data and its process is gone', async () => {
    const { peer, connection } = await paused();
    peer.socket.write(numbers(100));
    await until(() => connection.states.includes('open.intake.paused'), 'it is paused');
    // Its kernel answers every further write with a reset.
    peer.destroy();
    const { verdict } = await service.when('connection.closed', 10_000);
    assert.ok(['tcp-reset', 'send-error'].includes(verdict.cause), verdict.cause);
    assert.deepEqual(service.messages, [0]);
  });
});
