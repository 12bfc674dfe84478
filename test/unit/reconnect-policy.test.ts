import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Ending } from '../../src/client/client-types.ts';
import { ReconnectPolicy } from '../../src/client/reconnect/reconnect-policy.ts';
import type { RetryDecision } from '../../src/client/reconnect/retry.ts';
import type { Retry } from '../../src/core/close-code.ts';
import type { Failure } from '../../src/core/failure.ts';
import type { CloseVerdict } from '../../src/core/verdict.ts';

const backoff = { minMs: 500, maxMs: 20_000, slowMs: 30_000, stableMs: 5_000 };

interface Given {
  readonly retry?: RetryDecision;
  readonly isRenewed?: boolean;
}

function bench(
  random: () => number = () => 1,
  max = 100,
  { retry, isRenewed = false }: Given = {},
) {
  const reported: string[] = [];
  const restarts = { max, withinMs: 1_000 };
  const options = { backoff, restarts, random, privateCodes: undefined, retry };
  const report = (handler: string) => () => void reported.push(handler);
  const policy = new ReconnectPolicy(options, isRenewed, { report });
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
  it('refuses another attempt after a permanent fault, and remembers the ending', () => {
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
    assert.equal(judge(5_000), 'ended.backoff', 'older endings do not count');
  });

  it('counts no ending of a stable connection', () => {
    const { policy } = bench(undefined, 3);
    for (let index = 0; index < 100; index += 1) {
      policy.reset();
      assert.equal(policy.judge(closed({}), index), 'ended.backoff');
    }
    policy.opened();
    const judge = (atMs: number) => policy.judge(closed({}), atMs);
    assert.deepEqual([100, 101, 102].map(judge), new Array(3).fill('ended.backoff'));
    assert.equal(judge(103), 'restarts.exceeded');
    policy.restart();
    policy.opened();
    assert.equal(judge(104), 'ended.backoff', 'the application has dialed again');
  });

  const refusals: Readonly<Record<string, Ending>> = {
    'status 404': failed({ cause: 'rejected', httpStatus: 404 }),
    'status 403': failed({ cause: 'rejected', httpStatus: 403 }),
    'a bad certificate': failed({ cause: 'tls-error' }),
    'an invalid handshake': failed({ cause: 'handshake-invalid' }),
    'no subprotocol': failed({ cause: 'wrong-subprotocol' }),
    'a violation': closed({ cause: 'protocol-error', origin: 'local' }),
    ...Object.fromEntries(
      [1000, 1002, 1003, 1007, 1008, 1009, 1016].map((code) => [
        `code ${code}`,
        closed({ code, origin: 'peer' }),
      ]),
    ),
  };
  for (const [title, ending] of Object.entries(refusals))
    it(`slows down after the ninth failure in a row, until a connection is stable: ${title}`, () => {
      const { policy } = bench(undefined, 1_000);
      const judge = () => policy.judge(ending, 0);
      for (const round of ['first', 'second']) {
        const facts = Array.from({ length: 10 }, judge);
        const expected = [...new Array(8).fill('ended.backoff'), 'ended.slow', 'ended.slow'];
        assert.deepEqual(facts, expected, round);
        policy.reset();
      }
    });

  const troubles: Readonly<Record<string, Ending>> = {
    'nobody listens': failed({ cause: 'tcp-refused' }),
    'status 503': failed({ cause: 'rejected', httpStatus: 503 }),
    'status 429': failed({ cause: 'rejected', httpStatus: 429 }),
    'a reset': closed({ cause: 'tcp-reset' }),
    'code 1011': closed({ code: 1011, origin: 'peer' }),
    'code 4000': closed({ code: 4000, origin: 'peer' }),
  };
  for (const [title, ending] of Object.entries(troubles))
    it(`never slows down for temporary faults: ${title}`, () => {
      const { policy } = bench(undefined, 1_000);
      for (let index = 0; index < 50; index += 1)
        assert.equal(policy.judge(ending, 0), 'ended.backoff');
    });

  const denials: Readonly<Record<string, Ending>> = {
    'status 401': failed({ cause: 'rejected', httpStatus: 401, retry: 'slow' }),
    'status 403': failed({ cause: 'rejected', httpStatus: 403 }),
    ...Object.fromEntries(
      [1008, 3000, 3003, 4401, 4403].map((code) => [
        `code ${code}`,
        closed({ code, origin: 'peer', retry: [3000, 3003].includes(code) ? 'slow' : 'backoff' }),
      ]),
    ),
  };
  for (const [title, ending] of Object.entries(denials))
    it(`tries new credentials three times before it slows down: ${title}`, () => {
      const { policy } = bench(undefined, 1_000, { isRenewed: true });
      const facts = [1, 2, 3, 4].map(() => policy.judge(ending, 0));
      assert.deepEqual(facts, [...new Array(3).fill('ended.backoff'), 'ended.slow']);
    });

  it('slows down at once where it would send the same credentials again', () => {
    for (const title of ['status 401', 'code 3000', 'code 3003'])
      assert.equal(bench().policy.judge(denials[title] as Ending, 0), 'ended.slow');
  });

  it('passes every ending to the application, together with the suggested step', () => {
    const heard: unknown[] = [];
    const answers = ['now', 'slow', 'never', 'backoff'] as const;
    const retry: RetryDecision = (ending, suggested) => {
      heard.push([ending, suggested]);
      return answers[heard.length - 1] as Retry;
    };
    const { policy } = bench(undefined, 100, { retry });
    const ending = failed({ cause: 'tcp-refused' });
    const facts = answers.map(() => policy.judge(ending, 0));
    assert.deepEqual(
      facts,
      answers.map((answer) => `ended.${answer}`),
    );
    assert.deepEqual(heard, new Array(4).fill([ending, 'backoff']));
  });

  it('keeps the suggestion when the application throws or returns an invalid answer', () => {
    const fail = () => {
      throw new Error('no idea');
    };
    for (const retry of [fail, () => 'soon', async () => 'never', () => undefined] as never[]) {
      const { policy, reported } = bench(undefined, 100, { retry });
      assert.equal(policy.judge(failed({ cause: 'tcp-refused' }), 0), 'ended.backoff');
      assert.deepEqual(reported, ['retry']);
    }
  });

  it('waits for slowMs to twice as long when it is slow, and longer if the peer asks for it', () => {
    const delayAfter = (random: number, ending: Ending) => {
      const { policy } = bench(() => random);
      policy.judge(ending, 0);
      return policy.delayMs('slow');
    };
    assert.equal(delayAfter(0, closed({})), backoff.slowMs);
    assert.equal(delayAfter(1, closed({})), 2 * backoff.slowMs);
    assert.equal(delayAfter(0, failed({ retryAfterMs: 90_000 })), 90_000);
  });

  it('waits longer after every failure, until it is reset', () => {
    const { policy } = bench();
    policy.judge(closed({}), 0);
    const delays = () => [1, 2, 3].map(() => policy.delayMs('backoff'));
    assert.deepEqual(delays(), [500, 1_000, 2_000]);
    policy.reset();
    assert.deepEqual(delays(), [500, 1_000, 2_000]);
  });

  it('waits as long as the peer asks, and ignores an echo of our own code', () => {
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

  it('gives the delays of the other answers', () => {
    const { policy } = bench();
    assert.equal(policy.delayMs('stable'), backoff.stableMs);
    assert.equal(policy.delayMs('offline'), backoff.maxMs);
    assert.equal(policy.delayMs('awake'), backoff.minMs);
    assert.equal(policy.judge(closed({ retry: 'now', origin: 'peer' }), 0), 'ended.now');
    assert.equal(policy.delayMs('now'), 0);
  });

  it('uses an even chance when random fails, and reports what was thrown', () => {
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
