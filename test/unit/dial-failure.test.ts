import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  type DialEvidence,
  describeDialFailure,
  type FailureDescription,
  type FailurePhase,
  phaseOfError,
} from '../../src/core/failure.ts';
import { retryAfterMs } from '../../src/transport/http-answer.ts';

const nothing: DialEvidence = {
  phase: 'http',
  isAborted: false,
  isLate: false,
  isTargetError: false,
  address: 'example.test',
  path: '/feed',
};

const failed = (code?: string) => Object.assign(new Error('failed'), code && { code });

/** What is known, and the expected cause, retry and level. */
const table: Record<string, [Partial<DialEvidence>, string, string, string]> = {
  'an unknown name': [{ phase: 'dns', error: failed('ENOTFOUND') }, 'dns-error', 'backoff', 'warn'],
  refused: [{ phase: 'tcp', error: failed('ECONNREFUSED') }, 'tcp-refused', 'backoff', 'warn'],
  unreachable: [{ phase: 'tcp', error: failed('EHOSTUNREACH') }, 'tcp-timeout', 'backoff', 'warn'],
  'without a code': [{ phase: 'tcp', error: failed() }, 'tcp-error', 'backoff', 'warn'],
  'reset while TLS is negotiated': [
    { phase: 'tls', error: failed('ECONNRESET') },
    'tcp-reset',
    'backoff',
    'warn',
  ],
  'no TLS': [{ phase: 'tls', error: failed('EPROTO') }, 'tls-error', 'backoff', 'error'],
  'a wrong certificate': [
    { phase: 'tls', error: failed('CERT_HAS_EXPIRED') },
    'tls-error',
    'backoff',
    'error',
  ],
  'hung up on': [{ error: failed('ECONNRESET') }, 'tcp-reset', 'backoff', 'warn'],
  'no HTTP': [{ error: failed('HPE_INVALID_CONSTANT') }, 'handshake-invalid', 'backoff', 'error'],
  'a wrong accept': [
    { isUpgraded: true, error: failed() },
    'handshake-invalid',
    'backoff',
    'error',
  ],
  'a socket of an agent that breaks': [{ error: failed() }, 'tcp-error', 'backoff', 'warn'],
  'without a subprotocol': [
    { isUnmatched: true, error: failed() },
    'wrong-subprotocol',
    'backoff',
    'error',
  ],
  'by a function that threw': [
    { isTargetError: true, phase: 'config', error: failed() },
    'target-error',
    'backoff',
    'error',
  ],
  'wrong from the start': [{ phase: 'config', error: failed() }, 'config-error', 'never', 'error'],
  'without an answer': [{ phase: 'undisclosed' }, 'undisclosed', 'backoff', 'warn'],
  late: [{ isLate: true }, 'handshake-timeout', 'backoff', 'warn'],
  'gone without a close frame': [{}, 'abandoned', 'backoff', 'warn'],
  'asked to stop': [{ isAborted: true, isLate: true, error: failed() }, 'aborted', 'never', 'info'],
  forbidden: [{ answer: { status: 403 }, error: failed() }, 'rejected', 'backoff', 'warn'],
  unauthorized: [{ answer: { status: 401 } }, 'rejected', 'slow', 'warn'],
  gone: [{ answer: { status: 410 } }, 'rejected', 'never', 'warn'],
  busy: [{ answer: { status: 503 }, isLate: true }, 'rejected', 'backoff', 'warn'],
  'a chart that threw': [{ crash: failed(), isAborted: true }, 'crash', 'backoff', 'error'],
};

describe('describeDialFailure', () => {
  for (const [title, [evidence, ...expected]] of Object.entries(table)) {
    it(`${title}: ${expected.join(', ')}`, () => {
      const { cause, retry, level } = describeDialFailure({ ...nothing, ...evidence });
      assert.deepEqual([cause, retry, level], expected);
    });
  }

  it('keeps what is known, and nothing else', () => {
    const error = failed('EPROTO');
    const failure = describeDialFailure({ ...nothing, phase: 'tls', error });
    const about = { phase: 'tls', address: 'example.test', path: '/feed', error } as const;
    const expected: FailureDescription = {
      ...about,
      cause: 'tls-error',
      retry: 'backoff',
      level: 'error',
    };
    assert.deepEqual(failure, expected);
  });

  it('has the status, and the Retry-After if the answer had one', () => {
    const told = (answer: DialEvidence['answer']) => describeDialFailure({ ...nothing, answer });
    assert.deepEqual(Object.keys(told({ status: 503 })).includes('retryAfterMs'), false);
    const { httpStatus, retryAfterMs } = told({ status: 503, retryAfterMs: 0 });
    assert.deepEqual([httpStatus, retryAfterMs], [503, 0]);
  });
});

describe('phaseOfError', () => {
  const rows: [code: string, syscall: string | undefined, reached: FailurePhase, FailurePhase][] = [
    ['ENOTFOUND', 'getaddrinfo', 'dns', 'dns'],
    ['EAI_AGAIN', 'getaddrinfo', 'tcp', 'dns'],
    ['ECONNREFUSED', 'queryA', 'tcp', 'dns'],
    ['ECONNREFUSED', 'connect', 'dns', 'tcp'],
    ['ECONNREFUSED', undefined, 'dns', 'tcp'],
    ['EADDRNOTAVAIL', 'bind', 'dns', 'tcp'],
    ['EADDRNOTAVAIL', 'bind', 'http', 'tcp'],
    ['ETIMEDOUT', 'connect', 'http', 'tcp'],
    ['ECONNRESET', 'read', 'tls', 'tls'],
    ['EPROTO', 'write', 'tcp', 'tls'],
    ['ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED', undefined, 'http', 'tls'],
    ['ERR_TLS_CERT_ALTNAME_INVALID', undefined, 'tcp', 'tls'],
    ['DEPTH_ZERO_SELF_SIGNED_CERT', undefined, 'tcp', 'tls'],
    ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', undefined, 'http', 'tls'],
    ['HPE_INVALID_CONSTANT', undefined, 'tcp', 'http'],
    ['ERR_INVALID_PROTOCOL', undefined, 'config', 'config'],
  ];
  for (const [code, syscall, reached, phase] of rows) {
    it(`${code} of ${syscall ?? 'no system call'}, after ${reached}, belongs to ${phase}`, () => {
      const error = Object.assign(failed(code), syscall && { syscall });
      assert.equal(phaseOfError(error, reached), phase);
    });
  }

  it('is the phase that the attempt reached if there is no error', () => {
    assert.equal(phaseOfError(undefined, 'dns'), 'dns');
  });
});

describe('Retry-After', () => {
  const NOW = Date.parse('2026-11-21T12:00:00Z');
  const rows: [string | undefined, number | undefined][] = [
    [undefined, undefined],
    ['120', 120_000],
    [' 0 ', 0],
    ['Sat, 21 Nov 2026 12:00:30 GMT', 30_000],
    ['Sat, 21 Nov 2026 11:00:00 GMT', 0],
    ['Saturday, 21-Nov-26 12:00:30 GMT', 30_000],
    ['Sat Nov 21 12:00:30 2026', 30_000],
    ['soon', undefined],
    // Dates that only JavaScript accepts.
    ['soon 3', undefined],
    ['1.5', undefined],
    ['-5', undefined],
    ['+5', undefined],
    ['1e3', undefined],
    ['2026', 2_026_000],
    ['2026-11-21', undefined],
    ['Sat, 21 Nov 2026', undefined],
    ['Sat, 21 Nov 2026 25:61:61 GMT', undefined],
    ['120, 240', undefined],
    ['', undefined],
  ];
  for (const [header, expected] of rows) {
    it(`${JSON.stringify(header)} means ${expected}`, () => {
      assert.equal(retryAfterMs(header, NOW), expected);
    });
  }
});
