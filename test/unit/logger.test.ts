import assert from 'node:assert/strict';
import { Console } from 'node:console';
import { Writable } from 'node:stream';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { Subject } from 'rxjs';
import type { Level } from '../../src/core/close-code.ts';
import type { ConnectionIdentity } from '../../src/core/connection.ts';
import type { ClientEvent, SupervisorEvent, UntimedEvent } from '../../src/core/events.ts';
import type { Failure } from '../../src/core/failure.ts';
import { Stream } from '../../src/core/stream.ts';
import { escapeText } from '../../src/core/text.ts';
import type { Trail } from '../../src/core/trail.ts';
import type { CloseVerdict } from '../../src/core/verdict.ts';
import type { LogLine } from '../../src/observe/log-folder.ts';
import { type Logger, logEvents, logLine } from '../../src/observe/logger.ts';

type Event = SupervisorEvent<ConnectionIdentity>;
type News = UntimedEvent<ConnectionIdentity>;

const connection = { id: 'c1', key: 'ann', address: '192.0.2.1', path: '/ws' };
const verdict: CloseVerdict = {
  code: 1000,
  reason: 'bye',
  origin: 'peer',
  layer: 'websocket',
  clean: true,
  cause: 'peer-close',
  retry: 'never',
  level: 'info',
  openMs: 12,
  bytesIn: 3,
  bytesOut: 4,
  trail: [],
};
const failure: Failure = {
  phase: 'admission',
  cause: 'unauthorized',
  httpStatus: 401,
  retry: 'never',
  level: 'info',
  address: '192.0.2.1',
  path: '/ws',
  trail: [],
};
const report = { closed: 5, forced: 1, unsettled: 0, tookMs: 30 };
const error = Object.assign(new TypeError('boom'), { code: 'EBOOM' });
const unconfirmed = { type: 'append.unconfirmed', topic: 'a', id: 'b', error } as const;
const child = { kind: 'client', address: 'b.c', state: 'waiting' } as const;
const fault = { path: 'items[0]', problem: 'expected number', closeCode: 1008 } as const;

/** One event of each kind, with the level and the message of its line. */
const table: { readonly [Type in News['type']]: [Extract<News, { type: Type }>, Level, string] } = {
  'connection.opened': [{ type: 'connection.opened', connection }, 'info', 'c1 connection.opened'],
  'connection.suspect': [
    { type: 'connection.suspect', connection },
    'warn',
    'c1 connection.suspect',
  ],
  'connection.asleep': [{ type: 'connection.asleep', connection }, 'info', 'c1 connection.asleep'],
  'connection.healthy': [
    { type: 'connection.healthy', connection },
    'info',
    'c1 connection.healthy',
  ],
  'connection.congested': [
    { type: 'connection.congested', connection },
    'warn',
    'c1 connection.congested',
  ],
  'connection.flowing': [
    { type: 'connection.flowing', connection },
    'info',
    'c1 connection.flowing',
  ],
  'connection.errored': [
    { type: 'connection.errored', connection, cause: 'tcp-reset', error },
    'warn',
    'c1 connection.errored: tcp-reset',
  ],
  'connection.closing': [
    { type: 'connection.closing', connection, origin: 'local', code: 1001, reason: 'draining' },
    'info',
    'c1 connection.closing: local',
  ],
  'connection.closed': [
    { type: 'connection.closed', connection, verdict },
    'info',
    'c1 closed 1000 by peer: peer-close',
  ],
  'connection.failed': [
    { type: 'connection.failed', id: 'c2', failure },
    'info',
    'c2 never opened: unauthorized',
  ],
  'connection.crashed': [
    { type: 'connection.crashed', error },
    'error',
    'connection.crashed: boom',
  ],
  'message.invalid': [
    { type: 'message.invalid', connection, fault },
    'warn',
    'c1 message.invalid: items[0]: expected number',
  ],
  'handler.errored': [
    { type: 'handler.errored', handler: 'onMessage', error, connection },
    'error',
    'c1 handler.errored: onMessage: boom',
  ],
  'topic.opened': [{ type: 'topic.opened', topic: 'lobby' }, 'info', 'topic.opened: lobby'],
  'topic.closed': [{ type: 'topic.closed', topic: 'lobby' }, 'info', 'topic.closed: lobby'],
  'topic.reset': [{ type: 'topic.reset', topic: 'a', members: 3 }, 'warn', 'topic.reset: a'],
  'append.unconfirmed': [unconfirmed, 'warn', 'append.unconfirmed: a'],
  'bus.up': [{ type: 'bus.up' }, 'info', 'bus.up'],
  'bus.down': [{ type: 'bus.down', error }, 'error', 'bus.down: boom'],
  'child.changed': [{ type: 'child.changed', child }, 'warn', 'child.changed: client b.c waiting'],
  'supervisor.suspended': [{ type: 'supervisor.suspended' }, 'info', 'supervisor.suspended'],
  'supervisor.admitting': [{ type: 'supervisor.admitting' }, 'info', 'supervisor.admitting'],
  'supervisor.draining': [
    { type: 'supervisor.draining', connections: 2, withinMs: 30 },
    'info',
    'supervisor.draining: 2 connections',
  ],
  'supervisor.stopped': [
    { type: 'supervisor.stopped', report },
    'info',
    'supervisor.stopped: 5 closed, 1 forced',
  ],
};

const lineOf = (news: News) => logLine({ ...news, at: 1_700_000_000_000 } as Event);
const allNews = Object.values(table).map(([news]) => news as News);

describe('logLine', () => {
  for (const [type, [news, level, message]] of Object.entries(table)) {
    it(`${type}: has its level and names what happened`, () => {
      const line = lineOf(news);
      assert.deepEqual([line.level, line.message], [level, message]);
      assert.equal(line.fields['event'], type);
      if ('connection' in news) {
        const { id, key, address, path } = line.fields;
        assert.deepEqual({ id, key, address, path }, connection);
      }
    });
  }

  it('has a line for each event of a client, without data of the application', () => {
    const dropped = { type: 'message.dropped', message: 'secret' } as const;
    const events: ClientEvent[] = [
      { ...dropped, reason: 'expired' },
      { ...dropped, reason: 'stopped' },
      { type: 'message.invalid', fault },
      { type: 'handler.errored', handler: 'status$', error },
    ];
    const lines = events.map((event) => logLine(event));
    assert.deepEqual(
      lines.map(({ level, message }) => `${level} ${message}`),
      [
        'warn message.dropped: expired',
        'info message.dropped: stopped',
        'warn message.invalid: items[0]: expected number',
        'error handler.errored: status$: boom',
      ],
    );
    assert.ok(!JSON.stringify(lines).includes('secret'));
  });

  it('takes the level of an ending from its verdict or failure', () => {
    for (const level of ['info', 'warn', 'error'] as const) {
      const closed = {
        type: 'connection.closed',
        connection,
        verdict: { ...verdict, level },
      } as const;
      const failed = {
        type: 'connection.failed',
        id: 'c2',
        failure: { ...failure, level },
      } as const;
      assert.deepEqual([lineOf(closed).level, lineOf(failed).level], [level, level]);
    }
  });

  it('has all of a verdict and of a failure but the level, once', () => {
    const sent = { code: 1000, reason: '' };
    const told: CloseVerdict = { ...verdict, sent, lingered: true, simultaneous: true, error };
    const { fields } = lineOf({ type: 'connection.closed', connection, verdict: told });
    const { level: _, error: __, trail: ___, ...rest } = told;
    const { event, err, ...others } = fields;
    assert.deepEqual(others, { ...connection, ...rest });
    const failed = lineOf({ type: 'connection.failed', id: 'c2', failure });
    const { level: ____, trail: _____, ...facts } = failure;
    assert.deepEqual(failed.fields, { event: 'connection.failed', id: 'c2', ...facts });
    assert.deepEqual([event, typeof err], ['connection.closed', 'object']);
  });

  it('has the trail of an ending that is a warning or an error, and of no other', () => {
    const atMs = 1_700_000_000_000;
    const trail: Trail = [
      { fact: 'socket.opened', atMs: atMs - 30_250 },
      { fact: 'heartbeat.lost', atMs },
    ];
    for (const level of ['info', 'warn', 'error'] as const) {
      const text = '-30.25s socket.opened, 0s heartbeat.lost';
      const expected = level === 'info' ? undefined : text;
      const closed = { ...verdict, level, trail };
      const failed = { ...failure, level, trail };
      const lines = [
        lineOf({ type: 'connection.closed', connection, verdict: closed }),
        lineOf({ type: 'connection.failed', id: 'c2', failure: failed }),
      ];
      for (const { fields } of lines) assert.equal(fields['trail'], expected, level);
    }
  });

  it('writes an error as pino does, with its code', () => {
    for (const news of allNews.filter((candidate) => 'error' in candidate)) {
      const { err } = lineOf(news).fields as { err: Record<string, string> };
      assert.deepEqual([err['type'], err['message'], err['code']], ['TypeError', 'boom', 'EBOOM']);
      assert.match(err['stack'] ?? '', /logger\.test/);
    }
    const { fields } = lineOf({ type: 'connection.errored', connection, cause: 'ping-flood' });
    assert.equal('err' in fields, false);
  });

  it('writes a stack in unescaped lines, so that a logger of JSON escapes it once', () => {
    const { fields } = lineOf({ type: 'connection.crashed', error });
    const written = JSON.parse(JSON.stringify(fields)) as { err: { stack: string } };
    assert.equal(written.err.stack, error.stack);
    assert.match(written.err.stack, /^TypeError: boom\n {4}at /);
  });

  it('never lets a message forge a frame', () => {
    const forged = new Error('bad\n    at admin (/srv/app.js:1:1)');
    const { err } = lineOf({ type: 'connection.crashed', error: forged }).fields as {
      err: { stack: string };
    };
    const [first = '', second = ''] = err.stack.split('\n');
    assert.equal(first, 'Error: bad\\u000a    at admin (/srv/app.js:1:1)');
    assert.match(second, /logger\.test/);
  });

  it('writes a refusal without a stack, unless the error is ours', () => {
    const errOf = (httpStatus: number) => {
      const told = { ...failure, httpStatus, error };
      return lineOf({ type: 'connection.failed', id: 'c2', failure: told }).fields['err'] as object;
    };
    assert.deepEqual(errOf(401), { type: 'TypeError', message: 'boom', code: 'EBOOM' });
    assert.deepEqual(errOf(499), errOf(401));
    assert.ok('stack' in errOf(500));
  });

  it('writes a refusal by a close frame like one over HTTP', () => {
    const { httpStatus: _, ...openly } = failure;
    const hasStack = (closeCode: number) => {
      const told = { ...openly, closeCode, error };
      const { err } = lineOf({ type: 'connection.failed', id: 'c2', failure: told }).fields;
      return 'stack' in (err as object);
    };
    assert.deepEqual([3000, 3003, 3008, 4404, 4499].map(hasStack), new Array(5).fill(false));
    assert.deepEqual([4500, 4503, 4599].map(hasStack), new Array(3).fill(true));
  });

  it('writes the parts of an AggregateError, five at most, and no parts of parts', () => {
    const refused = (address: string) =>
      Object.assign(new Error(`connect ECONNREFUSED ${address}`), { code: 'ECONNREFUSED' });
    const both = new AggregateError([refused('::1'), refused('127.0.0.1')]);
    const line = lineOf({ type: 'handler.errored', handler: 'onMessage', error: both, connection });
    const text = 'connect ECONNREFUSED ::1; connect ECONNREFUSED 127.0.0.1';
    assert.equal(line.message, `c1 handler.errored: onMessage: ${text}`);
    const { message, aggregateErrors } = line.fields['err'] as {
      message: string;
      aggregateErrors: { message: string; code: string; stack: string }[];
    };
    assert.equal(message, text);
    assert.deepEqual(
      aggregateErrors.map(({ code, stack }) => [code, stack.split('\n').length > 1]),
      [
        ['ECONNREFUSED', true],
        ['ECONNREFUSED', true],
      ],
    );
    const endless = new AggregateError(
      Array.from({ length: 100 }, () => 'part'),
      'all of them',
    );
    endless.errors[0] = endless;
    const { err } = lineOf({ type: 'connection.crashed', error: endless }).fields as {
      err: { message: string; aggregateErrors: object[] };
    };
    assert.deepEqual([err.message, err.aggregateErrors.length], ['all of them', 5]);
  });

  it('omits a missing key and an unknown connection', () => {
    const nameless = { ...connection, key: undefined };
    assert.equal(
      'key' in lineOf({ type: 'connection.opened', connection: nameless }).fields,
      false,
    );
    const line = lineOf({ type: 'handler.errored', handler: 'authenticate', error });
    assert.equal(line.message, 'handler.errored: authenticate: boom');
    assert.equal('id' in line.fields, false);
  });
});

/** Characters that start a line, control a terminal or reorder text. */
const unsafe = [
  ...Array.from({ length: 0x20 }, (_, code) => code),
  ...Array.from({ length: 0x21 }, (_, index) => 0x7f + index),
  // The line and paragraph separators, and every Unicode character with Bidi_Control=yes.
  ...[0x2028, 0x2029, 0x061c, 0x200e, 0x200f],
  ...[0x202a, 0x202b, 0x202c, 0x202d, 0x202e, 0x2066, 0x2067, 0x2068, 0x2069],
].map((code) => String.fromCodePoint(code));

const isSafe = (text: string) => !unsafe.some((character) => text.includes(character));

/** Every string in a value, however deep. */
function stringsIn(value: unknown): string[] {
  if (typeof value === 'string') return [value];
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([name, inner]) => [name, ...stringsIn(inner)]);
}

function assertSafe({ fields, message }: LogLine): void {
  // The frames of a stack are separate lines.
  const texts = [message, ...stringsIn(fields)].map((text) => text.replaceAll('\n    at ', ''));
  for (const text of texts) assert.ok(isSafe(text), JSON.stringify(text));
}

/** What a request contained that an option refused. */
const refused = (text: string) => ({ origin: text, host: text, option: 'admission.origins' });

/** One event of each kind, in which every text that a peer can influence is this text. */
function newsWith(text: string): News[] {
  const stranger = { id: 'c1', key: text, address: text, path: text };
  const quoting = Object.assign(new Error(text), { stack: `Error: ${text}\n    at ${text}` });
  const ending = { ...verdict, reason: text, sent: { code: 4000, reason: text }, error: quoting };
  return [
    { type: 'connection.opened', connection: stranger },
    { type: 'connection.errored', connection: stranger, cause: 'tcp-error', error: quoting },
    { type: 'connection.closing', connection: stranger, origin: 'peer', code: 1000, reason: text },
    { type: 'connection.closed', connection: stranger, verdict: ending },
    {
      type: 'connection.failed',
      id: 'c2',
      failure: { ...failure, address: text, path: text, error: quoting, ...refused(text) },
    },
    { type: 'connection.crashed', error: quoting },
    {
      type: 'message.invalid',
      connection: stranger,
      fault: { path: text, problem: text, closeCode: 1008 },
    },
    { type: 'handler.errored', handler: 'onMessage', error: quoting, connection: stranger },
  ];
}

/** Any character. fast-check's own unit for that takes a second to build. */
const character = fc.integer({ min: 0, max: 0x10_ffff - 0x800 }).map((index) => {
  return String.fromCodePoint(index < 0xd800 ? index : index + 0x800);
});

describe('foreign text in a log line', () => {
  for (const character of unsafe) {
    const name = `U+${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
    it(`is escaped: ${name}`, () => {
      for (const news of newsWith(`a${character}b`)) assertSafe(lineOf(news));
      assert.equal(escapeText(character), `\\u${name.slice(2)}`);
    });
  }

  it('is escaped, whatever it is', () => {
    const text = fc.array(fc.oneof(fc.constantFrom(...unsafe), fc.string({ unit: character })));
    fc.assert(
      fc.property(text, (parts) => {
        for (const news of newsWith(parts.join(''))) assertSafe(lineOf(news));
      }),
      { numRuns: 40 },
    );
  });

  it('is unchanged when it is harmless, in any script', () => {
    for (const text of [
      '',
      'bye',
      'Grüße',
      'שלום',
      'مرحبا',
      '你好',
      '👩‍👩‍👧',
      'a\\u000ab',
      '"quoted"',
    ]) {
      assert.equal(escapeText(text), text);
    }
  });
});

describe('logEvents', () => {
  /** A logger that keeps its lines. */
  function notingLogger() {
    const lines: [Level, object, string][] = [];
    const method = (level: Level) => (fields: object, message: string) =>
      void lines.push([level, fields, message]);
    const logger: Logger = { info: method('info'), warn: method('warn'), error: method('error') };
    return { lines, logger };
  }

  /** A service may have a topic for each of its users. */
  const quiet = ['topic.opened', 'topic.closed'];
  const logged = allNews.filter(({ type }) => !quiet.includes(type));

  it('writes exactly one line for every event except two of topics, at its level', () => {
    assert.equal(logged.length, allNews.length - 2);
    const { lines, logger } = notingLogger();
    const events$ = new Subject<Event>();
    logEvents(events$, logger);
    for (const news of allNews) events$.next({ ...news, at: 0 } as Event);
    const expected = logged.map((news) => {
      const { level, fields, message } = lineOf(news);
      return [level, fields, message];
    });
    assert.deepEqual(lines, expected);
  });

  it('calls the methods on the logger itself, as pino requires', () => {
    class Counter implements Logger {
      count = 0;
      info(): void {
        this.count += 1;
      }
      warn(): void {
        this.count += 1;
      }
      error(): void {
        this.count += 1;
      }
    }
    const counter = new Counter();
    const events$ = new Subject<Event>();
    logEvents(events$, counter);
    for (const news of allNews) events$.next({ ...news, at: 0 } as Event);
    assert.equal(counter.count, logged.length);
  });

  it('writes for people on a console: the message first, then the fields', () => {
    const written: string[] = [];
    const stream = new Writable({
      write(chunk, _encoding, done) {
        written.push(String(chunk));
        done();
      },
    });
    const events$ = new Subject<Event>();
    logEvents(events$, new Console(stream));
    const stranger = { ...connection, id: 'c%d' };
    events$.next({ type: 'connection.opened', connection: stranger, at: 0 });
    assert.match(written.join(''), /^c%d connection\.opened \{\s+event: 'connection\.opened',/);
    logEvents(new Subject<Event>(), console);
  });

  it('refuses a stream that emits something else, and names what to pass', () => {
    const { lines, logger } = notingLogger();
    const thrown: Error[] = [];
    const endings = new Stream<object>((error) => thrown.push(error));
    (logEvents as (...given: unknown[]) => unknown)(endings.observable, logger);
    endings.next({ outcome: 'failed', failure });
    assert.match(
      String(thrown[0]?.message),
      /^logEvents\(events\$, logger\): events\$ emitted an object that is not an event; pass events\$ of /,
    );
    assert.deepEqual(lines, []);
  });

  it('refuses what cannot be logged, or cannot log, and names what to pass', () => {
    const { logger } = notingLogger();
    const log = logEvents as (...given: unknown[]) => unknown;
    const events = {
      code: 'invalid-argument',
      message: /events\$ must be .*pass events\$ of a supervisor/,
    };
    for (const wrong of [undefined, {}, logger]) assert.throws(() => log(wrong, logger), events);
    const writer = { code: 'invalid-argument', message: /logger must be .*info, warn and error/ };
    for (const wrong of [undefined, {}, () => {}]) {
      assert.throws(() => log(new Subject(), wrong), writer);
    }
  });

  it('stops when its subscription ends', () => {
    const { lines, logger } = notingLogger();
    const events$ = new Subject<Event>();
    const subscription = logEvents(events$, logger);
    subscription.unsubscribe();
    events$.next({ type: 'supervisor.suspended', at: 0 });
    assert.equal(lines.length, 0);
  });
});
