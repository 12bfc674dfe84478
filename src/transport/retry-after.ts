import { wallTimeOf } from '../core/clock.ts';

/**
 * Reads a `Retry-After` header (RFC 9110 §10.2.3): seconds or a date. `undefined` for none, or a wrong one.
 *
 * A date is checked first: JavaScript takes `1.5`, `-5` and `soon 3` for dates long ago.
 */
export function retryAfterMs(header: string | undefined, wallNowMs: number): number | undefined {
  const text = header?.trim() ?? '';
  if (/^\d+$/.test(text)) return Number(text) * 1_000;
  const atMs = httpDate.test(text) ? wallTimeOf(`${text.replace(/ GMT$/, '')} GMT`) : Number.NaN;
  return Number.isNaN(atMs) ? undefined : Math.max(0, atMs - wallNowMs);
}

/**
 * The three forms of a date (RFC 9110 §5.6.7), the last of which is in GMT without saying so:
 * `Sun, 06 Nov 1994 08:49:37 GMT`, `Sunday, 06-Nov-94 08:49:37 GMT` and `Sun Nov  6 08:49:37 1994`.
 */
const httpDate =
  /^(?:\w{3}, \d{2} \w{3} \d{4} [\d:]{8} GMT|\w{6,9}, \d{2}-\w{3}-\d{2} [\d:]{8} GMT|\w{3} \w{3} [ \d]\d [\d:]{8} \d{4})$/;
