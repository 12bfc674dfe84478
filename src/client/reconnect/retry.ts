import { closeMeaning, type Retry } from '../../core/close-code.ts';
import { guarded, ignoreRejection } from '../../core/guard.ts';
import { kindOf } from '../../core/wording.ts';
import type { Ending } from '../client-types.ts';

/**
 * Decides what a client does after an ending. It is the type of the option `retry`.
 *
 * @param suggested - what the client would do.
 */
export type RetryDecision = (ending: Ending, suggested: Retry) => Retry;

/** Decides what a client does after a close code that IANA leaves to libraries and applications (3000–4999). */
export type PrivateCodes = (code: number) => Retry;

/** Meanings of private close codes that are in wide use, for the option `privateCodes`. */
export const privateCodes = {
  /** Centrifugo: the client gives up after 3500–3999 and 4500–4999. */
  centrifuge: (code) => (code % 1_000 >= 500 ? 'never' : 'backoff'),
  /** Pusher: the client gives up after 4000–4099, and dials again at once after 4200–4299. */
  pusher: (code) => {
    if (code >= 4000 && code < 4100) return 'never';
    return code >= 4200 && code < 4300 ? 'now' : 'backoff';
  },
  /**
   * An HTTP status after a 4: 4401 means 401. After 4401 and 4403, the client dials slowly, because other credentials
   * may help.
   */
  http: (code) => {
    const status = code - 4_000;
    if (status === 401 || status === 403) return 'slow';
    const isFinal = status >= 400 && status < 500 && ![408, 425, 429].includes(status);
    return isFinal ? 'never' : 'backoff';
  },
} as const satisfies Record<string, PrivateCodes>;

/**
 * Returns what an ending suggests by itself. The option `privateCodes` decides for private close codes.
 *
 * @param report - reports what `privateCodes` threw.
 */
export function retryAfter(
  ending: Ending,
  codes: PrivateCodes | undefined,
  report: (error: Error) => void,
): Retry {
  if (ending.outcome === 'failed') return ending.failure.retry;
  const { code, origin, cause, retry } = ending.verdict;
  // The code is the echo of this side's own frame, and does not matter for the next attempt.
  if (origin === 'local' && cause !== 'protocol-error') return 'backoff';
  const isPrivate = origin === 'peer' && closeMeaning(code).isPrivate;
  if (!isPrivate || codes === undefined) return retry;
  return guarded(() => checkedRetry('privateCodes', codes(code)), report) ?? retry;
}

/** Checks what a function of the application decided. @throws TypeError */
export function checkedRetry(option: string, answer: unknown): Retry {
  if (isRetry(answer)) return answer;
  ignoreRejection(answer);
  throw new TypeError(
    `${option} must return 'now', 'backoff', 'slow' or 'never', not ${kindOf(answer)}`,
  );
}

function isRetry(answer: unknown): answer is Retry {
  return ['now', 'backoff', 'slow', 'never'].includes(answer as Retry);
}

/** Close codes that are no reason against another attempt. */
const passing: readonly number[] = [1001, 1005, 1006, 1011, 1012, 1013, 1014, 3008];

/** Whether the peer, or something in between, refused: the next attempt may well end in the same way. */
export function isRefusal(ending: Ending): boolean {
  if (ending.outcome === 'failed') {
    const { cause, httpStatus = 0 } = ending.failure;
    if (cause === 'rejected') return httpStatus < 500 && ![408, 425, 429].includes(httpStatus);
    return ['tls-error', 'handshake-invalid', 'wrong-subprotocol', 'config-error'].includes(cause);
  }
  const { origin, cause, code } = ending.verdict;
  if (cause === 'protocol-error') return true;
  return origin === 'peer' && !closeMeaning(code).isPrivate && !passing.includes(code);
}

/** Whether the peer wants other credentials, or does not accept these. */
export function isDenied(ending: Ending): boolean {
  if (ending.outcome === 'failed') return [401, 403].includes(ending.failure.httpStatus ?? 0);
  const { origin, code } = ending.verdict;
  return origin === 'peer' && [1008, 3000, 3003, 4401, 4403].includes(code);
}
