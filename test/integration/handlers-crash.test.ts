import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import { ManagedConnection } from '../../src/connection/managed-connection.ts';
import type { SupervisorOptions } from '../../src/index.ts';
import { fillBacklog } from '../support/backlog.ts';
import { RawPeer } from '../support/raw-peer.ts';
import { Stage } from '../support/stage.ts';
import { until } from '../support/until.ts';

type Options = SupervisorOptions<unknown, unknown, unknown>;
type Order =
  | 'upgrade'
  | 'announceOpen'
  | 'admitMessages'
  | 'announceChange'
  | 'announceError'
  | 'announceClosing'
  | 'sendClose'
  | 'destroy'
  | 'finish'
  | 'startDeadline'
  | 'refuseUpgrade';

/** The path of the victims. It distinguishes their ports from others. */
const VICTIMS = '/victim';

/** Makes an order of the chart throw once for a victim, and returns a function that repairs it. */
function sabotage(order: Order): () => void {
  const { prototype } = ManagedConnection;
  const original = prototype[order] as (...args: unknown[]) => unknown;
  let armed = true;
  const broken = function (this: ManagedConnection, ...args: unknown[]): unknown {
    if (armed && this.path === VICTIMS) {
      armed = false;
      throw new Error(`${order} crashed`);
    }
    return original.apply(this, args);
  };
  const before = Object.getOwnPropertyDescriptor(prototype, order);
  Object.defineProperty(prototype, order, { value: broken, configurable: true });
  return () => {
    if (before === undefined) Reflect.deleteProperty(prototype, order);
    else Object.defineProperty(prototype, order, before);
  };
}

describe('a connection whose chart crashes', () => {
  let stage: Stage;
  let restore = () => {};
  afterEach(async () => {
    restore();
    await stage.stop();
  });

  async function set(order: Order, options: Options = {}) {
    stage = await Stage.set(options, {});
    restore = sabotage(order);
  }

  const open = () => RawPeer.open(stage.service.port, { path: VICTIMS });

  /** Asserts the promises for every crash: it is reported, and it ends one connection and nothing else. */
  async function assertOnlyItCrashed(order: Order) {
    const { service } = stage;
    const { error } = await service.when('connection.crashed');
    assert.equal(error.message, `${order} crashed`);
    assert.equal(service.of('connection.crashed').length, 1);
    const line = service.logLines().find(({ fields }) => fields['event'] === 'connection.crashed');
    assert.equal(line?.level, 'error');
    await until(() => service.inFlight === 1, 'only the sibling is left');
    assert.equal([...service.supervisor.connections].length, 1);
    await stage.assertUnharmed();
    const newcomer = await RawPeer.open(service.port);
    newcomer.sendClose(1000);
    await until(() => newcomer.closed, 'a newcomer connects and leaves');
    await until(() => service.inFlight === 1, 'and is no longer counted');
  }

  async function assertFailed(order: Order) {
    const victim = await RawPeer.connect(stage.service.port);
    victim.request({ path: VICTIMS });
    await until(() => victim.closed, 'the victim is released');
    const { failure } = await stage.service.when('connection.failed');
    assert.equal(failure.cause, 'crash');
    assert.equal(failure.level, 'error');
    assert.equal(failure.error?.message, `${order} crashed`);
    await assertOnlyItCrashed(order);
    assert.equal(stage.service.of('connection.failed').length, 1);
    assert.deepEqual(
      stage.service.of('connection.closed').map(({ connection }) => connection.path),
      ['/ws'],
    );
  }

  async function assertClosed(order: Order) {
    const verdict = await stage.victimVerdict();
    assert.equal(verdict.cause, 'crash');
    assert.equal(verdict.origin, 'local');
    assert.equal(verdict.level, 'error');
    assert.equal(verdict.clean, false);
    assert.equal(verdict.error?.message, `${order} crashed`);
    await assertOnlyItCrashed(order);
    assert.deepEqual(stage.service.of('connection.failed'), []);
    return verdict;
  }

  for (const order of ['startDeadline', 'upgrade', 'announceOpen'] as const) {
    it(`${order} throws before it is open: failed`, async () => {
      await set(order);
      await assertFailed(order);
    });
  }

  it('refuseUpgrade throws: failed', async () => {
    await set('refuseUpgrade', {
      authenticate: ({ url }) => {
        if (url === VICTIMS) throw new Error('no');
        return 'sibling';
      },
    });
    await assertFailed('refuseUpgrade');
  });

  for (const welcome of ['sync', 'async'] as const) {
    it(`admitMessages throws after a ${welcome} onOpen: 1011, and onClose is called`, async () => {
      const calls: string[] = [];
      await set('admitMessages', {
        onOpen: ({ path }) => {
          calls.push(`onOpen ${path}`);
          const dispose = () => calls.push(`dispose ${path}`);
          return welcome === 'sync' ? dispose : Promise.resolve(dispose);
        },
        onClose: ({ path }) => calls.push(`onClose ${path}`),
      });
      const victim = await open();
      victim.json('never delivered');
      const verdict = await assertClosed('admitMessages');
      assert.deepEqual(verdict.sent, { code: 1011, reason: '' });
      assert.equal(victim.closeFrame?.code, 1011);
      assert.deepEqual(
        calls.filter((call) => call.includes(VICTIMS)),
        ['onOpen', 'onClose', 'dispose'].map((call) => `${call} ${VICTIMS}`),
      );
      assert.ok(!stage.service.messages.includes('never delivered'));
    });
  }

  it('announceChange throws when the outbox fills: its sender gets no exception', async () => {
    await set('announceChange', { limits: { outboxHighBytes: 100_000, outboxLowBytes: 1_000 } });
    const victim = await open();
    victim.pause();
    const connection = await stage.victimHandle();
    await until(() => {
      while (connection.send('x'.repeat(65_536)) !== 'refused');
      return connection.state === 'closed';
    }, 'its outbox has filled');
    const verdict = await assertClosed('announceChange');
    assert.equal(verdict.sent, undefined);
    assert.equal(connection.send('late'), 'refused');
    victim.destroy();
  });

  it('announceError throws at a reset of the peer: closed', async () => {
    await set('announceError');
    const victim = await open();
    await stage.victimHandle();
    victim.reset();
    await assertClosed('announceError');
  });

  for (const order of ['announceClosing', 'sendClose'] as const) {
    it(`${order} throws at close(): 1011`, async () => {
      await set(order);
      const victim = await open();
      const connection = await stage.victimHandle();
      assert.equal(connection.close(4000), true);
      await assertClosed(order);
      assert.equal(connection.close(4000), false);
      await until(() => victim.closed, 'the victim is released');
    });
  }

  it('destroy throws at terminate(): closed', async () => {
    await set('destroy');
    const victim = await open();
    const connection = await stage.victimHandle();
    connection.terminate();
    await assertClosed('destroy');
    await until(() => victim.closed, 'the victim is released');
  });

  it('finish throws at the very end: closed once', async () => {
    await set('finish');
    const victim = await open();
    victim.sendClose(1000);
    await stage.victimVerdict();
    await assertOnlyItCrashed('finish');
  });

  it('a crash in the middle of a broadcast: all others get it', async () => {
    await set('announceChange', { limits: { outboxHighBytes: 1_000_000 } });
    const victim = await open();
    const later = await RawPeer.open(stage.service.port, { headers: { 'x-role': 'sibling' } });
    victim.pause();
    const connection = await stage.victimHandle();
    await until(() => stage.service.supervisor.counts.open === 3, 'all are open');
    await fillBacklog(connection, 500_000);
    const { delivered } = stage.service.supervisor.broadcast('y'.repeat(600_000));
    assert.equal(delivered, 3);
    await until(() => later.texts.length === 1, 'those behind the crash get it');
    await until(() => stage.sibling.texts.length === 1, 'those before the crash get it');
    assert.equal(later.closeFrame, undefined);
    later.destroy();
    await assertClosed('announceChange');
    victim.destroy();
  });
});
