import type { Ending } from '../../../src/client/client-types.ts';
import { causeOf } from '../dialed/accounts.ts';
import type { Attempt, Sign } from './attempt.ts';

/** The causes that correctly describe what came first. */
const causes: Readonly<Record<Exclude<Sign, 'itself'>, readonly string[]>> = {
  reset: ['closed tcp-reset', 'failed tcp-reset'],
  refused: ['failed tcp-refused'],
  rejected: ['failed rejected'],
  fin: ['closed tcp-fin', 'closed tcp-fin-backlog'],
  'close-frame': ['closed peer-close'],
  violation: ['closed protocol-error'],
  'socket-closed': [],
  'our-close': ['closed close', 'closed close-timeout'],
  'our-terminate': ['closed terminate'],
  'our-fail': ['closed fail'],
  'handler-threw': ['closed handler-error'],
  drained: ['closed close', 'closed close-timeout', 'failed aborted'],
  'no-target': ['failed target-error'],
};

/** The options that determine when Mooring may end a connection by itself. */
export interface OwnReasons {
  readonly handshakeMs: number;
  readonly welcomeMs: number;
  readonly stalledMs: number;
  /** Infinite where something other than a ping may find out. */
  readonly graceMs: number;
  readonly silentMs: number;
}

/** Returns what is wrong with the report of an ending. `null` if it is right. */
export function untruthOf(attempt: Attempt, ending: Ending, reasons: OwnReasons): string | null {
  const cause = causeOf(ending);
  const first = attempt.first;
  if (first === null) return `${cause}, and nothing has happened`;
  const known =
    first.sign === 'itself' ? ownCauses(attempt, first.atMs, reasons) : causes[first.sign];
  const allowed = [...known];
  // A violation by the peer takes precedence over a request of this side.
  if (attempt.signs.has('violation')) allowed.push(...causes.violation);
  // Unread input when the socket broke may have been a close frame, which takes precedence.
  if (attempt.signs.has('close-frame') && ['reset', 'fin'].includes(first.sign))
    allowed.push(...causes['close-frame']);
  // An end that this side began with a close frame may be cut short.
  if (attempt.signs.has('our-terminate') && isOurClose(first.sign)) {
    allowed.push(...causes['our-terminate']);
  }
  if (!allowed.includes(cause)) return `${cause} after ${[...attempt.signs]}, not ${allowed}`;
  return wrongDetail(attempt, ending);
}

function isOurClose(sign: Sign): boolean {
  return sign === 'our-close' || sign === 'drained';
}

function ownCauses(attempt: Attempt, atMs: number, reasons: OwnReasons): string[] {
  const { startedMs, openedMs, heardMs, isWelcomed } = attempt;
  if (openedMs === null) {
    return atMs - startedMs >= reasons.handshakeMs ? ['failed handshake-timeout'] : [];
  }
  const openMs = atMs - openedMs;
  return [
    ...(atMs - heardMs >= reasons.graceMs ? ['closed heartbeat-timeout'] : []),
    ...(openMs >= reasons.silentMs ? ['closed silent'] : []),
    ...(openMs >= reasons.stalledMs ? ['closed slow-consumer'] : []),
    ...(openMs >= reasons.welcomeMs && !isWelcomed ? ['closed welcome-timeout'] : []),
  ];
}

function wrongDetail({ fate, openedMs }: Attempt, ending: Ending): string | null {
  if (ending.outcome === 'failed') {
    const { cause, httpStatus, retryAfterMs } = ending.failure;
    if (openedMs !== null) return 'failed although it was open';
    const isAnswered = httpStatus === fate.status && retryAfterMs === fate.retryAfterMs;
    return cause === 'rejected' && !isAnswered ? `${httpStatus} and ${retryAfterMs} ms` : null;
  }
  const { cause, code, origin } = ending.verdict;
  if (openedMs === null) return 'closed although it never opened';
  const isPeers = code === fate.closeCode && origin === 'peer';
  return cause === 'peer-close' && !isPeers ? `${code} of ${origin}` : null;
}
