import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  type CloseCause,
  classifyPageClose,
  type Evidence,
  type Origin,
} from '../../src/core/verdict.ts';

const bye = { code: 1000, reason: 'bye' };
const tooLong: Evidence = { protocolError: new Error('too long'), refused: 'message-limit' };

describe('the verdict of a page', () => {
  const table: readonly [string, Evidence, CloseCause, Origin][] = [
    ['an end without a close frame', {}, 'connection-lost', 'network'],
    ['a close frame of the peer', { received: bye, clean: true }, 'peer-close', 'peer'],
    ['a silent peer that does not answer', { intent: 'silent', forced: true }, 'silent', 'local'],
    [
      'a reader that is behind',
      { intent: 'reader-too-slow', received: bye },
      'reader-too-slow',
      'local',
    ],
    ['a message that is too long', tooLong, 'message-limit', 'local'],
    ['the answer to its end', { ...tooLong, received: bye, clean: true }, 'message-limit', 'local'],
  ];
  for (const [title, evidence, cause, origin] of table) {
    it(`names ${title}: ${cause}`, () => {
      const verdict = classifyPageClose(evidence);
      assert.deepEqual([verdict.cause, verdict.origin, verdict.retry], [cause, origin, 'backoff']);
    });
  }
});
