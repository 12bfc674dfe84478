import type { ClientFact } from '../../../machines/client-contract.ts';
import type { CloseCause } from '../../core/verdict.ts';
import type { Ending } from '../client-types.ts';
import {
  type ErrorReporter,
  ReconnectPolicy,
  type ReconnectPolicyOptions,
} from '../reconnect/reconnect-policy.ts';
import type { UpstreamLease } from './upstream-lease.ts';

/**
 * Decides whether a member of a pool dials again, and when.
 *
 * It never gives up. What another attempt would not mend, and what an upstream says about when to come back, is held
 * against that upstream, for all members; the member itself may go elsewhere.
 */
export class PoolReconnectPolicy extends ReconnectPolicy {
  readonly #lease: UpstreamLease;
  #isStable = false;

  constructor(options: ReconnectPolicyOptions, lease: UpstreamLease, reporter: ErrorReporter) {
    super(options, lease, reporter);
    this.#lease = lease;
  }

  override get holdMs(): number {
    return this.#lease.waitMs;
  }

  override opened(): void {
    this.#isStable = false;
    this.#lease.circuit?.opened();
  }

  override reset(): void {
    super.reset();
    this.#isStable = true;
    this.#lease.circuit?.stable();
  }

  override judge(ending: Ending, nowMs: number): ClientFact['type'] {
    const retry = this.classify(ending);
    const awayMs = this.askedMs();
    const { circuit } = this.#lease;
    this.#lease.leave();
    if (isOurDoing(ending)) circuit?.abandoned(this.#lease);
    else if (retry === 'never') circuit?.trip(nowMs);
    else if (awayMs !== null) circuit?.leaveAlone(nowMs, awayMs);
    else if (ending.outcome === 'failed' || !this.#isStable) {
      circuit?.failed(this.#lease, nowMs, this.chance());
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
