import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { z } from 'zod';
import type { Level } from '../../src/core/close-code.ts';
import {
  type AcceptFailureCause,
  describeFailure,
  type FailureDescription,
  type FailureEvidence,
  type FailurePhase,
  retryAfterStatus,
} from '../../src/core/failure.ts';

const table: Record<AcceptFailureCause, [FailurePhase, Level]> = {
  'bad-request': ['http', 'warn'],
  'wrong-method': ['http', 'warn'],
  'wrong-version': ['http', 'warn'],
  'wrong-path': ['admission', 'info'],
  'wrong-host': ['admission', 'warn'],
  'wrong-origin': ['admission', 'warn'],
  'wrong-subprotocol': ['admission', 'warn'],
  unauthorized: ['admission', 'info'],
  refused: ['admission', 'info'],
  'authenticate-error': ['admission', 'error'],
  'connections-max': ['admission', 'warn'],
  'address-max': ['admission', 'warn'],
  'address-rate': ['admission', 'warn'],
  'accept-rate': ['admission', 'warn'],
  suspended: ['admission', 'info'],
  draining: ['admission', 'info'],
  'handshake-timeout': ['admission', 'warn'],
  abandoned: ['tcp', 'info'],
  'tcp-reset': ['tcp', 'info'],
  'tcp-timeout': ['tcp', 'info'],
  'tcp-error': ['tcp', 'info'],
  'taken-away': ['config', 'error'],
  'not-upgraded': ['http', 'info'],
  crash: ['admission', 'error'],
};
const causes = Object.keys(table) as AcceptFailureCause[];

const who = { address: '192.0.2.1', path: '/ws' };
const boom = new Error('boom');
const reset = Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' });
const unauthorized = { cause: 'unauthorized', status: 401, body: 'sign in first' } as const;

describe('describeFailure', () => {
  for (const cause of causes) {
    it(`${cause}: has its phase and level`, () => {
      const [phase, level] = table[cause];
      const failure = describeFailure({ ...who, refusal: { cause, status: 503, body: '' } });
      assert.deepEqual(failure, { phase, cause, httpStatus: 503, retry: 'backoff', level, ...who });
    });
  }

  it('A08: calls it abandoned when nothing else is known', () => {
    const expected = { phase: 'tcp', cause: 'abandoned', retry: 'backoff', level: 'info', ...who };
    assert.deepEqual(describeFailure(who), expected);
  });

  it('A08c: names the error of the socket', () => {
    const failure = describeFailure({ ...who, socketError: reset });
    assert.equal(failure.cause, 'tcp-reset');
    assert.equal(failure.error, reset);
    assert.equal('httpStatus' in failure, false);
  });

  it('prefers a refusal to the socket error that follows it', () => {
    const failure = describeFailure({ ...who, refusal: unauthorized, socketError: reset });
    assert.deepEqual(
      [failure.cause, failure.httpStatus, failure.retry],
      ['unauthorized', 401, 'slow'],
    );
    assert.equal(failure.error, reset);
  });

  it('prefers the error that led to the refusal', () => {
    const refusal = { cause: 'authenticate-error', status: 500, body: '', error: boom } as const;
    assert.equal(describeFailure({ ...who, refusal, socketError: reset }).error, boom);
  });

  it('prefers a crash to everything else', () => {
    const failure = describeFailure({
      ...who,
      crash: boom,
      refusal: unauthorized,
      socketError: reset,
    });
    assert.deepEqual([failure.cause, failure.level, failure.error], ['crash', 'error', boom]);
  });

  it('A10: prefers only a crash to a socket that another server has taken', () => {
    const taken = new Error('taken');
    const failure = describeFailure({ ...who, taken, refusal: unauthorized, socketError: reset });
    assert.deepEqual([failure.cause, failure.level, failure.error], ['taken-away', 'error', taken]);
    assert.equal(describeFailure({ ...who, taken, crash: boom }).cause, 'crash');
  });

  it('makes a valid failure of any evidence', () => {
    const schema = z.strictObject({
      phase: z.enum(['dns', 'tcp', 'tls', 'http', 'admission', 'config']),
      cause: z.enum(causes),
      httpStatus: z.int().min(400).max(599).exactOptional(),
      retry: z.enum(['now', 'backoff', 'slow', 'never']),
      level: z.enum(['info', 'warn', 'error']),
      error: z.instanceof(Error).exactOptional(),
      address: z.string(),
      path: z.string(),
    }) satisfies z.ZodType<FailureDescription>;
    const anyError = fc.constantFrom(boom, reset);
    const anyRefusal = fc.record({
      cause: fc.constantFrom(...causes),
      status: fc.integer({ min: 400, max: 599 }),
      body: fc.string(),
    });
    const anyEvidence: fc.Arbitrary<FailureEvidence> = fc.record(
      {
        refusal: anyRefusal,
        socketError: anyError,
        crash: anyError,
        taken: anyError,
        address: fc.string(),
        path: fc.string(),
      },
      { requiredKeys: ['address', 'path'] },
    );
    fc.assert(
      fc.property(anyEvidence, (evidence) => {
        const failure = describeFailure(evidence);
        assert.deepEqual(schema.parse(failure), failure);
      }),
    );
  });
});

describe('retryAfterStatus', () => {
  it('lets a client retry after every status but 410, and slowly after 401', () => {
    for (let status = 200; status <= 599; status += 1) {
      const expected = { 401: 'slow', 410: 'never' }[status] ?? 'backoff';
      assert.equal(retryAfterStatus(status), expected, String(status));
    }
  });
});
