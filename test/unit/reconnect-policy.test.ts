import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Ending } from '../../src/client/client-types.ts';
import { ReconnectPolicy } from '../../src/client/reconnect/reconnect-policy.ts';
import type { Failure } from '../../src/core/failure.ts';
import type { CloseVerdict } from '../../src/core/verdict.ts';

const backoff = { minMs: 500, maxMs: 20_000, stableMs: 5_000 };

function bench(random: () => number = () => 1, max = 100) {
  const reported: string[] = [];
  const restarts = { max, withinMs: 1_000 };
  const options = { backoff, restarts, random, privateCodes: undefined };
  const report = (handler: string) => () => void reported.push(handler);
  const policy = new ReconnectPolicy(options, false, { report });
  return { policy, reported };
}

const closed = (verdict: Partial<CloseVerdict>): Ending => ({
  outcome: 'closed',
  verdict: { code: 1006, origin: 'network', retry: 'backoff', ...verdict } as CloseVerdict,
});

const failed = (failure: Partial<Failure>): Ending => ({
  outcome: 'failed',
  failure: { retry: 'backoff', ...failure } as Failure,
});

describe('ReconnectPolicy', () => {
  it('refuses another attempt after what none can mend, and remembers the ending', () => {
    for (const ending of [failed({ retry: 'never' }), closed({ retry: 'never', origin: 'peer' })]) {
      const { policy } = bench();
      assert.equal(policy.judge(ending, 0), 'ended.never');
      assert.equal(policy.ending, ending);
    }
  });

  it('allows another attempt after anything else, until there were too many', () => {
    const { policy } = bench(undefined, 3);
    const judge = (atMs: number) => policy.judge(closed({}), atMs);
    assert.deepEqual([0, 1, 2].map(judge), new Array(3).fill('ended.backoff'));
    assert.equal(judge(3), 'restarts.exceeded');
    assert.equal(judge(5_000), 'ended.backoff', 'what is long ago does not count');
  });

  it('waits longer with every failure, until it is reset', () => {
    const { policy } = bench();
    policy.judge(closed({}), 0);
    const delays = () => [1, 2, 3].map(() => policy.delayMs('backoff'));
    assert.deepEqual(delays(), [500, 1_000, 2_000]);
    policy.reset();
    assert.deepEqual(delays(), [500, 1_000, 2_000]);
  });

  it('waits as long as the peer asks, and an echo of our own code asks nothing', () => {
    const delayAfter = (ending: Ending) => {
      const { policy } = bench(() => 0);
      const fact = policy.judge(ending, 0);
      return [fact, policy.delayMs(fact === 'ended.deferred' ? 'deferred' : 'backoff')];
    };
    assert.deepEqual(delayAfter(failed({ retryAfterMs: 7_000 })), ['ended.deferred', 7_000]);
    assert.deepEqual(delayAfter(closed({ code: 1012, origin: 'peer' })), ['ended.deferred', 5_000]);
    assert.deepEqual(delayAfter(closed({ code: 1013, origin: 'peer' })), [
      'ended.deferred',
      10_000,
    ]);
    assert.deepEqual(delayAfter(closed({ code: 1012, origin: 'local' })), ['ended.backoff', 0]);
    assert.deepEqual(delayAfter(closed({})), ['ended.backoff', 0]);
  });

  it('knows the other delays', () => {
    const { policy } = bench();
    assert.equal(policy.delayMs('stable'), backoff.stableMs);
    assert.equal(policy.delayMs('offline'), backoff.maxMs);
    assert.equal(policy.delayMs('awake'), backoff.minMs);
    assert.equal(policy.judge(closed({ retry: 'now', origin: 'peer' }), 0), 'ended.now');
    assert.equal(policy.delayMs('now'), 0);
  });

  it('takes an even chance for one that cannot be told, and tells what was thrown', () => {
    const broken = () => {
      throw new Error('no chance');
    };
    const { policy, reported } = bench(broken);
    assert.deepEqual([policy.delayMs('backoff'), reported], [250, ['random']]);
    for (const nonsense of [Number.NaN, -1, 2]) {
      assert.equal(bench(() => nonsense).policy.chance(), 0.5);
    }
  });
});
