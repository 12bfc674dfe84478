import type { Level, Retry } from './close-code.ts';
import {
  type DialFailureCause,
  type Failure,
  type FailurePhase,
  retryAfterStatus,
} from './failure.ts';
import { tcpCause } from './verdict.ts';

/** What is known when an attempt to dial has failed. */
export interface DialEvidence {
  /** How far it had come. */
  readonly phase: FailurePhase;
  readonly error?: Error | undefined;
  /** The HTTP answer, when one came that was not 101. */
  readonly answer?: DialAnswer | undefined;
  /** This side gave the attempt up. */
  readonly isAborted: boolean;
  /** The time for opening was up. */
  readonly isLate: boolean;
  /** The application could not tell where to dial. */
  readonly isTargetless: boolean;
  readonly crash?: Error | undefined;
  readonly address: string;
  readonly path: string;
}

/** An HTTP answer other than 101. */
export interface DialAnswer {
  readonly status: number;
  /** What its `Retry-After` asks for (RFC 9110 §10.2.3), in milliseconds. */
  readonly retryAfterMs?: number;
}

type ErrorWithCode = Error & { readonly code?: string };

interface DialConclusion {
  readonly cause: DialFailureCause;
  readonly retry: Retry;
  readonly level: Level;
}

const CRASH: DialConclusion = { cause: 'crash', retry: 'backoff', level: 'error' };
const ABORTED: DialConclusion = { cause: 'aborted', retry: 'never', level: 'info' };
const CONFIG: DialConclusion = { cause: 'config-error', retry: 'never', level: 'error' };
const TARGETLESS: DialConclusion = { cause: 'target-error', retry: 'backoff', level: 'error' };
const LATE: DialConclusion = { cause: 'handshake-timeout', retry: 'backoff', level: 'warn' };
const DNS: DialConclusion = { cause: 'dns-error', retry: 'backoff', level: 'warn' };
const TLS: DialConclusion = { cause: 'tls-error', retry: 'never', level: 'error' };
const INVALID: DialConclusion = { cause: 'handshake-invalid', retry: 'never', level: 'error' };
const REFUSED: DialConclusion = { cause: 'tcp-refused', retry: 'backoff', level: 'warn' };
const UNDISCLOSED: DialConclusion = { cause: 'undisclosed', retry: 'backoff', level: 'warn' };
const ABANDONED: DialConclusion = { cause: 'abandoned', retry: 'backoff', level: 'warn' };

/** Says why a dialed connection never opened. Pure. */
export function describeDialFailure(evidence: DialEvidence): Failure {
  const { phase, answer, address, path } = evidence;
  const error = evidence.crash ?? evidence.error;
  return {
    phase,
    ...conclude(evidence),
    ...(answer && { httpStatus: answer.status }),
    ...(answer?.retryAfterMs !== undefined && { retryAfterMs: answer.retryAfterMs }),
    ...(error && { error }),
    address,
    path,
  };
}

/** What this side did outranks what the peer said, and that outranks what the network did in the end. */
function conclude(evidence: DialEvidence): DialConclusion {
  const { crash, isAborted, answer, isLate, isTargetless, phase, error } = evidence;
  if (crash !== undefined) return CRASH;
  if (isAborted) return ABORTED;
  if (answer !== undefined) {
    return { cause: 'rejected', retry: retryAfterStatus(answer.status), level: 'warn' };
  }
  if (isTargetless) return TARGETLESS;
  if (isLate) return LATE;
  if (phase === 'undisclosed') return UNDISCLOSED;
  return error === undefined ? ABANDONED : errorConclusion(phase, error);
}

function errorConclusion(phase: FailurePhase, error: ErrorWithCode): DialConclusion {
  if (phase === 'config') return CONFIG;
  if (phase === 'dns') return DNS;
  if (error.code === 'ECONNREFUSED') return REFUSED;
  if (isNetworkError(error)) return { cause: tcpCause(error), retry: 'backoff', level: 'warn' };
  if (phase === 'tls') return TLS;
  return phase === 'http' ? INVALID : { cause: 'tcp-error', retry: 'backoff', level: 'warn' };
}

/** Errors of system calls have codes like `ECONNRESET`; `EPROTO` is what OpenSSL's come as. */
function isNetworkError({ code }: ErrorWithCode): boolean {
  return code !== undefined && /^E[A-Z0-9]+$/.test(code) && code !== 'EPROTO';
}
