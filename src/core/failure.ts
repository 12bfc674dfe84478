import type { CloseFrame, Level, Retry } from './close-code.ts';
import { tcpCause } from './verdict.ts';

/** How far a connection had come when it failed. */
export type FailurePhase =
  | 'config'
  | 'dns'
  | 'tcp'
  | 'tls'
  | 'http'
  | 'admission'
  /** Somewhere on the way to open: a browser does not tell a page where. */
  | 'undisclosed';

/** Why a connection that came to us never opened. */
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

/** Why a connection that this side dialed never opened. */
export type DialFailureCause =
  | 'config-error'
  /** What tells the URL or the headers threw or rejected. */
  | 'target-error'
  | 'dns-error'
  | 'tcp-refused'
  | 'tcp-reset'
  | 'tcp-timeout'
  | 'tcp-error'
  | 'tls-error'
  | 'handshake-invalid'
  | 'handshake-timeout'
  | 'rejected'
  | 'abandoned'
  | 'undisclosed'
  | 'aborted'
  | 'crash';

/** Why a connection never opened. */
export type FailureCause = AcceptFailureCause | DialFailureCause;

/** Why a connection never opened. Reported exactly once, as `connection.failed`. */
export interface Failure {
  readonly phase: FailurePhase;
  readonly cause: FailureCause;
  /** The status of the HTTP answer, when one was given. */
  readonly httpStatus?: number;
  /** The code of the close frame that refused it behind a 101, when one did. */
  readonly closeCode?: number;
  /** What `Retry-After` asked for, in milliseconds. Dialed connections only. */
  readonly retryAfterMs?: number;
  /** What a client that was refused like this should do. */
  readonly retry: Retry;
  readonly level: Level;
  readonly error?: Error;
  /** The peer's address, as `connection.address` has it; an empty string when the socket no longer knew it. */
  readonly address: string;
  /** The path asked for, without its query. Foreign text: escape it before showing it. */
  readonly path: string;
  /** The Origin header, of `wrong-origin`. Foreign text: escape it before showing it. */
  readonly origin?: string;
  /** The Host header, of `wrong-origin` and `wrong-host`. Foreign text: escape it before showing it. */
  readonly host?: string;
  /** The option that refused, of `wrong-origin` and `wrong-host`: `admission.origins` or `admission.hosts`. */
  readonly option?: string;
}

/** What a request said that an option refused. */
export type RefusedHeaders = Required<Pick<Failure, 'host' | 'option'>> & Pick<Failure, 'origin'>;

/** Headers of an HTTP answer by their names; a list makes one header of each of its values. */
export type AnswerHeaders = Readonly<Record<string, string | number | readonly string[]>>;

/** A decision not to open, and the HTTP answer that says so. */
export interface RefusalAnswer {
  readonly cause: AcceptFailureCause;
  readonly status: number;
  /** Plain text for the body of the answer. */
  readonly body: string;
  readonly headers?: AnswerHeaders;
  /** Sent behind a 101 instead of the HTTP answer. */
  readonly closeFrame?: CloseFrame;
  readonly error?: Error;
  /** For the failure alone; the answer says nothing of it. */
  readonly refused?: RefusedHeaders;
}

/** Statuses below 500 after which the same request may succeed later. */
const RETRYABLE_STATUSES: ReadonlySet<number> = new Set([408, 425, 429]);

/** What a client does by default after an HTTP answer. */
export function retryAfterStatus(status: number): Retry {
  return status >= 500 || RETRYABLE_STATUSES.has(status) ? 'backoff' : 'never';
}

/** How loudly a failure is logged: what the peer gave up is its own business, our faults are not. */
export function failureLevel(cause: AcceptFailureCause): Level {
  switch (cause) {
    case 'abandoned':
    case 'tcp-reset':
    case 'tcp-timeout':
    case 'tcp-error':
    case 'wrong-path':
    case 'not-upgraded':
    case 'unauthorized':
    case 'refused':
    case 'suspended':
    case 'draining':
      return 'info';
    case 'bad-request':
    case 'wrong-method':
    case 'wrong-version':
    case 'wrong-host':
    case 'wrong-origin':
    case 'wrong-subprotocol':
    case 'connections-max':
    case 'address-max':
    case 'address-rate':
    case 'accept-rate':
    case 'handshake-timeout':
      return 'warn';
    case 'authenticate-error':
    case 'taken-away':
    case 'crash':
      return 'error';
  }
}

/** The phase a server-side cause belongs to. */
export function failurePhase(cause: AcceptFailureCause): FailurePhase {
  switch (cause) {
    case 'bad-request':
    case 'wrong-method':
    case 'wrong-version':
    case 'not-upgraded':
      return 'http';
    case 'abandoned':
    case 'tcp-reset':
    case 'tcp-timeout':
    case 'tcp-error':
      return 'tcp';
    case 'taken-away':
      return 'config';
    default:
      return 'admission';
  }
}

/** What is known when a connection fails. */
export interface FailureEvidence {
  readonly refusal?: RefusalAnswer | undefined;
  /** The application answers the request, with a status that is not known here. */
  readonly isAnsweredByOthers?: boolean;
  readonly socketError?: Error | undefined;
  readonly crash?: Error | undefined;
  /** Another part of this process wrote to the socket, ended it or destroyed it. */
  readonly taken?: Error | undefined;
  readonly address: string;
  readonly path: string;
}

/** Says why a connection never opened. Pure. */
export function describeFailure(evidence: FailureEvidence): Failure {
  const { refusal, socketError, address, path } = evidence;
  const cause = failureCause(evidence);
  const error = evidence.crash ?? evidence.taken ?? refusal?.error ?? socketError;
  return {
    phase: failurePhase(cause),
    cause,
    ...(refusal && !evidence.isAnsweredByOthers && answerGiven(refusal)),
    retry: refusal === undefined ? 'backoff' : retryAfterStatus(refusal.status),
    level: failureLevel(cause),
    ...(error && { error }),
    address,
    path,
    ...refusal?.refused,
  };
}

function answerGiven({
  status,
  closeFrame,
}: RefusalAnswer): Pick<Failure, 'httpStatus' | 'closeCode'> {
  return closeFrame === undefined ? { httpStatus: status } : { closeCode: closeFrame.code };
}

function failureCause({ crash, taken, refusal, socketError }: FailureEvidence): AcceptFailureCause {
  if (crash !== undefined) return 'crash';
  if (taken !== undefined) return 'taken-away';
  if (refusal !== undefined) return refusal.cause;
  return socketError === undefined ? 'abandoned' : tcpCause(socketError);
}
