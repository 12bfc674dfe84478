import type { ConnectionFact } from '../../machines/connection-contract.ts';
import { type CloseFrame, REPLACED } from '../core/close-code.ts';
import type { LocalCause } from '../core/verdict.ts';

/** How this side ends a connection: the fact for the chart, and the close frame for the peer. */
export interface LocalEnding {
  readonly fact: ConnectionFact['type'];
  readonly frame?: CloseFrame;
}

/** The endings by this side, except `close`, `terminate`, `drain` and `crash`, by their cause. */
export const localEndings = {
  fail: { fact: 'fail.requested', frame: { code: 1011, reason: '' } },
  'handler-error': { fact: 'handler.errored', frame: { code: 1011, reason: '' } },
  'welcome-timeout': { fact: 'welcome.expired', frame: { code: 1011, reason: '' } },
  expired: { fact: 'close.requested', frame: { code: 3000, reason: 'expired' } },
  'invalid-message': {
    fact: 'close.requested',
    frame: { code: 1008, reason: 'too many invalid messages' },
  },
  'message-rate': { fact: 'close.requested', frame: { code: 1008, reason: 'too many messages' } },
  'handler-stalled': {
    fact: 'pause.expired',
    frame: { code: 1011, reason: 'handlers have stalled' },
  },
  'reader-too-slow': { fact: 'pause.expired', frame: { code: 1011, reason: 'reader too slow' } },
  'slow-consumer': { fact: 'outbox.stalled', frame: { code: 1013, reason: 'too slow' } },
  'missed-messages': {
    fact: 'close.requested',
    frame: { code: 1013, reason: 'missed messages' },
  },
  replaced: { fact: 'close.requested', frame: { code: REPLACED, reason: 'replaced' } },
  silent: { fact: 'close.requested', frame: { code: 4000, reason: 'silent' } },
  'heartbeat-timeout': { fact: 'heartbeat.lost' },
  'ping-flood': { fact: 'ping.flooded' },
} as const satisfies Partial<Record<LocalCause, LocalEnding>>;

/** The causes that {@link localEndings} knows. */
export type LocalEndingCause = keyof typeof localEndings;
