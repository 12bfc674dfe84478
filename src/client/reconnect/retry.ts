import { closeMeaning, type Retry } from '../../core/close-code.ts';
import { guarded, ignoreRejection, isThenable } from '../../core/guard.ts';
import type { Ending } from '../client-types.ts';

/** What to do after a close code that IANA leaves to libraries and applications (3000–4999). */
export type PrivateCodes = (code: number) => Retry;

/** Agreements on private close codes that are in wide use. */
export const privateCodes = {
  /** Centrifugo: 3500–3999 and 4500–4999 end it. */
  centrifuge: (code) => (code % 1_000 >= 500 ? 'never' : 'backoff'),
  /** Pusher: 4000–4099 end it, 4200–4299 mean at once. */
  pusher: (code) => {
    if (code >= 4000 && code < 4100) return 'never';
    return code >= 4200 && code < 4300 ? 'now' : 'backoff';
  },
  /** An HTTP status behind 4: 4401 means what 401 does. */
  http: (code) => {
    const status = code - 4_000;
    const isFinal = status >= 400 && status < 500 && ![408, 425, 429].includes(status);
    return isFinal ? 'never' : 'backoff';
  },
} as const satisfies Record<string, PrivateCodes>;

/** Decides what a client does after an ending. Calls `report` if `codes` throws. */
export function retryAfter(
  ending: Ending,
  codes: PrivateCodes | undefined,
  report: (error: Error) => void,
): Retry {
  if (ending.outcome === 'failed') return ending.failure.retry;
  const { code, origin, cause, retry } = ending.verdict;
  // Then the code is the echo of our own frame, and says nothing about the next attempt.
  if (origin === 'local' && cause !== 'protocol-error') return 'backoff';
  const isPrivate = origin === 'peer' && closeMeaning(code).isPrivate;
  if (!isPrivate || codes === undefined) return retry;
  const answer: unknown = guarded(() => checkedRetry(codes(code)), report);
  return (answer as Retry | undefined) ?? retry;
}

function checkedRetry(answer: unknown): Retry {
  if (answer === 'now' || answer === 'backoff' || answer === 'never') return answer;
  if (isThenable(answer)) ignoreRejection(answer);
  throw new TypeError(
    `privateCodes must return 'now', 'backoff' or 'never', not ${String(answer)}`,
  );
}
