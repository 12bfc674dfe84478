import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { idle } from '../../src/client/client-status.ts';
import { ClientStreams } from '../../src/client/client-streams.ts';
import type { Ending } from '../../src/client/client-types.ts';
import type { Failure } from '../../src/core/failure.ts';
import type { CloseVerdict } from '../../src/core/verdict.ts';

function bench() {
  const streams = new ClientStreams<unknown>(idle, null);
  const log: string[] = [];
  streams.endings.observable.subscribe(({ outcome }) => log.push(outcome));
  streams.verdicts.observable.subscribe(({ code }) => log.push(`verdict ${code}`));
  return { streams, log };
}

const closed: Ending = { outcome: 'closed', verdict: { code: 1006 } as CloseVerdict };
const failed: Ending = { outcome: 'failed', failure: {} as Failure };

describe('ClientStreams', () => {
  it('tell each ending once, and the verdict of a connection that was open with it', () => {
    const { streams, log } = bench();
    streams.ended(closed);
    streams.ended(failed);
    assert.deepEqual(log, ['closed', 'verdict 1006', 'failed']);
  });

  it('tell what a subscriber throws, and whoever throws at that is told nothing more', () => {
    const { streams, log } = bench();
    const thrown: string[] = [];
    const broken = () => {
      throw new Error('on purpose');
    };
    streams.events.observable.subscribe((event) => thrown.push(event.type));
    streams.events.observable.subscribe(broken);
    streams.verdicts.observable.subscribe(broken);
    streams.ended(closed);
    assert.deepEqual([thrown, log], [['handler.errored'], ['closed', 'verdict 1006']]);
  });
});
