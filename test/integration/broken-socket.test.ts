// Goal: a socket whose methods throw, as faulty instrumentation makes them, ends its own connection and affects nothing
// else. Method: break accepted sockets by hand. A clock collects what reaches the event loop.
import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import { afterEach, describe, it } from 'node:test';
import type { Clock } from '../../src/index.ts';
import { crowd, type Member } from '../support/crowd.ts';
import { Service } from '../support/service.ts';
import { turns, until } from '../support/until.ts';

/** The clock of the process, with a handler for errors of callbacks after the poll phase. */
function collectingClock(errors: Error[]): Clock {
  return {
    now: () => performance.now(),
    wallNow: () => Date.now(),
    setTimer: (delayMs, callback) => setTimeout(callback, delayMs).unref(),
    clearTimer: (handle) => clearTimeout(handle as NodeJS.Timeout),
    afterPoll: (callback) =>
      void setImmediate(() => {
        try {
          callback();
        } catch (thrown) {
          errors.push(thrown as Error);
        }
      }),
  };
}

describe('a socket whose write throws', () => {
  let service: Service;
  let members: Member[];
  let broken: Socket;
  const errors: Error[] = [];
  afterEach(async () => {
    broken.destroy();
    await service.stop();
  });

  async function start(): Promise<void> {
    errors.length = 0;
    const sockets: Socket[] = [];
    service = await Service.start({ clock: collectingClock(errors) });
    service.server.on('connection', (socket: Socket) => void sockets.push(socket));
    members = await crowd(service, 3);
    broken = sockets[1] as Socket;
    broken.write = () => {
      throw new Error('faulty instrumentation');
    };
  }

  it('never keeps a publication from the others, and ends its own connection', async () => {
    await start();
    for (const { connection } of members) connection.join('lobby');
    service.supervisor.topic('lobby').publish('hi');
    service.supervisor.broadcast('all');
    const [first, , third] = members as [Member, Member, Member];
    for (const { peer } of [first, third]) {
      await until(() => peer.texts.length === 2, 'both have arrived');
      assert.deepEqual(peer.texts, ['"hi"', '"all"']);
    }
    const { verdict } = await service.when('connection.closed');
    assert.deepEqual([verdict.layer, verdict.error?.message], ['tcp', 'faulty instrumentation']);
    assert.deepEqual(errors, []);
  });

  it('never throws an exception to its sender', async () => {
    await start();
    const [, connection] = members.map((member) => member.connection);
    assert.equal(connection?.send('hi'), 'refused');
    assert.equal(await connection?.sendAndFlush('hi'), 'refused');
    await service.when('connection.closed');
    assert.deepEqual(errors, []);
  });

  it('never keeps a drain from closing the others, nor from ending', async () => {
    await start();
    for (const { peer } of members) void peer.finishPolitely();
    const report = await service.supervisor.drain({ withinMs: 20_000, perSecond: 2 });
    assert.deepEqual({ ...report, tookMs: 0 }, { closed: 3, forced: 0, unsettled: 0, tookMs: 0 });
    const codes = members.map(({ connection }) => connection.verdict?.code);
    const [before, code, after] = codes;
    assert.deepEqual([before, after], [members[0]?.peer.closeFrame?.code, before]);
    assert.notEqual(code, before);
    assert.equal(members[1]?.connection.verdict?.error?.message, 'faulty instrumentation');
  });
});

describe('a socket with a method that throws while its connection ends', () => {
  let service: Service;
  let socket: Socket;
  let mend = () => {};
  afterEach(async () => {
    mend();
    socket.destroy();
    await service.stop();
  });

  async function start(method: 'destroy' | 'off'): Promise<Member> {
    const sockets: Socket[] = [];
    service = await Service.start({ timeouts: { closeMs: 200, forcedMs: 100 } });
    service.server.on('connection', (accepted: Socket) => void sockets.push(accepted));
    const [member] = await crowd(service, 1);
    socket = sockets[0] as Socket;
    socket[method] = () => {
      throw new Error(`faulty ${method}`);
    };
    mend = () => void Reflect.deleteProperty(socket, method);
    return member as Member;
  }

  for (const method of ['destroy', 'off'] as const)
    it(`is reported once: ${method}`, async () => {
      const { connection } = await start(method);
      connection.terminate();
      await service.when('connection.closed');
      await turns(5);
      assert.deepEqual(service.calls, ['onOpen', 'onClose']);
      assert.equal(service.of('connection.closed').length, 1);
      assert.equal(service.of('connection.crashed').length, 1);
      const { counts } = service.supervisor;
      assert.deepEqual([counts.open, counts.closing, counts.closed], [0, 0, 1]);
      const { states, crashed } = service.supervisor.chart.connection;
      assert.deepEqual([states['closing'], crashed], [0, 1]);
    });
});
