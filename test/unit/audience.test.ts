// Goal: an unknown option is an error at the call that got it. It never turns into a publication to everybody.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createClient } from '../../src/client/index.ts';
import { createSupervisor, type MooringError } from '../../src/index.ts';
import { InboundHandle } from '../../src/server/inbound-handle.ts';

const handle = Object.create(InboundHandle.prototype);
const mustBeConnections =
  'options.except: must be a connection or its id, or several in a list or set';

const wrong: [unknown, string][] = [
  [{ exept: handle }, 'options.exept: unknown option; did you mean except?'],
  [{ filter: () => true }, 'options.filter: unknown option; known: where, except, local'],
  [{ where: 'admin' }, 'options.where: must be a function, not a string'],
  [{ except: 1 }, `${mustBeConnections}, not 1`],
  [{ except: ['c1', 1] }, `${mustBeConnections}, not 1`],
  [{ except: null }, `${mustBeConnections}, not null`],
  [{ local: 'yes' }, 'options.local: must be a boolean, not a string'],
  [null, 'options: must be an object, not null'],
  [() => true, 'options: must be an object, not a function'],
  [handle, 'options: must be an object, not a connection'],
];

function problemOf(call: () => unknown): string {
  try {
    call();
  } catch (thrown) {
    assert.equal((thrown as MooringError).code, 'invalid-options');
    return (thrown as Error).message;
  }
  return 'no error';
}

describe('the options of a publication', () => {
  const supervisor = createSupervisor();
  const calls = {
    broadcast: (options: unknown) => supervisor.broadcast('hi', options as object),
    publish: (options: unknown) => supervisor.topic('lobby').publish('hi', options as object),
  };

  for (const [name, call] of Object.entries(calls)) {
    for (const [options, problem] of wrong) {
      it(`${name}: ${problem}`, () =>
        assert.equal(
          problemOf(() => call(options)),
          problem,
        ));
    }

    it(`${name}: accepts its known options, or none`, () => {
      const known = [
        undefined,
        {},
        { where: undefined, except: undefined },
        { where: () => true },
        { except: handle },
        { except: [handle] },
        { except: new Set([handle]) },
        { except: 'c1' },
        { except: ['c1', handle, 'of nobody'] },
        { local: true },
        { local: undefined, where: () => true },
        Object.assign(Object.create(null), { except: [] }),
      ];
      for (const options of known)
        assert.equal(
          problemOf(() => call(options)),
          'no error',
        );
    });
  }
});

describe('the options of a client message', () => {
  const client = createClient('ws://127.0.0.1:1/', { signal: AbortSignal.abort() });

  const misspelt: [unknown, string][] = [
    [{ que: false }, 'options.que: unknown option; did you mean queue?'],
    [{ ttl: 5 }, 'options.ttl: unknown option; did you mean ttlMs?'],
    [{ queue: 'no' }, 'options.queue: must be a boolean, not a string'],
    [{ ttlMs: Number.NaN }, 'options.ttlMs: must be a number of milliseconds >= 0, not NaN'],
    [{ ttlMs: -1 }, 'options.ttlMs: must be a number of milliseconds >= 0, not -1'],
    [{ ttlMs: 'soon' }, 'options.ttlMs: must be a number of milliseconds >= 0, not a string'],
    [null, 'options: must be an object, not null'],
  ];
  for (const [options, problem] of misspelt) {
    it(problem, () => {
      assert.equal(
        problemOf(() => client.send('hi', options as object)),
        problem,
      );
    });
  }

  it('may be left out', () => {
    assert.equal(client.send('hi'), 'refused');
    for (const ttlMs of [0, 0.5, Number.POSITIVE_INFINITY])
      assert.equal(client.send('hi', { queue: true, ttlMs }), 'refused');
  });
});
