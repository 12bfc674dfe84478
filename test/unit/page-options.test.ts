import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createClient } from '../../src/client/browser.ts';
import { createClient as createInspectClient } from '../../src/client/inspect.ts';
import { resolvePageOptions } from '../../src/client/page-options.ts';

const message = { message: 'ping' };
const expects = () => true;

describe('the options of a page', () => {
  const refused: readonly [object, string][] = [
    [{ timeouts: { messageMs: 1 } }, 'timeouts.messageMs: has no effect in a page'],
    [{ limits: { fragmentsMax: 1 } }, 'limits.fragmentsMax: has no effect in a page'],
    [{ limits: { bufferedChunksMax: 1 } }, 'limits.bufferedChunksMax: has no effect in a page'],
    [{ limits: { topicsMax: 1 } }, 'limits.topicsMax: has no effect in a page'],
    [
      { heartbeat: { intervalMs: 9 } },
      'heartbeat.intervalMs: has no effect in a page without mooring or message',
    ],
    [
      { heartbeat: { graceMs: 9 } },
      'heartbeat.graceMs: has no effect in a page without mooring, or message and expects',
    ],
    [
      { heartbeat: { ...message, graceMs: 9 } },
      'heartbeat.graceMs: has no effect in a page without mooring, or message and expects',
    ],
    [
      { heartbeat: { expects, graceMs: 9 } },
      'heartbeat.graceMs: has no effect in a page without mooring, or message and expects',
    ],
    ...['headers', 'supervisor', 'actors', 'connect'].map((name): [object, string] => [
      { [name]: {} },
      `${name}: exists in Node.js only`,
    ]),
  ];
  for (const [options, problem] of refused) {
    it(`are refused where they have no effect: ${problem}`, () => {
      for (const create of [createClient, createInspectClient]) {
        assert.throws(() => create('ws://127.0.0.1:1/', options), {
          code: 'invalid-options',
          message: `options.${problem}`,
        });
      }
    });
  }

  it('are all reported at once', () => {
    const options = { limits: { fragmentsMax: 1 }, timeouts: { messageMs: 1 } };
    assert.throws(() => createClient('ws://127.0.0.1:1/', options as object), {
      message: /messageMs.*fragmentsMax/,
    });
  });

  const taken: readonly object[] = [
    {},
    { timeouts: { messageMs: undefined, welcomeMs: 1, pausedMs: 1, stalledMs: 1 } },
    { limits: { payloadBytesMax: 5, inFlightMax: 1, outboxHighBytes: 2 ** 30, valuesMax: 1 } },
    { mooring: true, heartbeat: { intervalMs: 9, graceMs: 9 } },
    { heartbeat: { ...message, intervalMs: 9 } },
    { heartbeat: { ...message, expects, graceMs: 9, everyMs: 9, always: true } },
    { headers: undefined, silentMs: 9, signs: () => {} },
  ];
  for (const options of taken) {
    it(`are accepted where they have an effect: ${JSON.stringify(options)}`, () => {
      assert.doesNotThrow(() => resolvePageOptions(options));
    });
  }
});
