import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ClientStreams } from '../../src/client/client-streams.ts';
import type { Ending } from '../../src/client/client-types.ts';
import { idle } from '../../src/client/supervised-client.ts';
import type { Failure } from '../../src/core/failure.ts';
import type { CloseVerdict } from '../../src/core/verdict.ts';

function bench() {
  const streams = new ClientStreams<unknown>(idle, null);
  const log: string[] = [];
  streams.endings.observable.subscribe(({ outcome }) => log.push(outcome));
  return { streams, log };
}

const closed: Ending = { outcome: 'closed', verdict: { code: 1006 } as CloseVerdict };
const failed: Ending = { outcome: 'failed', failure: {} as Failure };

describe('ClientStreams', () => {
  it('emit each ending once', () => {
    const { streams, log } = bench();
    streams.endings.next(closed);
    streams.endings.next(failed);
    assert.deepEqual(log, ['closed', 'failed']);
  });

  it('report what a subscriber throws, but not what a subscriber of that report throws', () => {
    const { streams, log } = bench();
    const thrown: string[] = [];
    const broken = () => {
      throw new Error('on purpose');
    };
    streams.events.observable.subscribe((event) => thrown.push(event.type));
    streams.events.observable.subscribe(broken);
    streams.endings.observable.subscribe(broken);
    streams.endings.next(closed);
    assert.deepEqual([thrown, log], [['handler.errored'], ['closed']]);
  });
});
