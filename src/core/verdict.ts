import { type CloseFrame, closeCodeInfo, type Level, type Retry } from './close-code.ts';
import type { DialAnswer } from './dial-failure.ts';

/** Who ended the connection. */
export type Origin = 'local' | 'peer' | 'network';

/** What this side asked for, before the socket ended. The first intent counts. */
export type LocalCause =
  | 'close'
  | 'drain'
  | 'terminate'
  | 'fail'
  | 'handler-error'
  | 'crash'
  | 'welcome-timeout'
  | 'handler-stalled'
  | 'expired'
  | 'invalid-message'
  | 'message-rate'
  | 'slow-consumer'
  | 'heartbeat-timeout'
  | 'ping-flood';

/** Why a connection that was open ended. */
export type CloseCause =
  | LocalCause
  | 'peer-close'
  | 'close-timeout'
  | 'protocol-error'
  | 'message-limit'
  | 'message-timeout'
  | 'overload'
  | 'taken-away'
  | 'send-error'
  | 'tcp-fin'
  | 'tcp-fin-backlog'
  | 'tcp-reset'
  | 'tcp-timeout'
  | 'tcp-error'
  | 'unknown';

/** Why this side does not wait for the rest of a message of the peer. */
export type RefusedMessage = Extract<CloseCause, 'message-limit' | 'message-timeout' | 'overload'>;

/** How a connection that was open ended. Reported exactly once, as `connection.closed`. */
export interface CloseVerdict {
  /** The code the peer sent; 1005 for an empty close frame, 1006 when none came (RFC 6455 §7.1.5). */
  readonly code: number;
  /** The reason the peer sent, or an empty string. Foreign text: escape it before showing it. */
  readonly reason: string;
  /** The close frame this side sent, of its own accord or as the answer to the peer's; code 1005 for an empty one. */
  readonly sent?: CloseFrame;
  readonly origin: Origin;
  /** Where it ended: with a closing handshake, or below it. */
  readonly layer: 'websocket' | 'tcp';
  /** Whether both close frames were exchanged (RFC 6455 §7.1.4). */
  readonly clean: boolean;
  readonly cause: CloseCause;
  readonly retry: Retry;
  readonly level: Level;
  /** The peer started closing before it can have read the close frame of this side; `code` is the peer's, `sent` ours. */
  readonly simultaneous?: true;
  /** The closing handshake was done but the peer kept the TCP connection. */
  readonly lingered?: true;
  readonly error?: Error;
  /** How long the connection was open, in milliseconds. */
  readonly openMs: number;
  /** Bytes received since it opened, framing included. */
  readonly bytesIn: number;
  /** Bytes given to the socket since it opened, framing included. */
  readonly bytesOut: number;
}

/** What the connection saw of an ending. Each field keeps the first thing that happened. */
export interface Evidence {
  /** What this side had asked for. */
  intent?: LocalCause | undefined;
  /** The close frame that left this side. */
  sent?: CloseFrame | undefined;
  /** The close frame that arrived; 1005 when it was empty. */
  received?: CloseFrame | undefined;
  /** How many bytes had arrived when it was sent, if it is no answer to the peer's. */
  sentAtBytesIn?: number;
  /** The peer's close frame cannot be an answer to ours. */
  simultaneous?: boolean;
  /** ws saw both close frames. */
  clean?: boolean;
  /** What ws, or this side, found wrong in the bytes of the peer. */
  protocolError?: Error | undefined;
  /** The bytes keep to the protocol, but this side does not wait for the rest of the message. */
  refused?: RefusedMessage | undefined;
  /** What the user's code or ours threw. */
  handlerError?: Error | undefined;
  socketError?: Error | undefined;
  sendError?: Error | undefined;
  /** Before it opened, an HTTP answer other than 101 came. */
  answer?: DialAnswer | undefined;
  /** Another part of this process wrote to the socket, ended it or destroyed it. */
  taken?: Error | undefined;
  /** The peer ended its side of the TCP connection. */
  ended?: boolean;
  /** A deadline of closing passed, so the socket was destroyed. */
  forced?: boolean;
}

/** The part of a verdict that follows from the evidence alone. */
export type Classification = Omit<CloseVerdict, 'openMs' | 'bytesIn' | 'bytesOut'>;

/**
 * Says from the evidence how a connection ended. Pure.
 *
 * Precedence: what another part of this process did to the socket, a violation of the protocol, then a close frame of the peer (it outranks the TCP error that
 * often follows it), then what this side had asked for, then what the network did.
 */
export function classifyClose(evidence: Evidence): Classification {
  if (evidence.taken !== undefined && evidence.intent === undefined) {
    return takenAway(evidence, evidence.taken);
  }
  if (evidence.protocolError !== undefined) return protocolError(evidence, evidence.protocolError);
  if (evidence.received !== undefined) return closeFrame(evidence, evidence.received);
  if (evidence.intent !== undefined) return localEnding(evidence, evidence.intent);
  return networkEnding(evidence);
}

function takenAway(evidence: Evidence, error: Error): Classification {
  const { received } = evidence;
  const conclusion: CloseConclusion = {
    origin: 'local',
    layer: 'tcp',
    cause: 'taken-away',
    retry: 'backoff',
    level: 'error',
  };
  return classification(evidence, conclusion, { ...(received && { received }), error });
}

function protocolError(evidence: Evidence, error: Error): Classification {
  const { refused } = evidence;
  const conclusion: CloseConclusion = {
    origin: 'local',
    layer: 'websocket',
    cause: 'protocol-error',
    retry: 'never',
    level: 'error',
    ...(refused !== undefined && { cause: refused, retry: 'backoff', level: 'warn' }),
  };
  return classification(evidence, conclusion, { error });
}

function closeFrame(evidence: Evidence, received: CloseFrame): Classification {
  const { intent, sent = received } = evidence;
  const info = closeCodeInfo(received.code);
  const conclusion: CloseConclusion = {
    origin: intent === undefined ? 'peer' : 'local',
    layer: 'websocket',
    cause: intent ?? 'peer-close',
    // What ended it is what this side asked for, whatever code the peer answers with.
    retry: intent === undefined ? info.retry : closeCodeInfo(sent.code).retry,
    level: intent === undefined ? info.level : localLevel(intent),
  };
  return classification(evidence, conclusion, { received, error: firstError(evidence) });
}

function localEnding(evidence: Evidence, intent: LocalCause): Classification {
  const timedOut = (intent === 'close' || intent === 'drain') && evidence.forced === true;
  const conclusion: CloseConclusion = {
    origin: intent === 'heartbeat-timeout' ? 'network' : 'local',
    layer: 'tcp',
    cause: timedOut ? 'close-timeout' : intent,
    retry: 'backoff',
    level: timedOut ? 'warn' : localLevel(intent),
  };
  return classification(evidence, conclusion, { error: firstError(evidence) });
}

function networkEnding(evidence: Evidence): Classification {
  const cause = networkCause(evidence);
  const conclusion: CloseConclusion = {
    origin: cause === 'send-error' && evidence.socketError === undefined ? 'local' : 'network',
    layer: 'tcp',
    cause,
    retry: 'backoff',
    level: cause === 'tcp-fin' ? 'info' : 'warn',
  };
  return classification(evidence, conclusion, { error: firstError(evidence) });
}

type CloseConclusion = Pick<Classification, 'origin' | 'layer' | 'cause' | 'retry' | 'level'>;

/** What was received, if it is what ended the connection, and the first error. */
interface Grounds {
  readonly received?: CloseFrame;
  readonly error: Error | undefined;
}

/** The frame of an end without a frame (RFC 6455 §7.1.5). */
const abnormal: CloseFrame = { code: 1006, reason: '' };

/** One shape for all: objects put together by spreading cost 4 KB of garbage for each end (measured). */
function classification(
  { sent, simultaneous, forced, clean }: Evidence,
  { origin, layer, cause, retry, level }: CloseConclusion,
  { received, error }: Grounds,
): Classification {
  const { code, reason } = received ?? abnormal;
  const isClean = received !== undefined && clean === true;
  const result: Mutable<Classification> = {
    code,
    reason,
    origin,
    layer,
    clean: isClean,
    cause,
    retry,
    level,
  };
  if (sent !== undefined) result.sent = sent;
  if (received !== undefined && simultaneous) result.simultaneous = true;
  if (isClean && forced) result.lingered = true;
  if (error !== undefined) result.error = error;
  return result;
}

/** A value under construction. */
export type Mutable<Value> = { -readonly [Key in keyof Value]: Value[Key] };

/** An end of TCP that was seen first stays the cause: errors after it are its consequences. */
function networkCause(evidence: Evidence): CloseCause {
  if (evidence.ended) return evidence.forced ? 'tcp-fin-backlog' : 'tcp-fin';
  if (evidence.socketError !== undefined) return tcpCause(evidence.socketError);
  if (evidence.sendError === undefined) return 'unknown';
  const cause = tcpCause(evidence.sendError);
  return cause === 'tcp-error' ? 'send-error' : cause;
}

/** Names what a socket error means, by its system code. */
export function tcpCause(error: Error): 'tcp-reset' | 'tcp-timeout' | 'tcp-error' {
  switch ((error as NodeJS.ErrnoException).code) {
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

function firstError(evidence: Evidence): Error | undefined {
  return evidence.handlerError ?? evidence.socketError ?? evidence.sendError;
}

/** What we started ourselves is no error, unless we started it because something was wrong. */
function localLevel(intent: LocalCause): Level {
  switch (intent) {
    case 'close':
    case 'drain':
    case 'terminate':
    case 'expired':
      return 'info';
    case 'invalid-message':
    case 'message-rate':
    case 'slow-consumer':
    case 'heartbeat-timeout':
    case 'ping-flood':
      return 'warn';
    case 'fail':
    case 'handler-error':
    case 'crash':
    case 'welcome-timeout':
    case 'handler-stalled':
      return 'error';
  }
}
