import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { describe, it } from 'node:test';
import { z } from 'zod';
import { drainPlan, supervisorDrain } from '../../src/connection/drain.ts';
import { systemClock } from '../../src/core/clock.ts';
import * as defaults from '../../src/core/defaults.ts';
import { attach, createSupervisor, type Limits, type SupervisorOptions } from '../../src/index.ts';
import { resolveOptions } from '../../src/server/options.ts';
import { resolveClientOptions } from '../support/client-options.ts';
import { schemaLibraries } from '../support/schema-libraries.ts';

/** Every limit, with its default. `docs` has the same values. */
const numbers = {
  timeouts: {
    handshakeMs: 10_000,
    welcomeMs: 10_000,
    closeMs: 5_000,
    erroredMs: 2_000,
    forcedMs: 2_000,
    stalledMs: 15_000,
    pausedMs: 60_000,
    messageMs: 60_000,
    requestMs: 10_000,
    appendMs: 10_000,
  },
  heartbeat: { intervalMs: 25_000, graceMs: 10_000 },
  limits: {
    payloadBytesMax: 1_048_576,
    fragmentsMax: 1_024,
    bufferedChunksMax: 2_048,
    depthMax: 64,
    valuesMax: 8_000,
    messagesPerSecondMax: 1_000,
    messageBurstMax: 2_000,
    invalidPerMinuteMax: 60,
    inFlightMax: 1_024,
    inFlightBytesMax: 4_194_304,
    outboxHighBytes: 1_048_576,
    outboxLowBytes: 262_144,
    topicsMax: 10_000,
    requestsMax: 1_000,
  },
  admission: {
    connectionsMax: 50_000,
    connectionsPerAddressMax: 20_000,
    acceptsPerSecondMax: 5_000,
    unfinishedBytesMax: 67_108_864,
  },
};

const handlers = [
  'authenticate',
  'key',
  'onOpen',
  'onMessage',
  'onRequest',
  'onClosing',
  'onClose',
  'onFailed',
  'onHandlerError',
  'random',
];

function resolve(options: object) {
  return resolveOptions(options as SupervisorOptions);
}

/** Asserts that the options are refused, and that the message names the place of the fault. */
function refuses(options: object, ...mentions: string[]): void {
  assert.throws(
    () => createSupervisor(options as SupervisorOptions),
    (thrown: Error) => {
      assert.deepEqual(
        [thrown.name, (thrown as { code?: string }).code],
        ['MooringError', 'invalid-options'],
      );
      for (const mention of mentions) {
        assert.ok(thrown.message.includes(mention), `${thrown.message} names ${mention}`);
      }
      return true;
    },
  );
}

describe('the defaults', () => {
  const resolved = resolve({});

  it('are finite for every limit, and match the documentation', () => {
    assert.deepEqual(resolved.timeouts, numbers.timeouts);
    assert.deepEqual(resolved.heartbeat, numbers.heartbeat);
    assert.deepEqual(resolved.limits, numbers.limits);
    assert.deepEqual(resolved.admission, {
      ...{ ...numbers.admission, origins: 'same', ipv6PrefixBits: 64, refusals: 'http' },
      ...{ hosts: undefined, addressOf: undefined },
    });
    assert.deepEqual({ ...defaults.timeouts, ...defaults.supervisorTimeouts }, numbers.timeouts);
    assert.deepEqual(defaults.heartbeat, numbers.heartbeat);
    assert.deepEqual(defaults.limits, numbers.limits);
  });

  it('are JSON, a reply to invalid messages, no subprotocol, and the time of the process', () => {
    assert.equal(resolved.codec.name, 'json');
    assert.equal(resolved.invalidMessages, 'reply');
    assert.deepEqual(resolved.subprotocols, []);
    assert.equal(resolved.clock, systemClock);
    assert.equal(resolved.random, Math.random);
  });

  it('limit the depth of JSON to the given limit', () => {
    const { codec } = resolve({ limits: { depthMax: 2 } });
    assert.doesNotThrow(() => codec.decode(Buffer.from('[[]]'), false));
    assert.throws(() => codec.decode(Buffer.from('[[[]]]'), false));
  });

  it('limit the values of JSON to the given limit', () => {
    const { codec } = resolve({ limits: { valuesMax: 3 } });
    assert.deepEqual(codec.decode(Buffer.from('[1,2]'), false), [1, 2]);
    assert.throws(() => codec.decode(Buffer.from('[1,2,3]'), false), /more than 3 values/);
  });

  it('fill in omitted members of a group', () => {
    const { timeouts, limits } = resolve({ timeouts: { closeMs: 1 }, limits: { topicsMax: 1 } });
    assert.deepEqual(timeouts, { ...numbers.timeouts, closeMs: 1 });
    assert.deepEqual(limits, { ...numbers.limits, topicsMax: 1 });
  });

  it('derive the number of pieces from the length of a message, unless it is set', () => {
    const partsOf = (limits: { [Name in keyof Limits]?: number | undefined }) => {
      const { fragmentsMax, bufferedChunksMax } = resolve({ limits }).limits;
      const client = resolveClientOptions({ limits: limits as Limits }, systemClock).limits;
      assert.deepEqual(
        [client.fragmentsMax, client.bufferedChunksMax],
        [fragmentsMax, bufferedChunksMax],
      );
      return [fragmentsMax, bufferedChunksMax];
    };
    assert.deepEqual(partsOf({ payloadBytesMax: 16_777_216 }), [16_384, 32_768]);
    assert.deepEqual(partsOf({ payloadBytesMax: 1_048_577 }), [1_025, 2_049]);
    assert.deepEqual(partsOf({ payloadBytesMax: 1 }), [64, 2_048]);
    assert.deepEqual(partsOf({ payloadBytesMax: 16_777_216, fragmentsMax: 5 }), [5, 32_768]);
    assert.deepEqual(partsOf({ payloadBytesMax: 16_777_216, bufferedChunksMax: 6 }), [16_384, 6]);
    assert.deepEqual(partsOf({ fragmentsMax: undefined, payloadBytesMax: 1 }), [64, 2_048]);
  });

  it('leave room for the positions of clients in durable topics', () => {
    const durable = () => true;
    refuses({ durable, limits: { payloadBytesMax: 1_023 } }, 'limits.payloadBytesMax', '1024');
    resolve({ durable, limits: { payloadBytesMax: 1_024 } });
    resolve({ limits: { payloadBytesMax: 1_023 } });
  });

  it('let one message fit into the total for unfinished messages, unless that is set', () => {
    const roomOf = (admission: object, payloadBytesMax: number) =>
      resolve({ admission, limits: { payloadBytesMax } }).admission?.unfinishedBytesMax;
    assert.equal(roomOf({}, 100_000_000), 100_000_000);
    assert.equal(roomOf({ unfinishedBytesMax: undefined }, 1_000), 67_108_864);
    assert.equal(roomOf({ unfinishedBytesMax: 5 }, 100_000_000), 5);
  });

  it('fill in undefined values', () => {
    const names = ['clock', 'random', 'invalidMessages', 'subprotocols', 'limits'] as const;
    for (const name of names) {
      assert.deepEqual(resolve({ [name]: undefined })[name], resolved[name], name);
    }
    assert.equal(resolve({ codec: undefined }).codec?.name, 'json');
    assert.deepEqual(resolve({ timeouts: { closeMs: undefined } }).timeouts, numbers.timeouts);
  });

  it('are frozen', () => {
    const { timeouts, heartbeat, limits } = resolved;
    const client = resolveClientOptions({}, systemClock);
    for (const frozen of [resolved, timeouts, heartbeat, limits, client.limits, client.backoff]) {
      assert.ok(Object.isFrozen(frozen));
    }
  });
});

describe('an option that is wrong', () => {
  const wrongNumbers = [
    0,
    -1,
    1.5,
    Number.NaN,
    Infinity,
    -Infinity,
    2 ** 31,
    '5',
    null,
    {},
    true,
    1n,
  ];

  for (const [group, members] of Object.entries(numbers)) {
    for (const member of Object.keys(members)) {
      it(`${group}.${member}: must be a whole number from 1 to 2³¹−1`, () => {
        for (const value of wrongNumbers) {
          refuses({ [group]: { [member]: value } }, `options.${group}.${member}: `);
        }
        const lowest = group === 'limits' ? { outboxHighBytes: 1, outboxLowBytes: 1 } : {};
        assert.doesNotThrow(() => resolve({ [group]: { ...lowest, [member]: 1 } }));
        const highest = group === 'limits' ? { outboxHighBytes: 2 ** 31 - 1 } : {};
        assert.doesNotThrow(() => resolve({ [group]: { ...highest, [member]: 2 ** 31 - 1 } }));
      });
    }

    it(`${group}: must be an object with known members only`, () => {
      for (const value of [null, 1, 'text', []]) refuses({ [group]: value }, `options.${group}: `);
      refuses({ [group]: { nonsense: 1 } }, `options.${group}.nonsense: unknown option`);
    });
  }

  for (const name of handlers) {
    it(`${name}: must be a function`, () => {
      for (const value of [null, 1, 'text', {}, /./])
        refuses({ [name]: value }, `options.${name}: `);
      assert.doesNotThrow(() => resolve({ [name]: () => 0 }));
    });
  }

  it('addressOf: must be a function', () => {
    refuses({ admission: { addressOf: 'x-forwarded-for' } }, 'options.admission.addressOf: ');
  });

  it('messages and sends: must be Standard Schemas', () => {
    for (const name of ['messages', 'sends']) {
      for (const value of [null, 'text', { parse: () => 1 }, z, { '~standard': null }]) {
        refuses({ [name]: value }, `options.${name}: `);
      }
      for (const { order } of Object.values(schemaLibraries)) {
        assert.doesNotThrow(() => resolve({ [name]: order }));
      }
    }
  });

  it('messages and sends: must not be a schema that declares itself async', () => {
    for (const { asynchronous, saysAsync } of Object.values(schemaLibraries)) {
      const schema = asynchronous(async () => true);
      if (saysAsync)
        refuses({ messages: schema }, 'options.messages: the schema must be synchronous');
      else assert.doesNotThrow(() => resolve({ messages: schema }));
    }
  });

  it('codec: must encode and decode', () => {
    for (const value of [null, 'json', {}, { encode: () => '' }, { decode: () => '' }]) {
      refuses({ codec: value }, 'options.codec: ');
    }
  });

  it('clock: must have every method of a clock', () => {
    const { now, ...broken } = systemClock;
    for (const value of [null, 1, 'utc', {}, { now }, broken])
      refuses({ clock: value }, 'options.clock: ');
  });

  it('invalidMessages: must be one of three policies', () => {
    for (const value of ['drop', '', null, 1]) {
      refuses({ invalidMessages: value }, 'options.invalidMessages: ');
    }
    for (const invalidMessages of ['reply', 'ignore', 'close']) {
      assert.equal(resolve({ invalidMessages }).invalidMessages, invalidMessages);
    }
  });

  it('subprotocols, hosts and origins: must be lists of names', () => {
    for (const value of ['chat', [''], [1], { 0: 'chat' }, null]) {
      refuses({ subprotocols: value }, 'options.subprotocols');
      refuses({ admission: { hosts: value } }, 'options.admission.hosts');
    }
    for (const value of ['other', [''], [1], null]) {
      refuses({ admission: { origins: value } }, 'options.admission.origins');
    }
    refuses({ subprotocols: ['chat', ''] }, 'options.subprotocols.1: ');
    const rules = ['*', ['*'], [], () => true];
    for (const origins of ['same', 'any', ['https://a.example'], ...rules]) {
      assert.deepEqual(resolve({ admission: { origins } }).admission.origins, origins);
    }
    for (const hosts of [['a.example:8080'], ...rules]) {
      assert.deepEqual(resolve({ admission: { hosts } }).admission.hosts, hosts);
    }
  });

  it('ipv6PrefixBits: must be a whole number of bits that an address has', () => {
    for (const value of [0, 129, 1.5, -1, '64', null]) {
      refuses({ admission: { ipv6PrefixBits: value } }, 'options.admission.ipv6PrefixBits');
    }
    for (const bits of [1, 56, 128]) {
      assert.equal(resolve({ admission: { ipv6PrefixBits: bits } }).admission.ipv6PrefixBits, bits);
    }
  });

  it('hosts and origins: give the reason for each entry that can never match', () => {
    refuses(
      { admission: { origins: ['https://a.example', 'a.example', 7] } },
      "options.admission.origins.1: must begin with a scheme: write 'https://a.example'",
    );
    refuses(
      { admission: { origins: ['null', 7] } },
      'options.admission.origins.1: must be text, not 7',
    );
    refuses(
      { admission: { origins: 'https://a.example' } },
      "options.admission.origins: must be 'same', 'any', '*', a list or a function, not a string; put it in a list",
    );
    refuses(
      { admission: { hosts: ['https://a.example/ws'] } },
      "options.admission.hosts.0: must consist of a name, or a name and a port: write 'a.example'",
    );
    refuses(
      { admission: { hosts: 7 } },
      "options.admission.hosts: must be '*', a list or a function, not 7",
    );
  });

  it('outboxLowBytes: must not be above outboxHighBytes', () => {
    refuses(
      { limits: { outboxHighBytes: 1_000, outboxLowBytes: 1_001 } },
      'options.limits.outboxLowBytes: must not be above outboxHighBytes (1000)',
    );
    refuses({ limits: { outboxHighBytes: 1_000 } }, 'options.limits.outboxLowBytes: ');
    assert.doesNotThrow(() => resolve({ limits: { outboxHighBytes: 9, outboxLowBytes: 9 } }));
  });

  it('is refused when its name is unknown', () => {
    refuses({ perMessageDeflate: true }, 'perMessageDeflate');
    refuses({ limts: {} }, 'limts');
  });

  it('is reported together with all other faults', () => {
    refuses(
      { timeouts: { closeMs: 0, erroredMs: -1 }, limits: { depthMax: 1.5 }, onOpen: 7 },
      'options.timeouts.closeMs: ',
      'options.timeouts.erroredMs: ',
      'options.limits.depthMax: ',
      'options.onOpen: ',
    );
  });

  it('is refused when the options are not an object', () => {
    for (const options of [null, 1, 'text', []]) refuses(options as object, 'options: ');
  });
});

describe('the options of a drain', () => {
  it('have defaults', () => {
    assert.deepEqual(drainPlan({}, supervisorDrain), {
      withinMs: 30_000,
      perSecond: 500,
      handOver: undefined,
      frame: { code: 1001, reason: 'draining' },
    });
  });

  it('are reported when they are wrong', () => {
    for (const [name, value] of [
      ['withinMs', 0],
      ['perSecond', Infinity],
      ['code', '1001'],
      ['reason', 1],
    ]) {
      assert.throws(() => drainPlan({ [name as 'code']: value as never }, supervisorDrain), {
        code: 'invalid-options',
        message: new RegExp(`^options\\.${name}: `),
      });
    }
    assert.throws(() => drainPlan({ within: 1 } as never, supervisorDrain), /within/);
  });

  it('refuse a code that must not be sent, and cut a reason that is too long', () => {
    for (const code of [0, 1004, 1005, 1006, 1015, 2999, 5000]) {
      assert.throws(() => drainPlan({ code }, supervisorDrain), { code: 'invalid-close' });
    }
    assert.equal(
      drainPlan({ reason: 'é'.repeat(100) }, supervisorDrain).frame.reason,
      'é'.repeat(61),
    );
  });

  it('are checked by drain before anything happens', async () => {
    const supervisor = createSupervisor();
    await assert.rejects(supervisor.drain({ withinMs: -1 }), { code: 'invalid-options' });
    await assert.rejects(supervisor.drain({ code: 1005 }), { code: 'invalid-close' });
    assert.equal(supervisor.state, 'admitting');
  });
});

describe('the options of attach', () => {
  it('are reported when they are wrong, and nothing is attached', () => {
    const server = createServer();
    const supervisor = createSupervisor();
    for (const path of ['ws', '', [], ['/ws', 'ws'], 7, null]) {
      assert.throws(() => attach(server, supervisor, { path } as never), {
        code: 'invalid-options',
        message: /^options\.path/,
      });
    }
    assert.throws(() => attach(server, supervisor, { paths: '/ws' } as never), /paths/);
    assert.equal(server.listenerCount('upgrade'), 0);
  });
});
