import type { CloseFrame, Level, Retry } from './close-code.ts';
import type { Trail } from './trail.ts';

/** How far a connection had got when it failed. */
export type FailurePhase =
  | 'config'
  | 'dns'
  | 'tcp'
  | 'tls'
  | 'http'
  | 'admission'
  /** Unknown, because a browser does not disclose how far an attempt got. */
  | 'undisclosed';

/** Why an accepted connection never opened. */
export type AcceptFailureCause =
  | 'bad-request'
  | 'wrong-method'
  | 'wrong-version'
  | 'wrong-path'
  | 'wrong-host'
  | 'wrong-origin'
  | 'wrong-subprotocol'
  | 'unauthorized'
  | 'refused'
  | 'authenticate-error'
  | 'connections-max'
  | 'address-max'
  | 'address-rate'
  | 'accept-rate'
  | 'suspended'
  | 'draining'
  | 'handshake-timeout'
  | 'abandoned'
  | 'tcp-reset'
  | 'tcp-timeout'
  | 'tcp-error'
  | 'taken-away'
  | 'not-upgraded'
  | 'crash';

/** Why a dialed connection never opened. */
export type DialFailureCause =
  | 'config-error'
  /** Your function for the URL or the connection options threw, rejected or returned an unusable value. */
  | 'target-error'
  | 'dns-error'
  | 'tcp-refused'
  | 'tcp-reset'
  | 'tcp-timeout'
  | 'tcp-error'
  | 'tls-error'
  | 'handshake-invalid'
  /** The server agreed to none of the offered subprotocols. */
  | 'wrong-subprotocol'
  | 'handshake-timeout'
  | 'rejected'
  | 'abandoned'
  | 'undisclosed'
  | 'aborted'
  | 'crash';

/** Why a connection never opened. */
export type FailureCause = AcceptFailureCause | DialFailureCause;

/**
 * An HTTP answer that refused a connection.
 *
 * Headers and body are foreign text: escape them before you show them. They may contain secrets, for example cookies.
 */
export interface FailureResponse {
  /** The status of the answer. */
  readonly status: number;
  /** Headers by their lower-case names. */
  readonly headers: Readonly<Record<string, string | readonly string[]>>;
  /** The first 4,096 bytes of the body, as far as they came within a second. Bytes that are not UTF-8 become U+FFFD. */
  readonly body: string;
}

/** Why a connection never opened. Reported exactly once, as `connection.failed`. */
export interface Failure {
  /** How far it had got. */
  readonly phase: FailurePhase;
  /** Why it failed. */
  readonly cause: FailureCause;
  /** The status of the HTTP answer, if there was one. */
  readonly httpStatus?: number;
  /** The code of the close frame that refused it after a 101, if there was one. */
  readonly closeCode?: number;
  /** The delay that `Retry-After` asked for, in milliseconds. Dialed connections only. */
  readonly retryAfterMs?: number;
  /** The HTTP answer to the upgrade request, if it was not a 101. Dialed connections in Node.js only. */
  readonly response?: FailureResponse;
  /** What a client should do after this failure. */
  readonly retry: Retry;
  /** The level at which to log it. */
  readonly level: Level;
  /** The system or application error behind it, if there is one. */
  readonly error?: Error;
  /** The address of the peer, in the form of `connection.address`; an empty string if the socket no longer had it. */
  readonly address: string;
  /** The path of the request, without its query. Foreign text: escape it before showing it. */
  readonly path: string;
  /** The Origin header, for `wrong-origin`. Foreign text: escape it before showing it. */
  readonly origin?: string;
  /** The Host header, for `wrong-origin` and `wrong-host`. Foreign text: escape it before showing it. */
  readonly host?: string;
  /** The option that refused, for `wrong-origin` and `wrong-host`: `admission.origins` or `admission.hosts`. */
  readonly option?: string;
  /** The last 16 facts of the connection, oldest first; empty in a browser, and if there was no connection. */
  readonly trail: Trail;
}

/** The part of a failure that follows from the evidence alone. */
export type FailureDescription = Omit<Failure, 'trail'>;

/** The headers of a request that an option refused. */
export type RefusedHeaders = Required<Pick<Failure, 'host' | 'option'>> & Pick<Failure, 'origin'>;

/** Headers of an HTTP answer by name. A list makes one header for each of its values. */
export type AnswerHeaders = Readonly<Record<string, string | number | readonly string[]>>;

/** A decision to refuse a connection, and the HTTP answer for it. */
export interface RefusalAnswer {
  readonly cause: AcceptFailureCause;
  readonly status: number;
  /** Plain text for the body of the answer. */
  readonly body: string;
  readonly headers?: AnswerHeaders;
  /** Sent after a 101 instead of the HTTP answer. */
  readonly closeFrame?: CloseFrame;
  readonly error?: Error;
  /** For the failure only. The answer does not contain it. */
  readonly refused?: RefusedHeaders;
}

/** An HTTP answer to a request of this side, other than 101. */
export interface DialAnswer {
  readonly status: number;
  /** The delay that its `Retry-After` asks for (RFC 9110 §10.2.3), in milliseconds. */
  readonly retryAfterMs?: number;
  readonly response?: FailureResponse;
}

/**
 * What a client does by default after an HTTP answer. During a deployment, or because of a proxy, nearly any status may appear
 * for a while. A 401 needs other credentials, and a 410 is permanent (RFC 9110 §15.5.11).
 */
export function retryAfterStatus(status: number): Retry {
  if (status === 410) return 'never';
  return status === 401 ? 'slow' : 'backoff';
}

/** The fields of a Node.js error that are read. The type of Node.js would need the types of Node.js in a page. */
type SystemError = Error & { readonly code?: string; readonly syscall?: string };

/** Maps a socket error to a cause, by its system code. */
export function tcpCause(error: Error): 'tcp-reset' | 'tcp-timeout' | 'tcp-error' {
  switch ((error as SystemError).code) {
    case 'ECONNRESET':
    case 'EPIPE':
    case 'ECONNABORTED':
      return 'tcp-reset';
    case 'ETIMEDOUT':
    case 'EHOSTUNREACH':
    case 'ENETUNREACH':
      return 'tcp-timeout';
    default:
      return 'tcp-error';
  }
}

// Accepted connections.

/** The phase and the level of each cause. A peer that gives up is no problem. A fault of this side is an error. */
const accepted: Readonly<Record<AcceptFailureCause, readonly [FailurePhase, Level]>> = {
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

/** What is known when an accepted connection fails. */
export interface FailureEvidence {
  readonly refusal?: RefusalAnswer | undefined;
  /** The application answers the request, with a status that is unknown here. */
  readonly isAnsweredByOthers?: boolean;
  readonly socketError?: Error | undefined;
  readonly crash?: Error | undefined;
  /** Another part of this process wrote to the socket, ended it or destroyed it. */
  readonly taken?: Error | undefined;
  readonly address: string;
  readonly path: string;
}

/** Describes why an accepted connection never opened. Pure. */
export function describeFailure(evidence: FailureEvidence): FailureDescription {
  const { refusal, crash, taken, socketError, address, path } = evidence;
  const cause = acceptFailureCause(evidence);
  const [phase, level] = accepted[cause];
  const error = crash ?? taken ?? refusal?.error ?? socketError;
  return {
    phase,
    cause,
    ...(refusal && !evidence.isAnsweredByOthers && answerGiven(refusal)),
    retry: refusal === undefined ? 'backoff' : retryAfterStatus(refusal.status),
    level,
    ...(error && { error }),
    address,
    path,
    ...refusal?.refused,
  };
}

function acceptFailureCause(evidence: FailureEvidence): AcceptFailureCause {
  const { crash, taken, refusal, socketError } = evidence;
  if (crash !== undefined) return 'crash';
  if (taken !== undefined) return 'taken-away';
  if (refusal !== undefined) return refusal.cause;
  return socketError === undefined ? 'abandoned' : tcpCause(socketError);
}

function answerGiven({ status, closeFrame }: RefusalAnswer): Partial<Failure> {
  return closeFrame === undefined ? { httpStatus: status } : { closeCode: closeFrame.code };
}

// Dialed connections.

/** What the connection knows about a failed attempt to dial. */
export interface AttemptEvidence {
  readonly error?: Error | undefined;
  /** This side gave up the attempt. */
  readonly isAborted: boolean;
  /** The deadline for opening has passed. */
  readonly isLate: boolean;
  /** The function of the application for the URL or the connection options failed. */
  readonly isTargetError: boolean;
  readonly crash?: Error | undefined;
  readonly address: string;
  readonly path: string;
}

/** The same, with what the transport knows. */
export interface DialEvidence extends AttemptEvidence {
  /** How far it had got. */
  readonly phase: FailurePhase;
  readonly answer?: DialAnswer | undefined;
  /** The server answered 101. */
  readonly isUpgraded?: boolean;
  /** The 101 named no subprotocol although some were offered, and the error reports that. */
  readonly isUnmatched?: boolean;
}

/** Why a dialed connection never opened, what to do about it, and the level at which to log it. */
type DialConclusion = Pick<Failure, 'retry' | 'level'> & { readonly cause: DialFailureCause };

/** Describes why a dialed connection never opened, where the socket is visible. Pure. */
export function describeDialFailure(evidence: DialEvidence): FailureDescription {
  const { answer } = evidence;
  return {
    ...dialFailure(evidence, concludeOfSocket(evidence) ?? conclude(evidence)),
    ...(answer && { httpStatus: answer.status }),
    ...(answer?.retryAfterMs !== undefined && { retryAfterMs: answer.retryAfterMs }),
    ...(answer?.response && { response: answer.response }),
  };
}

/** The same in a page, which sees no answer, and no error except a wrong target. Pure. */
export function describePageFailure(evidence: DialEvidence): FailureDescription {
  return dialFailure(evidence, conclude(evidence));
}

function dialFailure(evidence: DialEvidence, conclusion: DialConclusion): FailureDescription {
  const { phase, address, path } = evidence;
  const error = evidence.crash ?? evidence.error;
  return { phase, ...conclusion, ...(error && { error }), address, path };
}

/** What this side did takes precedence over what the network did. */
function conclude(evidence: DialEvidence): DialConclusion {
  if (evidence.crash !== undefined) return fault('crash', 'backoff');
  if (evidence.isAborted) return { cause: 'aborted', retry: 'never', level: 'info' };
  if (evidence.isTargetError) return fault('target-error', 'backoff');
  if (evidence.isLate) return trouble('handshake-timeout');
  if (evidence.phase === 'undisclosed') return trouble('undisclosed');
  return evidence.error === undefined ? trouble('abandoned') : fault('config-error', 'never');
}

/** The answer of the peer counts unless this side gave up. After that, the network error counts unless this side was late. */
function concludeOfSocket(evidence: DialEvidence): DialConclusion | undefined {
  const { answer, error } = evidence;
  if (evidence.crash !== undefined || evidence.isAborted) return undefined;
  if (answer !== undefined) return trouble('rejected', retryAfterStatus(answer.status));
  if (evidence.isTargetError || evidence.isLate || error === undefined) return undefined;
  if (evidence.isUnmatched) return fault('wrong-subprotocol', 'backoff');
  return errorConclusion(evidence, error);
}

function errorConclusion(
  { phase, isUpgraded = false }: DialEvidence,
  error: SystemError,
): DialConclusion | undefined {
  if (phase === 'config' || phase === 'undisclosed') return undefined;
  if (phase === 'dns') return trouble('dns-error');
  if (error.code === 'ECONNREFUSED') return trouble('tcp-refused');
  if (isNetworkError(error)) return trouble(tcpCause(error));
  if (phase === 'tls') return fault('tls-error', 'backoff');
  // Any other error before the answer is a socket error. An agent may have made the socket, so the error may have no code.
  const isOfAnswer = isUpgraded || error.code?.startsWith('HPE_') === true;
  return phase === 'http' && isOfAnswer
    ? fault('handshake-invalid', 'backoff')
    : trouble('tcp-error');
}

/** A temporary problem. */
function trouble(cause: DialFailureCause, retry: Retry = 'backoff'): DialConclusion {
  return { cause, retry, level: 'warn' };
}

/** A problem that stays until a person fixes it. */
function fault(cause: DialFailureCause, retry: Retry): DialConclusion {
  return { cause, retry, level: 'error' };
}

/** Errors of system calls have codes like `ECONNRESET`. `EPROTO` is an error of OpenSSL. */
export function isNetworkError({ code }: SystemError): boolean {
  return code !== undefined && /^E[A-Z0-9]+$/.test(code) && code !== 'EPROTO';
}

/**
 * Finds the phase in which an error arose. Pure.
 *
 * Most errors show it themselves. Events of the socket may come late, or never if an agent dials. In TLS 1.3, the server
 * refuses the certificate of a client after the client has sent its request (RFC 8446 §4.4.2.4).
 *
 * @param reached - how far the attempt had got.
 */
export function phaseOfError(error: SystemError | undefined, reached: FailurePhase): FailurePhase {
  if (error === undefined || reached === 'config') return reached;
  const { code = '', syscall = '' } = error;
  if (/^(getaddrinfo|query)/.test(syscall) || /^(ENOTFOUND|EAI_\w+)$/.test(code)) return 'dns';
  if (tlsError.test(code)) return 'tls';
  if (code.startsWith('HPE_')) return 'http';
  return /^(connect|bind)$/.test(syscall) || reached === 'dns' ? 'tcp' : reached;
}

/** Codes of TLS errors: those of OpenSSL and Node.js, and the results of certificate checks. */
const tlsError =
  /^(EPROTO|ERR_(SSL|TLS|OSSL)_\w+|(UNABLE_TO|CERT|CRL|SELF_SIGNED|DEPTH_ZERO|ERROR_IN)_\w+|INVALID_(CA|PURPOSE)|PATH_LENGTH_EXCEEDED|HOSTNAME_MISMATCH)$/;
