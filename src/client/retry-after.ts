import { wallTimeOf } from '../core/clock.ts';

/** Reads a `Retry-After` header (RFC 9110 §10.2.3): seconds or a date. `undefined` for none, or a wrong one. */
export function retryAfterMs(header: string | undefined, wallNowMs: number): number | undefined {
  if (header === undefined) return undefined;
  if (/^\s*\d+\s*$/.test(header)) return Number(header) * 1_000;
  const atMs = wallTimeOf(header);
  return Number.isNaN(atMs) ? undefined : Math.max(0, atMs - wallNowMs);
}
