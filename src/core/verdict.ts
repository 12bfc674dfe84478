import { type CloseFrame, closeMeaning, type Level, type Retry } from './close-code.ts';
import { tcpCause } from './failure.ts';
import type { Trail } from './trail.ts';

/** Who ended the connection. */
export type Origin = 'local' | 'peer' | 'network';

/** What this side asked for before the socket ended. The first request counts. */
export type LocalCause =
  | 'close'
  | 'drain'
  | 'terminate'
  | 'fail'
  | 'handler-error'
  | 'crash'
  | 'welcome-timeout'
  | 'handler-stalled'
  | 'reader-too-slow'
  | 'expired'
  | 'invalid-message'
  | 'message-rate'
  | 'slow-consumer'
  | 'missed-messages'
  | 'replaced'
  | 'silent'
  | 'heartbeat-timeout'
  | 'ping-flood';

/** Why an open connection ended. */
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
  | 'connection-lost'
  | 'unknown';

/** Why this side refuses the rest of a message. */
export type RefusedMessage = Extract<CloseCause, 'message-limit' | 'message-timeout' | 'overload'>;

/** How an open connection ended. Reported exactly once, as `connection.closed`. */
export interface CloseVerdict {
  /** The code that the peer sent; 1005 for an empty close frame, 1006 if none came (RFC 6455 §7.1.5). */
  readonly code: number;
  /** The reason that the peer sent, or an empty string. Foreign text: escape it before showing it. */
  readonly reason: string;
  /** The close frame that this side sent, either first or as an answer; its code is 1005 if it was empty. */
  readonly sent?: CloseFrame;
  /** Who ended it. */
  readonly origin: Origin;
  /** Where it ended: `websocket` with close frames, `tcp` below them. */
  readonly layer: 'websocket' | 'tcp';
  /** Whether both close frames were exchanged (RFC 6455 §7.1.4). */
  readonly clean: boolean;
  /** Why it ended. */
  readonly cause: CloseCause;
  /** What a client should do after this ending. */
  readonly retry: Retry;
  /** The level at which to log it. */
  readonly level: Level;
  /**
   * The peer started closing before it can have read the close frame of this side. `code` is the peer's, `sent` is this side's.
   */
  readonly simultaneous?: true;
  /** The closing handshake was complete, but the peer kept the TCP connection open. */
  readonly lingered?: true;
  /** The system or application error that ended it, if there is one. */
  readonly error?: Error;
  /** How long the connection was open, in milliseconds. */
  readonly openMs: number;
  /** Bytes received since it opened, framing included. */
  readonly bytesIn: number;
  /** Bytes written to the socket since it opened, framing included. */
  readonly bytesOut: number;
  /** The last 16 facts of the connection, oldest first; empty in a browser. */
  readonly trail: Trail;
}

/** What is known about an ending. Each field keeps the first occurrence. */
export interface Evidence {
  /** What this side had asked for. */
  intent?: LocalCause | undefined;
  /** The close frame that left this side. */
  sent?: CloseFrame | undefined;
  /** The close frame that arrived; 1005 when it was empty. */
  received?: CloseFrame | undefined;
  /** How many bytes had arrived when `sent` left, if `sent` is not an answer. */
  sentAtBytesIn?: number;
  /** The close frame of the peer cannot be an answer to `sent`. */
  simultaneous?: boolean;
  /** ws saw both close frames. */
  clean?: boolean;
  /** The fault that ws or this side found in the bytes of the peer. */
  protocolError?: Error | undefined;
  /** The bytes follow the protocol, but this side refuses the rest of the message. */
  refused?: RefusedMessage | undefined;
  /** What code of the application or of Mooring threw. */
  handlerError?: Error | undefined;
  socketError?: Error | undefined;
  sendError?: Error | undefined;
  /** Another part of this process wrote to the socket, ended it or destroyed it. */
  taken?: Error | undefined;
  /** The peer ended its side of the TCP connection. */
  ended?: boolean;
  /** A deadline of closing passed, so the socket was destroyed. */
  forced?: boolean;
}

/** The part of a verdict that follows from the evidence alone. */
export type Classification = Omit<CloseVerdict, 'openMs' | 'bytesIn' | 'bytesOut' | 'trail'>;

/** Derives the ending of a connection from the evidence, where the socket is visible. Pure. */
export function classifyClose(evidence: Evidence): Classification {
  return classification(evidence, concludeOfSocket(evidence) ?? conclude(evidence, 'unknown'));
}

/**
 * The same in a page, which sees nothing of the socket: without a close frame, a page learns only that the connection ended.
 * Pure.
 */
export function classifyPageClose(evidence: Evidence): Classification {
  return classification(evidence, violation(evidence) ?? conclude(evidence, 'connection-lost'));
}

/** Gives all results one shape without spreading, because spread objects cost 4 KB of garbage for each end (measured). */
function classification(evidence: Evidence, conclusion: Conclusion): Classification {
  const { received, error, origin, layer, cause, retry, level } = conclusion;
  const { sent, simultaneous, forced } = evidence;
  const { code, reason } = received ?? abnormal;
  const clean = received !== undefined && evidence.clean === true;
  const result: Mutable<Classification> = {
    code,
    reason,
    origin,
    layer,
    clean,
    cause,
    retry,
    level,
  };
  if (sent !== undefined) result.sent = sent;
  if (received !== undefined && simultaneous) result.simultaneous = true;
  if (clean && forced) result.lingered = true;
  if (error !== undefined) result.error = error;
  return result;
}

/** Stands for an end without a close frame (RFC 6455 §7.1.5). */
const abnormal: CloseFrame = { code: 1006, reason: '' };

/** A value under construction. */
export type Mutable<Value> = { -readonly [Key in keyof Value]: Value[Key] };

/** The conclusion from the evidence. `received` is the peer's close frame, unless something else ended the connection. */
type Conclusion = Pick<Classification, 'origin' | 'layer' | 'cause' | 'retry' | 'level'> &
  Pick<Evidence, 'received'> & { readonly error: Error | undefined };

/**
 * Finds what ended the connection in the evidence about the socket. Returns `undefined` if the close frame of the peer or a
 * request of this side ended it: a TCP error often follows a close frame.
 */
function concludeOfSocket(evidence: Evidence): Conclusion | undefined {
  const { taken, intent, received } = evidence;
  if (taken !== undefined && intent === undefined) {
    return {
      origin: 'local',
      layer: 'tcp',
      cause: 'taken-away',
      retry: 'backoff',
      level: 'error',
      received,
      error: taken,
    };
  }
  const found = violation(evidence);
  if (found !== undefined) return found;
  const isLost = received === undefined && intent === undefined;
  return isLost ? networkEnding(evidence, networkCause(evidence)) : undefined;
}

/** This side ended the connection because of what the peer sent. */
function violation({ protocolError, refused }: Evidence): Conclusion | undefined {
  if (protocolError === undefined) return undefined;
  return {
    origin: 'local',
    layer: 'websocket',
    cause: refused ?? 'protocol-error',
    retry: 'backoff',
    level: refused === undefined ? 'error' : 'warn',
    error: protocolError,
  };
}

/** A close frame of the peer takes precedence over a request of this side. `lost` is the cause if there is neither. */
function conclude(evidence: Evidence, lost: CloseCause): Conclusion {
  const { received, intent } = evidence;
  if (received !== undefined) return closeFrame(evidence, received);
  return intent === undefined ? networkEnding(evidence, lost) : localEnding(evidence, intent);
}

/** If this side asked for the end first, that is the cause, and the code of the peer's answer does not matter. */
function closeFrame(evidence: Evidence, received: CloseFrame): Conclusion {
  const { intent, sent = received } = evidence;
  // The close frame came too late. The only close frame that this side sent is the answer to it.
  if (intent === 'heartbeat-timeout')
    return { ...localEnding(evidence, intent), layer: 'websocket', received };
  const { retry, level } = closeMeaning((intent === undefined ? received : sent).code);
  return {
    origin: intent === undefined ? 'peer' : 'local',
    layer: 'websocket',
    cause: intent ?? 'peer-close',
    retry,
    level: intent === undefined ? level : localLevel(intent),
    received,
    error: firstError(evidence),
  };
}

function localEnding(evidence: Evidence, intent: LocalCause): Conclusion {
  const timedOut = (intent === 'close' || intent === 'drain') && evidence.forced === true;
  return {
    origin: intent === 'heartbeat-timeout' ? 'network' : 'local',
    layer: 'tcp',
    cause: timedOut ? 'close-timeout' : intent,
    retry: 'backoff',
    level: timedOut ? 'warn' : localLevel(intent),
    error: firstError(evidence),
  };
}

function networkEnding(evidence: Evidence, cause: CloseCause): Conclusion {
  return {
    origin: cause === 'send-error' && evidence.socketError === undefined ? 'local' : 'network',
    layer: 'tcp',
    cause,
    retry: 'backoff',
    level: cause === 'tcp-fin' ? 'info' : 'warn',
    error: firstError(evidence),
  };
}

/** If TCP ended first, that stays the cause: later errors are its consequences. */
function networkCause({ ended, forced, socketError, sendError }: Evidence): CloseCause {
  if (ended) return forced ? 'tcp-fin-backlog' : 'tcp-fin';
  if (socketError !== undefined) return tcpCause(socketError);
  if (sendError === undefined) return 'unknown';
  const cause = tcpCause(sendError);
  return cause === 'tcp-error' ? 'send-error' : cause;
}

function firstError({ handlerError, socketError, sendError }: Evidence): Error | undefined {
  return handlerError ?? socketError ?? sendError;
}

/** An ending that this side asked for is no problem, unless a problem was the reason for it. */
function localLevel(intent: LocalCause): Level {
  switch (intent) {
    case 'close':
    case 'drain':
    case 'terminate':
    case 'expired':
    case 'replaced':
      return 'info';
    case 'invalid-message':
    case 'message-rate':
    case 'slow-consumer':
    case 'missed-messages':
    case 'silent':
    case 'heartbeat-timeout':
    case 'ping-flood':
      return 'warn';
    case 'fail':
    case 'handler-error':
    case 'crash':
    case 'welcome-timeout':
    case 'handler-stalled':
    case 'reader-too-slow':
      return 'error';
  }
}
