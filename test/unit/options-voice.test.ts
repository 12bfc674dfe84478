// Goal: a wrong option gets the same message on both sides. Method: pass each shared option with a wrong value to both
// sides, and compare the messages with each other and with the expected text.
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { describe, it } from 'node:test';
import * as v from 'valibot';
import { createClient, createPool } from '../../src/client/index.ts';
import { attach, createSupervisor, listen, type MooringError, textCodec } from '../../src/index.ts';

const url = 'ws://127.0.0.1:1/';

function problemOf(create: () => unknown): string {
  try {
    create();
  } catch (thrown) {
    assert.equal((thrown as MooringError).code, 'invalid-options');
    return (thrown as Error).message;
  }
  return 'no error';
}

const sides = {
  supervisor: (options: unknown) => createSupervisor(options as object),
  client: (options: unknown) => createClient(url, options as object).close(),
  pool: (options: unknown) => createPool([url], options as object).drain(),
};

const wrong: [unknown, string][] = [
  [null, 'options: must be an object, not null'],
  [7, 'options: must be an object, not 7'],
  ['/ws', 'options: must be an object, not a string'],
  [() => {}, 'options: must be an object, not a function'],
  [[], 'options: must be an object, not a list'],
  [new Map(), 'options: must be an object, not a Map'],
  [Promise.resolve({}), 'options: must be an object, not a Promise'],
  [{ timeouts: null }, 'options.timeouts: must be an object, not null'],
  [{ timeout: {} }, 'options.timeout: unknown option; did you mean timeouts?'],
  [{ banana: 1 }, 'options.banana: unknown option'],
  [{ limits: { topicMax: 1 } }, 'options.limits.topicMax: unknown option; did you mean topicsMax?'],
  ...[0, 1.5, 2 ** 31].map((value): [unknown, string] => [
    { heartbeat: { graceMs: value } },
    `options.heartbeat.graceMs: must be a whole number from 1 to 2147483647, not ${value}`,
  ]),
  [
    { timeouts: { closeMs: '5' } },
    "options.timeouts.closeMs: must be a whole number from 1 to 2147483647, not the string '5'",
  ],
  [
    { limits: { outboxHighBytes: 1 } },
    'options.limits.outboxLowBytes: must not be above outboxHighBytes (1)',
  ],
  [
    { limits: { closeMs: 1 } },
    'options.limits.closeMs: unknown option; did you mean timeouts.closeMs?',
  ],
  [{ graceMs: 1 }, 'options.graceMs: unknown option; did you mean heartbeat.graceMs?'],
  [{ timeouts: { onOpen: 1 } }, 'options.timeouts.onOpen: unknown option; did you mean onOpen?'],
  [{ subprotocols: 'chat' }, 'options.subprotocols: must be a list of strings, not a string'],
  [
    { subprotocols: ['chat', ''] },
    'options.subprotocols.1: must be the name of a subprotocol, not an empty string',
  ],
  [{ overRate: 'stop' }, "options.overRate: must be 'pause' or 'close', not 'stop'"],
  [{ random: 4 }, 'options.random: must be a function, not 4'],
  [{ onOpen: {} }, 'options.onOpen: must be a function, not an object'],
  ...[{}, { next: true }].map((inspect): [unknown, string] => [
    { inspect },
    'options.inspect: must be a function, or an observer with a function next, not an object',
  ]),
  [
    { inspect: null },
    'options.inspect: must be a function, or an observer with a function next, not null',
  ],
  [
    { clock: {} },
    'options.clock: must be a clock with now, wallNow, setTimer, clearTimer, afterPoll, not an object',
  ],
  [
    { codec: { encode() {}, decode() {} } },
    'options.codec: must be a codec with name, encode and decode, not an object',
  ],
  [{ codec: {} }, 'options.codec: must be a codec with name, encode and decode, not an object'],
  [
    { messages: 'text' },
    'options.messages: must be a Standard Schema, for example from zod (3.24 or later), valibot or ArkType, not a string',
  ],
  [
    {
      sends: v.pipeAsync(
        v.string(),
        v.checkAsync(async () => true),
      ),
    },
    'options.sends: the schema must be synchronous, but this one is async; do async work before you send',
  ],
  ...['requests', 'replies', 'asks', 'answers'].map((name): [unknown, string] => [
    { [name]: 7 },
    `options.${name}: must be a Standard Schema, for example from zod (3.24 or later), valibot or ArkType, not 7`,
  ]),
  [
    { replies: v.pipeAsync(v.string()) },
    'options.replies: the schema must be synchronous, but this one is async; do async work in onRequest',
  ],
  [{ onRequest: 'x' }, 'options.onRequest: must be a function, not a string'],
  [
    { timeouts: { requestMs: 0 } },
    'options.timeouts.requestMs: must be a whole number from 1 to 2147483647, not 0',
  ],
  [
    { limits: { requestsMax: 0 } },
    'options.limits.requestsMax: must be a whole number from 1 to 2147483647, not 0',
  ],
];

describe('options that are wrong', () => {
  for (const [options, problem] of wrong) {
    it(`are refused with the same message on both sides: ${problem}`, () => {
      for (const [side, create] of Object.entries(sides)) {
        assert.equal(
          problemOf(() => create(options)),
          problem,
          side,
        );
      }
    });
  }

  it('never quote text, neither in the message nor in the cause', () => {
    const secret = 'Bearer s3cret';
    for (const options of [{ headers: secret }, { timeouts: { closeMs: secret } }, secret]) {
      for (const create of Object.values(sides)) {
        assert.throws(
          () => create(options),
          (thrown: Error) => !`${thrown.message}${thrown.cause}`.includes('s3cret'),
        );
      }
    }
  });

  for (const [name, instead] of Object.entries({
    onClose: 'subscribe to endings$',
    onError: 'subscribe to endings$, and to events$ for errors of your functions',
    protocols: 'use subprotocols',
    proxy: 'use connect.agent',
    reconnect: 'it always reconnects; see retry, backoff and restarts',
  })) {
    it(`are refused with the option that a client has instead: ${name}`, () => {
      for (const create of [sides.client, sides.pool]) {
        const problem = problemOf(() => create({ [name]: () => {} }));
        assert.equal(problem, `options.${name}: unknown option; ${instead}`);
      }
    });
  }

  for (const [name, instead] of Object.entries({
    maxPayload: 'use limits.payloadBytesMax',
    verifyClient: 'use authenticate',
    handleProtocols: 'use subprotocols',
    perMessageDeflate: 'messages are never compressed',
    pingInterval: 'use heartbeat.intervalMs',
    cors: 'use admission.origins',
    server: 'use attach(server, supervisor)',
    port: 'pass it to listen',
  })) {
    it(`are refused with the option that a supervisor has instead: ${name}`, () => {
      const problem = problemOf(() => sides.supervisor({ [name]: 1 }));
      assert.equal(problem, `options.${name}: unknown option; ${instead}`);
    });
  }

  it('are refused with the reason why a pool has no such option', () => {
    const problem = problemOf(() => sides.pool({ queueMax: 10 }));
    assert.equal(problem, 'options.queueMax: unknown option; a pool has no queue');
  });

  it('are refused with the call that makes a codec', () => {
    for (const create of Object.values(sides)) {
      const problem = problemOf(() => create({ codec: textCodec }));
      assert.equal(problem, 'options.codec: must be a codec, not a function; call it: textCodec()');
    }
  });

  it('are refused with the platform that has them', () => {
    assert.match(
      problemOf(() => sides.client({ header: {} })),
      /did you mean headers\?$/,
    );
    assert.match(
      problemOf(() => sides.pool({ sise: 1 })),
      /did you mean size\?$/,
    );
    assert.match(
      problemOf(() => sides.supervisor({ admision: {} })),
      /did you mean admission\?$/,
    );
    const nested = { admission: { orgins: 'any' } };
    assert.match(
      problemOf(() => sides.supervisor(nested)),
      /did you mean origins\?$/,
    );
  });

  it('may be an instance of a class, unless the class has no options of its own', () => {
    class Settings {
      timeouts = { closeMs: 10 };
    }
    for (const create of [sides.supervisor, sides.client]) {
      assert.equal(
        problemOf(() => create(Object.create(null))),
        'no error',
      );
      assert.equal(
        problemOf(() => create(new Settings())),
        'no error',
      );
      assert.match(
        problemOf(() => create(new Date())),
        /must be an object, not a Date/,
      );
    }
  });
});

describe('the URL of a client', () => {
  it('is named when it is missing', () => {
    for (const value of [undefined, null, {}, 7]) {
      assert.throws(() => createClient(value as never), {
        code: 'invalid-argument',
        message: /^createClient\(url, options\): url must be a string, a URL or a function, not /,
      });
    }
    assert.match(
      problemOf(() => createPool(url as never)),
      /^urls: must be a list .*, not a string$/,
    );
  });
});

describe('options that are not an object, or are passed without one', () => {
  it('are refused with the call and an example of it', async () => {
    const supervisor = createSupervisor();
    const server = createServer();
    assert.equal(
      problemOf(() => attach(server, supervisor, '/ws' as never)),
      "attach(server, supervisor, options): options must be an object, not a string; write { path: '/ws' }",
    );
    const message = 'drain(options): options must be an object, not 5000; write { withinMs: 5000 }';
    const pool = createPool([url]);
    for (const drains of [supervisor, pool]) {
      await assert.rejects(drains.drain(5000 as never), { code: 'invalid-options', message });
    }
    assert.equal(supervisor.state, 'admitting');
    await pool.drain();
  });
});

describe('an option that takes one of a few words', () => {
  const supervisor = createSupervisor();
  const table: [() => unknown, string][] = [
    [
      () => createSupervisor({ admission: { refusals: 'clos' as never } }),
      "options.admission.refusals: must be 'http' or 'close', not 'clos'; did you mean 'close'?",
    ],
    [
      () => supervisor.topic('a', { overflow: 'lates' as never }),
      "options.overflow: must be 'drop-newest', 'latest' or 'close', not 'lates'; did you mean 'latest'?",
    ],
    [
      () => createSupervisor({ invalidMessages: 'x\n' as never }),
      "options.invalidMessages: must be 'reply', 'ignore' or 'close', not 'x\\u000a'",
    ],
    [
      () => createSupervisor({ unmatchedSubprotocols: true as never }),
      "options.unmatchedSubprotocols: must be 'refuse' or 'open', not true",
    ],
    [
      () => createSupervisor({ admission: { refusals: 'Bearer s3cret s3cret s3cret' as never } }),
      "options.admission.refusals: must be 'http' or 'close', not a string",
    ],
    [
      () => createSupervisor({ admission: { origins: 'sme' as never } }),
      "options.admission.origins: must be 'same', 'any', '*', a list or a function, not a string; did you mean 'same'?",
    ],
    [
      () => supervisor.topic('a', { overflow: 'latest', keyOf: 'symbol' as never }),
      'options.keyOf: must be a function, not a string',
    ],
  ];
  for (const [create, problem] of table) {
    it(`is refused: ${problem}`, () => assert.equal(problemOf(create), problem));
  }
});

describe('a list entry that no browser can send', () => {
  it('is refused without a remark about strings', () => {
    const admission = { origins: ['https://ex.com/path', 'https://a b'], hosts: ['ex.com/path'] };
    assert.equal(
      problemOf(() => createSupervisor({ admission })),
      "options.admission.hosts.0: must consist of a name, or a name and a port: write 'ex.com'; " +
        "options.admission.origins.0: must consist of scheme, host and port: write 'https://ex.com'; " +
        "options.admission.origins.1: must look like 'https://example.com'",
    );
  });
});

describe('the arguments of listen', () => {
  it('refuse a value that is not a supervisor, and nothing listens', async () => {
    await assert.rejects(listen(8080 as never), {
      code: 'invalid-argument',
      message:
        'listen(supervisor, options): supervisor must be a supervisor, not 8080; the port is an option, { port }: pass the result of createSupervisor()',
    });
  });

  const misspelt: [unknown, RegExp][] = [
    [
      8080,
      /^listen\(supervisor, options\): options must be an object, not 8080; write \{ port: 8080 \}$/,
    ],
    [{ Port: 8080 }, /^options\.Port: unknown option; did you mean port\?$/],
    [
      { port: '8080' },
      /^options\.port: must be a whole number from 0 to 65535, not the string '8080'$/,
    ],
    [{ port: 70_000 }, /^options\.port: must be a whole number from 0 to 65535, not 70000$/],
    [{ host: '' }, /^options\.host: must be a host name or an IP address, not an empty string$/],
    [{ tls: 'key' }, /^options\.tls: must be an object, not a string$/],
    [{ onRequest: {} }, /^options\.onRequest: must be a function, not an object$/],
    [{ takeOver: 'yes' }, /^options\.takeOver: must be a boolean, not a string$/],
  ];
  for (const [options, message] of misspelt) {
    it(`rejects: ${message.source}`, async () => {
      const listening = listen(createSupervisor(), options as object);
      await assert.rejects(listening, { code: 'invalid-options', message });
    });
  }
});
