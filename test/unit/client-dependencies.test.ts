import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Ending } from '../../src/client/client-types.ts';
import { OfflineQueue } from '../../src/client/offline-queue.ts';
import type { ClientOptions } from '../../src/client/options.ts';
import { type PrivateCodes, privateCodes, retryAfter } from '../../src/client/reconnect/retry.ts';
import { systemClock } from '../../src/core/clock.ts';
import * as defaults from '../../src/core/defaults.ts';
import type { CloseVerdict, Origin } from '../../src/core/verdict.ts';
import { resolveClientOptions } from '../support/client-options.ts';

const closed = (code: number, origin: Origin = 'peer'): Ending => ({
  outcome: 'closed',
  verdict: { code, origin, retry: 'backoff' } as CloseVerdict,
});

describe('private close codes', () => {
  const rows: [keyof typeof privateCodes, Record<number, string>][] = [
    [
      'centrifuge',
      { 3000: 'backoff', 3499: 'backoff', 3500: 'never', 4499: 'backoff', 4500: 'never' },
    ],
    [
      'pusher',
      { 4000: 'never', 4099: 'never', 4100: 'backoff', 4200: 'now', 4299: 'now', 4300: 'backoff' },
    ],
    ['http', { 4400: 'never', 4404: 'never', 4401: 'slow', 4403: 'slow' }],
    ['http', { 4408: 'backoff', 4429: 'backoff', 4500: 'backoff' }],
  ];
  for (const [name, expected] of rows) {
    it(`${name}: as documented`, () => {
      const told = Object.keys(expected).map((code) => [code, privateCodes[name](Number(code))]);
      assert.deepEqual(Object.fromEntries(told), expected);
    });
  }

  const ask = (ending: Ending, codes?: PrivateCodes) => {
    const errors: string[] = [];
    const retry = retryAfter(ending, codes, ({ message }) => errors.push(message));
    return { retry, errors };
  };

  it('are asked only about private codes that the peer sent', () => {
    const never = () => 'never' as const;
    assert.equal(ask(closed(4_000), never).retry, 'never');
    assert.equal(ask(closed(4_000)).retry, 'backoff');
    assert.equal(ask(closed(1_012), never).retry, 'backoff');
    assert.equal(ask(closed(3_000), never).retry, 'backoff', '3000 is registered');
  });

  it('fall back to the default and are reported when they throw or return nonsense', () => {
    const broken = () => {
      throw new Error('no idea');
    };
    assert.deepEqual(ask(closed(4_000), broken), { retry: 'backoff', errors: ['no idea'] });
    const told = ask(closed(4_000), () => 'soon' as never);
    assert.equal(told.retry, 'backoff');
    assert.match(
      told.errors[0] ?? '',
      /must return 'now', 'backoff', 'slow' or 'never', not a string/,
    );
  });

  it('leave endings by this side to the backoff, with or without an echo', () => {
    const verdict = { origin: 'local', cause: 'message-rate', retry: 'never' } as CloseVerdict;
    for (const code of [1008, 1006]) {
      const ending: Ending = { outcome: 'closed', verdict: { ...verdict, code } };
      assert.equal(ask(ending).retry, 'backoff');
    }
    const broken: Ending = { outcome: 'closed', verdict: { ...verdict, cause: 'protocol-error' } };
    assert.equal(ask(broken).retry, 'never');
  });
});

describe('OfflineQueue', () => {
  function bench(queueMax: number, queueBytesMax = 1_000) {
    const log: string[] = [];
    const limits = { queueMax, queueBytesMax };
    const queue = new OfflineQueue(limits, ({ message }, reason) =>
      log.push(`${message} ${reason}`),
    );
    const push = (message: string, expiresAtMs = Number.POSITIVE_INFINITY) => {
      const bytes = message.length;
      queue.push({ message, payload: message, bytes, expiresAtMs, settle: undefined });
    };
    const next = (nowMs = 0): unknown => {
      const first = queue.first(nowMs);
      return queue.shift() === first ? first?.message : 'another';
    };
    return { queue, log, push, next };
  }

  it('keeps the order', () => {
    const { push, next, queue } = bench(3);
    for (const message of ['a', 'b', 'c']) push(message);
    assert.equal(queue.size, 3);
    assert.deepEqual([next(), next(), next(), next()], ['a', 'b', 'c', undefined]);
  });

  it('keeps the order, the count and the bytes over many messages', () => {
    const { push, next, queue, log } = bench(5_000, 20_000);
    const numbers = [...Array(5_000).keys()].map(String);
    for (const number of numbers.slice(0, 3_000)) push(number);
    const taken = numbers.slice(0, 2_500).map(() => next());
    for (const number of numbers.slice(3_000)) push(number);
    assert.equal(queue.size, 2_500);
    assert.deepEqual([...taken, ...numbers.slice(2_500).map(() => next())], numbers);
    assert.deepEqual([queue.size, log], [0, []]);
    push('x'.repeat(20_000));
    assert.deepEqual([queue.size, log], [1, []]);
  });

  it('drops the oldest when there are too many bytes, as many as needed', () => {
    const { push, next, log } = bench(10, 10);
    for (const message of ['aaaa', 'bbbb', 'cc', 'ddddd']) push(message);
    assert.deepEqual(log, ['aaaa queue-full', 'bbbb queue-full']);
    assert.deepEqual([next(), next(), next()], ['cc', 'ddddd', undefined]);
  });

  it('drops the oldest when it is full, and reports it', () => {
    const { push, next, log } = bench(2);
    for (const message of ['a', 'b', 'c']) push(message);
    assert.deepEqual(log, ['a queue-full']);
    assert.deepEqual([next(), next()], ['b', 'c']);
  });

  it('drops everything expired when purged, and returns when the next message expires', () => {
    const { queue, push, log } = bench(5);
    push('a');
    push('b', 10);
    push('c', 30);
    assert.equal(queue.purge(10), 30);
    assert.deepEqual(log, ['b expired']);
    assert.equal(queue.purge(30), Number.POSITIVE_INFINITY);
    assert.equal(queue.size, 1);
  });

  it('skips expired messages, and reports them', () => {
    const { push, next, log } = bench(5);
    push('a', 10);
    push('b', 20);
    push('c');
    assert.equal(next(20), 'c');
    assert.deepEqual(log, ['a expired', 'b expired']);
  });

  it('drops everything when cleared', () => {
    const { push, queue, log } = bench(5);
    push('a');
    push('b');
    queue.clear('stopped');
    assert.deepEqual(log, ['a stopped', 'b stopped']);
    assert.equal(queue.size, 0);
  });
});

describe('the options of a client', () => {
  it('have finite defaults', () => {
    const resolved = resolveClientOptions({}, systemClock);
    assert.deepEqual(resolved.timeouts, defaults.timeouts);
    const messages = { message: undefined, expects: undefined, everyMs: 25_000, always: false };
    assert.deepEqual(resolved.heartbeat, { ...defaults.heartbeat, ...messages });
    // The client has asked for the data.
    const pace = {
      messagesPerSecondMax: 100_000,
      messageBurstMax: 200_000,
      invalidPerMinuteMax: 60_000,
      valuesMax: 200_000,
    };
    assert.deepEqual(resolved.limits, { ...defaults.limits, ...pace });
    assert.deepEqual(resolved.backoff, defaults.backoff);
    assert.deepEqual(resolved.restarts, defaults.restarts);
    const { queueMax, queueBytesMax, queueFlushPerSecond } = resolved;
    assert.deepEqual({ queueMax, queueBytesMax, queueFlushPerSecond }, defaults.client);
    assert.equal(resolved.codec.name, 'json');
  });

  it('keep the given values, and fill in the rest', () => {
    const { backoff } = resolveClientOptions({ backoff: { minMs: 100 } }, systemClock);
    assert.deepEqual(backoff, { ...defaults.backoff, minMs: 100 });
    const heartbeatOf = (heartbeat: object) =>
      resolveClientOptions({ heartbeat }, systemClock).heartbeat;
    assert.equal(heartbeatOf({ message: 'ping', intervalMs: 7 }).everyMs, 7);
    assert.equal(heartbeatOf({ message: 'ping', intervalMs: 7, everyMs: 8 }).everyMs, 8);
    assert.equal(heartbeatOf({ message: 0 }).message, 0);
  });

  it('adjust the shortest backoff to the longest', () => {
    const backoffOf = (backoff: object) => resolveClientOptions({ backoff }, systemClock).backoff;
    const { minMs, maxMs } = backoffOf({ maxMs: 100 });
    assert.deepEqual([minMs, maxMs], [100, 100]);
    assert.equal(backoffOf({ maxMs: 1_000 }).minMs, 500);
    assert.equal(backoffOf({}).minMs, 500);
    const wrong = { message: 'options.backoff.minMs: must not be above maxMs (100)' };
    assert.throws(() => backoffOf({ minMs: 101, maxMs: 100 }), wrong);
  });

  const wrong: [object, RegExp][] = [
    [{ backof: {} }, /options\.backof: unknown option/],
    [{ backoff: { min: 1 } }, /options\.backoff\.min: unknown option/],
    [{ backoff: { minMs: 0 } }, /options\.backoff\.minMs: must be a whole number from 1/],
    [{ backoff: { minMs: 30_000 } }, /options\.backoff\.minMs: must not be above maxMs \(20000\)/],
    [{ backoff: 'fast' }, /options\.backoff: must be an object/],
    [{ timeouts: { handshakeMs: 1.5 } }, /options\.timeouts\.handshakeMs/],
    [{ limits: { outboxLowBytes: 2 ** 30 } }, /options\.limits\.outboxLowBytes: must not be above/],
    [{ queueMax: Number.POSITIVE_INFINITY }, /options\.queueMax/],
    [{ random: 4 }, /options\.random: must be a function/],
    [{ privateCodes: 'http' }, /options\.privateCodes: must be a function/],
    [{ messages: {} }, /options\.messages: must be a Standard Schema/],
    [{ subprotocols: 'chat' }, /options\.subprotocols: must be a list of strings/],
    [{ codec: {} }, /options\.codec: must be a codec with name, encode and decode/],
    [{ signal: {} }, /options\.signal: must be an AbortSignal/],
    [{ clock: {} }, /options\.clock: must be a clock/],
    [{ silentMs: 0 }, /options\.silentMs: must be a whole number from 1/],
    [{ signs: {} }, /options\.signs: must be a function/],
    [{ heartbeat: { expects: 'pong' } }, /options\.heartbeat\.expects: must be a function/],
    [{ heartbeat: { message: 1, everyMs: 0 } }, /options\.heartbeat\.everyMs: must be a whole/],
    [{ heartbeat: { message: 1, always: 1 } }, /options\.heartbeat\.always: must be a boolean/],
    [{ heartbeat: { everyMs: 9 } }, /options\.heartbeat\.everyMs: has no effect without message/],
    [{ heartbeat: { always: true } }, /options\.heartbeat\.always: has no effect without message/],
    [{ heartbeat: { every: 9 } }, /options\.heartbeat\.every: unknown option/],
  ];
  for (const [options, message] of wrong) {
    it(`name the fault: ${JSON.stringify(options)}`, () => {
      const resolve = () => resolveClientOptions(options as ClientOptions, systemClock);
      assert.throws(resolve, { code: 'invalid-options', message });
    });
  }

  it('name all faults at once', () => {
    const options = { queueMax: 0, restarts: { max: -1 } };
    assert.throws(
      () => resolveClientOptions(options, systemClock),
      /queueMax.*restarts\.max|restarts\.max.*queueMax/,
    );
  });
});
