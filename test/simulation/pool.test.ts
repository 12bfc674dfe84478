import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { poolMachine } from '../../machines/pool.ts';
import { CircuitBreaker } from '../../src/client/pool/circuit-breaker.ts';
import { PoolReconnectPolicy } from '../../src/client/pool/pool-reconnect-policy.ts';
import { SupervisedPool } from '../../src/client/pool/supervised-pool.ts';
import { Upstream, Upstreams } from '../../src/client/pool/upstreams.ts';
import { ManagedConnection } from '../../src/connection/managed-connection.ts';
import { instead, insteadOfGetter, type PlantedFault } from './planted.ts';
import { simulatePool } from './pool/pool-simulation.ts';
import { arrowsOf, describeFaults, firstBroken } from './seeds.ts';

// Goal: a pool has what it reports, hands out nothing else, leaves upstreams alone when it should, and ends completely.
// Method: production code on virtual time, over sockets that break anywhere. The facts are recorded before the pool
// learns of them.

const SEEDS = 300;

describe('a simulated pool', () => {
  const taken = new Set<string>();

  it(`breaks no rule, ${SEEDS} times`, async (t) => {
    const sums = { attempts: 0, accepted: 0 };
    const broken = await firstBroken(simulatePool, SEEDS, (result) => {
      sums.attempts += result.attempts;
      sums.accepted += result.accepted;
      for (const { from, fact } of result.arrows) taken.add(`${from} ${fact}`);
    });
    t.diagnostic(JSON.stringify(sums));
    assert.deepEqual(broken && { seed: broken.seed, ...broken.violation }, undefined);
  });

  it('takes every transition of its chart', () => {
    assert.deepEqual(
      arrowsOf(poolMachine).filter((arrow) => !taken.has(arrow)),
      [],
    );
  });

  it('gives the same result for the same seed', async () => {
    for (let seed = 1; seed <= 5; seed += 1) {
      assert.deepEqual(await simulatePool(seed), await simulatePool(seed));
    }
  });
});

const nothing = () => {};

const faults: readonly PlantedFault[] = [
  {
    mistake: 'a connection that died is kept',
    plant: instead(SupervisedPool.prototype, 'connectionQuarantined', nothing),
    breaks: ['has-what-is-up', 'status-agrees'],
  },
  {
    mistake: 'a connection that opened is forgotten',
    plant: instead(SupervisedPool.prototype, 'connectionWelcomed', nothing),
    breaks: ['has-what-is-up'],
  },
  {
    mistake: 'the chart gets no report of a loss',
    plant: instead(SupervisedPool.prototype, 'connectionReported', nothing),
    breaks: ['state-is-true', 'status-agrees'],
  },
  {
    mistake: 'a change of a member is not emitted',
    plant: instead(SupervisedPool.prototype, 'childMoved', nothing),
    breaks: ['every-change-is-emitted'],
  },
  {
    mistake: 'the same connection is handed out each time',
    plant: instead(
      SupervisedPool.prototype,
      'checkout',
      function (this: SupervisedPool<unknown, unknown>) {
        return [...this.connections][0];
      },
    ),
    breaks: ['hands-out-the-best'],
  },
  {
    mistake: 'a drain destroys nothing',
    plant: instead(SupervisedPool.prototype, 'expireAll', nothing),
    breaks: ['drain-ends-in-time'],
  },
  {
    mistake: 'a drain waits for members that have ended',
    plant: instead(SupervisedPool.prototype, 'release', nothing),
    breaks: ['state-is-true', 'drain-ends-in-time'],
  },
  {
    mistake: 'a pool that has ended holds its deadline',
    plant: instead(SupervisedPool.prototype, 'finish', nothing),
    breaks: ['nothing-is-left', 'state-is-true'],
  },
  {
    mistake: 'a pool ends before its last member has',
    plant: instead(ManagedConnection.prototype, 'abandon', nothing),
    breaks: ['state-is-true'],
  },
  {
    mistake: 'a member gives up',
    plant: instead(PoolReconnectPolicy.prototype, 'judge', (original, ...args) => {
      original(...args);
      return 'ended.never';
    }),
    breaks: ['is-replaced', 'state-is-true'],
  },
  {
    mistake: 'members dial although no upstream may be dialed',
    plant: insteadOfGetter(PoolReconnectPolicy.prototype, 'holdMs', () => 0),
    breaks: ['open-circuit-is-left-alone'],
  },
  {
    mistake: 'all members probe at once',
    plant: instead(CircuitBreaker.prototype, 'dialed', nothing),
    breaks: ['open-circuit-is-left-alone', 'circuit-is-true'],
  },
  {
    mistake: 'an attempt that was called back probes forever',
    plant: instead(CircuitBreaker.prototype, 'abandoned', nothing),
    breaks: ['is-replaced', 'goes-where-the-fewest-are'],
  },
  {
    mistake: 'old failures count',
    plant: instead(CircuitBreaker.prototype, 'stable', nothing),
    breaks: ['circuit-is-true'],
  },
  {
    mistake: 'an upstream that refuses is dialed again',
    plant: instead(CircuitBreaker.prototype, 'trip', nothing),
    breaks: ['circuit-is-true', 'open-circuit-is-left-alone'],
  },
  {
    mistake: 'all members go to one upstream',
    plant: instead(Upstreams.prototype, 'choose', function (this: Upstreams) {
      return this.all[0];
    }),
    breaks: ['goes-where-the-fewest-are', 'open-circuit-is-left-alone'],
  },
  {
    mistake: 'an upstream keeps members that have left',
    plant: instead(Upstream.prototype, 'leave', nothing),
    breaks: ['members-are-counted'],
  },
];

describeFaults('the simulation of pools detects that', faults, () =>
  firstBroken(simulatePool, SEEDS),
);
