// Goal: a pool is right about its members even when something else happens at the same moment. Method: virtual time,
// and sockets that do what each moment needs.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { HostSigns } from '../../src/client/host-signs.ts';
import type { PoolOptions } from '../../src/client/pool/pool-options.ts';
import { type SocketCore, SocketEvents } from '../../src/connection/socket-events.ts';
import { DialedSocket } from '../simulation/dialed/dialed-socket.ts';
import { chooseFate, type Fate } from '../simulation/dialed/fate.ts';
import { Ledger } from '../simulation/dialed/line.ts';
import { SeededRandom } from '../simulation/seeded-random.ts';
import { SimulatedClock } from '../simulation/simulated-clock.ts';
import { virtualPool } from '../support/virtual-pool.ts';

const steady: Partial<Fate> = {
  ...{ attempt: 'opens', afterMs: 5, end: 'never', speaksEveryMs: 0 },
  ...{ answers: true, isStill: false, closesAfterMs: 0, lingersMs: 0 },
};

/** A pool of one upstream. All of its sockets have the same fate. */
function poolOver(fate: Partial<Fate>, options: PoolOptions) {
  const clock = new SimulatedClock();
  const random = new SeededRandom(1);
  const parts = { clock, random, ledger: new Ledger() };
  const hosts = new Set<HostSigns>();
  const dialedAtMs: number[] = [];
  const platform = () => ({
    warnings: null,
    makeTransport: (connection: object) =>
      new DialedSocket(parts, new SocketEvents(connection as SocketCore), {
        ...{ ...chooseFate(random), ...steady, ...fate },
      }),
    holdProcess: () => () => {},
    whenAborted: () => () => {},
    watchHost: (host: HostSigns) => {
      hosts.add(host);
      return () => void hosts.delete(host);
    },
  });
  const given = { random: () => 1, ...options, clock };
  const { handle } = virtualPool(['ws://a.test/'], given, {
    ...{ platform, made: () => {} },
    chosen: () => dialedAtMs.push(clock.now()),
  });
  return { pool: handle, clock, hosts, dialedAtMs };
}

describe('pool', () => {
  it('leaves an upstream with an open circuit alone even when the network returns', () => {
    const { clock, hosts, dialedAtMs } = poolOver(
      { attempt: 'refused' },
      { size: 3, circuit: { failuresMax: 3, minMs: 10_000, maxMs: 10_000 } },
    );
    clock.advance(300);
    assert.deepEqual(dialedAtMs, [0, 0, 0]);
    for (const host of hosts) host.offline();
    for (const host of hosts) host.online();
    clock.advance(9_500);
    assert.deepEqual(dialedAtMs, [0, 0, 0], 'its circuit is open');
    clock.advance(300);
    assert.equal(dialedAtMs.length, 4, 'one member probes');
  });

  it('never reports that it is operational when a connection has just been lost', () => {
    const { pool, clock } = poolOver({}, { size: 2 });
    const said: string[] = [];
    pool.status$.subscribe(({ state, open, size }) => {
      said.push(`${state} ${open} of ${size}`);
      if (state === 'operational' && clock.now() < 50) pool.checkout()?.terminate();
    });
    clock.advance(5_000);
    assert.deepEqual(
      said.filter((status, at) => status !== said[at - 1]),
      [
        'starting 0 of 2',
        'starting 1 of 2',
        'operational 2 of 2',
        'degraded 1 of 2',
        'operational 2 of 2',
      ],
    );
  });

  it('never hands out a connection to a listener of the error of its handler', () => {
    const onMessage = () => {
      throw new Error('the application threw');
    };
    const { pool, clock } = poolOver({ speaksEveryMs: 10 }, { size: 1, onMessage });
    const found: unknown[] = [];
    pool.events$.subscribe(() => found.push(pool.checkout()));
    clock.advance(100);
    assert.deepEqual(found, [undefined]);
  });

  it('ends a drain only when every member has reported its end', async () => {
    // The socket closes shortly before its deadline without an event from ws. The pool then waits for that
    // time again.
    const { pool, clock } = poolOver(
      { answers: false, closesAfterMs: 86, lingersMs: 60_000 },
      { size: 1, timeouts: { forcedMs: 81 } },
    );
    const endings: string[] = [];
    pool.endings$.subscribe(({ outcome }) => endings.push(outcome));
    clock.advance(100);
    const drained = pool.drain({ withinMs: 100 });
    clock.advance(1_000);
    const { closed, forced } = await drained;
    assert.deepEqual({ closed, forced, endings }, { closed: 0, forced: 1, endings: ['closed'] });
  });
});
