import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { afterEach, describe, it } from 'node:test';
import { ManagedConnection } from '../../src/connection/managed-connection.ts';
import type { Connection, Timeouts } from '../../src/index.ts';
import { fillBacklog } from '../support/backlog.ts';
import { buildFrame, opcode } from '../support/frames.ts';
import { RawPeer } from '../support/raw-peer.ts';
import { Service } from '../support/service.ts';
import { until } from '../support/until.ts';

describe('F10, F11, F12: the order of an ending', () => {
  let service: Service;
  afterEach(() => service.stop());

  const told = () => service.events.map(({ type }) => type);

  it('F10: a reset with a backlog is one error, then one end, whatever else fails', async () => {
    service = await Service.start({ onOpen: (connection) => connection.join('all') });
    const peer = await RawPeer.open(service.port);
    const connection = await service.opened();
    peer.pause();
    await fillBacklog(connection, 300_000);
    peer.reset();
    const verdict = await service.closedAs({
      code: 1006,
      origin: 'network',
      layer: 'tcp',
      clean: false,
      cause: 'tcp-reset',
      level: 'warn',
    });
    assert.match((verdict.error as NodeJS.ErrnoException).code ?? '', /^(ECONNRESET|EPIPE)$/);
    assert.deepEqual(told(), [
      ...['connection.opened', 'topic.opened', 'connection.errored', 'topic.closed'],
      'connection.closed',
    ]);
    assert.equal(connection.bufferedBytes, 0);
  });

  it('F12: between the error and the end nothing can reach it', async () => {
    const seen: unknown[] = [];
    service = await Service.start({
      onOpen: (connection) => connection.join('all'),
      onClose: () => void seen.push(['onClose', ...reach()]),
    });
    const reach = () => {
      const { supervisor } = service;
      const { delivered, dropped } = supervisor.broadcast('anybody?');
      const toTopic = supervisor.topic('all').publish('anybody?');
      return [delivered, dropped, toTopic.delivered, [...supervisor.connections].length];
    };
    service.supervisor.events$.subscribe(({ type }) => {
      if (type === 'connection.opened' || type === 'topic.opened') return;
      seen.push([type, ...reach()]);
      queueMicrotask(() => seen.push(['microtask', ...reach()]));
      process.nextTick(() => seen.push(['nextTick', ...reach()]));
    });
    const peer = await RawPeer.open(service.port);
    await service.opened();
    peer.reset();
    await service.closedAs({ cause: 'tcp-reset', level: 'warn' });
    await until(() => seen.length === 10, 'everybody has tried');
    for (const [who, ...nobody] of seen as [string, ...number[]][]) {
      assert.deepEqual(nobody, [0, 0, 0, 0], who);
    }
  });

  it('F12: others are reached at that very moment', async () => {
    service = await Service.start();
    const victim = await RawPeer.open(service.port);
    const { id } = await service.opened();
    const witness = await RawPeer.open(service.port);
    await until(() => service.supervisor.counts.open === 2, 'both are open');
    service.supervisor.events$.subscribe((event) => {
      if (event.type !== 'connection.errored') return;
      assert.equal(event.connection.id, id);
      assert.equal(service.supervisor.broadcast('it is gone').delivered, 1);
    });
    victim.reset();
    await until(() => witness.texts.length === 1, 'the other gets it');
    assert.deepEqual(witness.texts, ['"it is gone"']);
  });

  it('N6: the same ending has the same report whether send or read finds it first', async () => {
    const verdicts = [];
    for (const first of ['send', 'read'] as const) {
      service = await Service.start();
      const peer = await RawPeer.open(service.port);
      const connection = await service.opened();
      const ended = service.when('connection.closed');
      peer.reset();
      if (first === 'send') await until(() => connection.send('x') === 'refused', 'it is noticed');
      const { code, origin, layer, clean, cause, level } = (await ended).verdict;
      verdicts.push({ code, origin, layer, clean, cause, level });
      await service.stop();
    }
    assert.deepEqual(verdicts[0], verdicts[1]);
  });
});

describe('C12: input that waits when a handler ends its connection', () => {
  let service: Service;
  afterEach(() => service.stop());

  const text = (payload: string) => buildFrame({ opcode: opcode.text, payload });
  const endings: readonly [string, (connection: Connection<unknown, unknown, unknown>) => void][] =
    [
      ['close()', (connection) => connection.close(4000)],
      ['terminate()', (connection) => connection.terminate()],
      ['fail()', (connection) => connection.fail(new Error('over'))],
      [
        'a throw',
        () => {
          throw new Error('over');
        },
      ],
    ];

  for (const [title, end] of endings) {
    it(`C12: is not delivered after ${title}`, async () => {
      service = await Service.start({
        onMessage: (connection, message) => message === 2 && end(connection),
      });
      const peer = await RawPeer.open(service.port);
      peer.socket.write(Buffer.concat(['1', '2', '3', '4'].map(text)));
      void peer.finishPolitely();
      await service.when('connection.closed');
      assert.deepEqual(service.messages, [1, 2]);
      assert.deepEqual(service.calls, ['onOpen', 'onClose']);
    });
  }

  it('N3: onClosing gets code and reason before onClose, and only those of the peer', async () => {
    const told: unknown[] = [];
    service = await Service.start({
      onClosing: ({ state }, code, reason) => told.push(['onClosing', state, code, reason]),
      onClose: ({ state }, { code }) => told.push(['onClose', state, code]),
    });
    const leaving = await RawPeer.open(service.port);
    leaving.sendClose(4001, 'bye');
    await service.when('connection.closed');
    assert.deepEqual(told.splice(0), [
      ['onClosing', 'closing', 4001, 'bye'],
      ['onClose', 'closed', 4001],
    ]);
    const left = await RawPeer.open(service.port);
    await until(() => service.of('connection.opened').length === 2, 'another is open');
    service.of('connection.opened')[1]?.connection.close(4002);
    await left.finishPolitely();
    await until(() => service.inFlight === 0, 'it is gone');
    assert.deepEqual(told, [['onClose', 'closed', 4002]]);
  });
});

describe('F04, I14: a receiver that is stuck', () => {
  let service: Service;
  let restore = () => {};
  afterEach(async () => {
    restore();
    await service.stop();
  });

  /**
   * Makes ws's receiver hang as a throwing listener does: it waits forever for the call to return, and ws
   * never reports the end, not even of a terminated socket.
   */
  async function wedge(timeouts: Partial<Timeouts> = {}) {
    service = await Service.start({
      timeouts: { forcedMs: 60, closeMs: 60_000, erroredMs: 60_000, ...timeouts },
    });
    const { receive } = ManagedConnection.prototype;
    ManagedConnection.prototype.receive = () => {
      throw new Error('wedged');
    };
    restore = () => {
      ManagedConnection.prototype.receive = receive;
    };
    const accepted = once(service.server, 'connection');
    const peer = await RawPeer.open(service.port);
    const [raw] = (await accepted) as [Socket];
    const connection = await service.opened();
    await swallow(raw, () => peer.json('hello'));
    return { peer, connection };
  }

  /** Lets the socket throw once without ending the process. */
  async function swallow(raw: Socket, part: () => void) {
    const { emit } = raw;
    let thrown = 0;
    raw.emit = ((...args: Parameters<typeof emit>) => {
      try {
        return emit.apply(raw, args);
      } catch {
        thrown += 1;
        return true;
      }
    }) as typeof emit;
    part();
    await until(() => thrown === 1, 'the receiver is stuck');
  }

  it('I14: terminate() ends it within forcedMs of the end of the socket', async () => {
    const { connection } = await wedge();
    connection.terminate();
    await service.closedAs({ code: 1006, cause: 'terminate', clean: false, level: 'info' });
    assert.deepEqual(service.states.slice(-3), ['closing.forced', 'closing.reaping', 'closed']);
  });

  it('I14: a FIN of the peer ends it', async () => {
    const { peer } = await wedge();
    peer.end();
    await service.closedAs({ code: 1006, origin: 'network', clean: false, level: 'warn' });
  });

  it('I14: a reset of the peer ends it', async () => {
    const { peer } = await wedge();
    peer.reset();
    await service.closedAs({ code: 1006, cause: 'tcp-reset', clean: false, level: 'warn' });
  });

  it('I14: close() ends it within closeMs and forcedMs', async () => {
    const { peer, connection } = await wedge({ closeMs: 60 });
    connection.close(1001, 'wedged');
    await service.closedAs({ cause: 'close-timeout', clean: false, level: 'warn' });
    assert.deepEqual(peer.closeFrame, { code: 1001, reason: 'wedged' });
  });
});
