// Goal: the observations about Mooring on the comparison page are true, and stay so. Method: lead Mooring into
// each situation of the page, all at once. It must report exactly one ending, with the cause of the situation.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { observe } from '../comparison/observe.ts';
import { situations } from '../comparison/situations.ts';
import { mooring } from '../comparison/subjects/mooring.ts';

/** The expected report for each situation, and the result of `send` afterwards. */
const expected: Readonly<Record<string, readonly [ending: string, sent: string]>> = {
  Refused: ['failed: tcp-refused', 'queued'],
  Timeout: ['failed: handshake-timeout', 'queued'],
  'Answered with 503': ['failed: rejected 503', 'queued'],
  'Reset after open': ['closed: tcp-reset 1006', 'queued'],
  'Closed without a frame': ['closed: tcp-fin 1006', 'queued'],
  'Peer silent': ['closed: heartbeat-timeout 1006', 'queued'],
  'Close while connecting': ['failed: aborted', 'refused'],
  'Send after close': ['closed: close 1000', 'refused'],
};

describe('the comparison, for Mooring', { concurrency: true }, () => {
  for (const situation of situations) {
    it(`reports one ending: ${situation.name}`, async () => {
      const { trace, reports, hasUncaught, sent } = await observe(mooring, situation);
      const endings = trace.filter((event) => event.startsWith('endings$ '));
      const [ending, answer] = expected[situation.name] ?? [];
      assert.deepEqual(endings, [`endings$ ${ending}`]);
      assert.deepEqual([reports, hasUncaught, sent], [1, false, answer]);
    });
  }
});
