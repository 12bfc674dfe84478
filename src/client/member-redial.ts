import type { ClientFact } from '../../machines/client-contract.ts';
import type { CloseCause } from '../core/verdict.ts';
import type { Berth } from './berth.ts';
import type { Ending } from './client-types.ts';
import { type ErrorReporter, Redial, type RedialOptions } from './redial.ts';

/**
 * Decides whether a member of a pool dials again, and when.
 *
 * It never gives up. What another attempt would not mend, and what an upstream says about when to come back, is held
 * against that upstream, for all members; the member itself may go elsewhere.
 */
export class MemberRedial extends Redial {
  readonly #berth: Berth;
  #isStable = false;

  constructor(options: RedialOptions, berth: Berth, reporter: ErrorReporter) {
    super(options, berth, reporter);
    this.#berth = berth;
  }

  override get holdMs(): number {
    return this.#berth.waitMs;
  }

  override opened(): void {
    this.#isStable = false;
    this.#berth.circuit?.opened();
  }

  override reset(): void {
    super.reset();
    this.#isStable = true;
    this.#berth.circuit?.stable();
  }

  override judge(ending: Ending, nowMs: number): ClientFact['type'] {
    const retry = this.classify(ending);
    const awayMs = this.askedMs();
    const { circuit } = this.#berth;
    this.#berth.leave();
    if (isOurDoing(ending)) circuit?.abandoned(this.#berth);
    else if (retry === 'never') circuit?.shun(nowMs);
    else if (awayMs !== null) circuit?.leaveAlone(nowMs, awayMs);
    else if (ending.outcome === 'failed' || !this.#isStable) {
      circuit?.failed(this.#berth, nowMs, this.chance());
    }
    return 'connection.ended';
  }

  /** The upstream's wish is kept by its circuit. */
  protected override backoffMs(): number {
    return this.backoff.next({});
  }
}

/** What this side ends because of what the peer does. */
const provoked: ReadonlySet<CloseCause> = new Set<CloseCause>([
  ...(['protocol-error', 'invalid-message', 'message-limit', 'message-timeout'] as const),
  ...(['message-rate', 'ping-flood', 'slow-consumer'] as const),
]);

/** What this side ended of itself says nothing about the peer. */
function isOurDoing(ending: Ending): boolean {
  if (ending.outcome === 'failed') {
    const { cause, phase } = ending.failure;
    // Nothing has been dialed: it was told too late where to.
    const isTargetless = cause === 'handshake-timeout' && phase === 'config';
    return isTargetless || cause === 'aborted' || cause === 'target-error';
  }
  const { origin, cause } = ending.verdict;
  return origin === 'local' && !provoked.has(cause);
}
