import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { PoolReconnectPolicy } from '../../src/client/pool/pool-reconnect-policy.ts';
import { Upstream, Upstreams } from '../../src/client/pool/upstreams.ts';
import { nodeRoute } from '../../src/client/reconnect/node-route.ts';
import type { RetryDecision } from '../../src/client/reconnect/retry.ts';
import type { Clock } from '../../src/core/clock.ts';
import * as defaults from '../../src/core/defaults.ts';
import { describeDialFailure } from '../../src/core/failure.ts';
import { classifyClose, type Evidence } from '../../src/core/verdict.ts';

const options = {
  backoff: defaults.backoff,
  restarts: defaults.restarts,
  random: () => 1,
  privateCodes: undefined,
  retry: undefined,
};

const nothing = {
  phase: 'tcp',
  isAborted: false,
  isLate: false,
  isTargetError: false,
  address: '',
  path: '',
} as const;

const failed = (evidence: Partial<Parameters<typeof describeDialFailure>[0]> = {}) =>
  ({
    outcome: 'failed',
    failure: { ...describeDialFailure({ ...nothing, ...evidence }), trail: [] },
  }) as const;

const closed = (evidence: Evidence) =>
  ({
    outcome: 'closed',
    verdict: { ...classifyClose(evidence), openMs: 1, bytesIn: 0, bytesOut: 0, trail: [] },
  }) as const;

/** An upstream whose circuit opens for 100 ms with the first failure. Each attempt may bring other credentials. */
function upstream(url: string, failuresMax = 1): Upstream {
  const headers = () => ({});
  const route = nodeRoute({ url, subprotocols: [], mooring: false, headers, connect: {} });
  return new Upstream(url, route, { failuresMax, minMs: 100, maxMs: 100 });
}

/** Members of a pool, by default with one upstream. */
function bench(retry?: RetryDecision, all = [upstream('ws://a.test/')]) {
  let nowMs = 0;
  const upstreams = new Upstreams(all);
  const clock = { now: () => nowMs } as Clock;
  const member = () => {
    const policy = new PoolReconnectPolicy({ ...options, clock, retry }, upstreams, {
      report: () => () => {},
    });
    return {
      policy,
      dial: () => void policy.target(),
      end: (ending: Parameters<typeof policy.judge>[0]) => policy.judge(ending, nowMs),
    };
  };
  return {
    member,
    circuit: () => upstreams.all[0]?.circuit.state(nowMs),
    members: () => upstreams.all[0]?.members,
    wait: (ms: number) => {
      nowMs += ms;
    },
  };
}

describe('PoolReconnectPolicy', () => {
  it('leaves the probe to one attempt, whatever happens to other connections', () => {
    const { member, circuit, wait } = bench();
    const [old, probe, other] = [member(), member(), member()];
    old.dial();
    old.policy.opened();
    old.policy.reset();
    probe.dial();
    probe.end(failed());
    assert.equal(circuit(), 'open');
    wait(100);
    assert.deepEqual([circuit(), other.policy.holdMs], ['half-open', 0]);
    probe.dial();
    old.end(closed({ intent: 'close' }));
    assert.ok(other.policy.holdMs > 0, 'it still waits for the answer');
    probe.end(failed());
    assert.equal(circuit(), 'open');
  });

  it('never treats the failure of another attempt as that of the probe', () => {
    const { member, circuit, wait } = bench();
    const [slow, probe] = [member(), member()];
    slow.dial();
    probe.dial();
    probe.end(failed());
    wait(100);
    probe.dial();
    slow.end(failed());
    assert.equal(circuit(), 'half-open');
    probe.policy.opened();
    assert.equal(circuit(), 'closed');
  });

  it('lets another attempt probe when the first was given up', () => {
    const { member, circuit, wait } = bench();
    const [probe, other] = [member(), member()];
    probe.dial();
    probe.end(failed());
    wait(100);
    probe.dial();
    probe.policy.note(failed({ isAborted: true }));
    assert.deepEqual([circuit(), other.policy.holdMs], ['half-open', 0]);
  });

  it('never counts the denials of one upstream against another', () => {
    const [a, b] = [upstream('ws://a.test/', 10), upstream('ws://b.test/', 10)];
    const { member } = bench(undefined, [a, b]);
    const other = member();
    other.dial();
    assert.equal(a.members, 1);
    const one = member();
    const denied = failed({ phase: 'http', answer: { status: 401 } as never });
    for (const state of ['closed', 'closed', 'closed', 'open']) {
      one.dial();
      assert.equal(b.members, 1);
      one.end(denied);
      assert.equal(b.circuit.state(0), state);
    }
    one.dial();
    assert.equal(a.members, 2);
    one.policy.opened();
    one.end(closed({ received: { code: 3000, reason: '' } }));
    assert.equal(a.circuit.state(0), 'closed');
  });

  const theirs = {
    'did not answer': failed({ isLate: true }),
    'sent too many invalid messages': closed({ intent: 'invalid-message' }),
    'flooded us with messages': closed({ intent: 'message-rate' }),
    'sent no message for too long': closed({ intent: 'silent' }),
    'flooded us with pings': closed({ intent: 'ping-flood' }),
    'sent a message in too many pieces': closed({
      protocolError: new Error('too many'),
      refused: 'message-limit',
    }),
    'did not complete a message': closed({
      protocolError: new Error('too late'),
      refused: 'message-timeout',
    }),
  };
  for (const [what, ending] of Object.entries(theirs)) {
    it(`counts against a peer that it ${what}`, () => {
      const { member, circuit } = bench();
      const one = member();
      one.dial();
      if (ending.outcome === 'closed') one.policy.opened();
      one.end(ending);
      assert.equal(circuit(), 'open');
    });
  }

  const ours = {
    'was closed by the application': closed({ intent: 'close' }),
    'was closed because of code of the application': closed({ intent: 'handler-error' }),
    'had no target': failed({ isTargetError: true }),
    'got its target too late': failed({ isLate: true, phase: 'config' }),
  };
  for (const [what, ending] of Object.entries(ours)) {
    it(`never counts against a peer that an attempt ${what}`, () => {
      const { member, circuit } = bench();
      const one = member();
      one.dial();
      if (ending.outcome === 'closed') one.policy.opened();
      one.end(ending);
      assert.equal(circuit(), 'closed');
    });
  }

  for (const answer of ['never', 'slow'] as const) {
    it(`opens the circuit when retry returns ${answer}, also for endings by this side`, () => {
      for (const ending of Object.values(ours)) {
        const { member, circuit } = bench(() => answer);
        const one = member();
        one.dial();
        assert.equal(one.end(ending), 'ended.backoff');
        assert.equal(circuit(), 'open');
      }
    });
  }

  it('never asks about an attempt that the pool gave up, and releases its upstream', () => {
    const { member, circuit, members } = bench(() => assert.fail('asked'));
    const one = member();
    one.dial();
    assert.equal(members(), 1);
    one.policy.note(closed({ intent: 'close' }));
    assert.deepEqual([circuit(), members()], ['closed', 0]);
  });
});
