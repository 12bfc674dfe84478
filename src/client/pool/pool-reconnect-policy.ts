import type { ClientFact } from '../../../machines/client-contract.ts';
import type { Clock } from '../../core/clock.ts';
import type { CloseCause } from '../../core/verdict.ts';
import type { Ending } from '../client-types.ts';
import type { ResolvedClientOptions } from '../options.ts';
import {
  type ErrorReporter,
  ReconnectPolicy,
  type ReconnectPolicyOptions,
  type RefusalCount,
} from '../reconnect/reconnect-policy.ts';
import type { Destination, Route } from '../reconnect/route.ts';
import type { CircuitBreaker } from './circuit-breaker.ts';
import type { Upstream, Upstreams } from './upstreams.ts';

/**
 * Decides whether a member of a pool dials again, when, and which upstream.
 *
 * It never gives up. If an upstream refuses for good, or asks for a delay, the circuit of that upstream opens for all
 * members. The member itself may dial another upstream.
 */
export class PoolReconnectPolicy extends ReconnectPolicy implements Route {
  /** Not known before an upstream is chosen. */
  readonly url = '';
  readonly #upstreams: Upstreams;
  readonly #clock: Clock;
  /** The upstream that the member dials or is connected to. */
  #upstream: Upstream | null = null;
  /** By upstream, because the refusals of one prove nothing about another. */
  readonly #refusals = new Map<Upstream | null, RefusalCount>();

  constructor(
    options: ReconnectPolicyOptions & Pick<ResolvedClientOptions, 'clock'>,
    upstreams: Upstreams,
    streams: ErrorReporter,
  ) {
    super(options, upstreams.areRenewed, streams);
    this.#upstreams = upstreams;
    this.#clock = options.clock;
  }

  get isRenewed(): boolean {
    return this.#upstreams.areRenewed;
  }

  /** Chooses the upstream of the attempt that begins now. */
  target(): Destination | Promise<Destination> {
    this.#upstream = this.#upstreams.choose(this.#clock.now());
    this.#upstream.enter(this);
    return this.#upstream.route.target();
  }

  protected override get refusals(): RefusalCount {
    const known = this.#refusals.get(this.#upstream);
    if (known !== undefined) return known;
    const count = { refusals: 0, denials: 0 };
    this.#refusals.set(this.#upstream, count);
    return count;
  }

  override get holdMs(): number {
    return this.#upstreams.waitMs(this.#clock.now());
  }

  override opened(): void {
    super.opened();
    this.#upstream?.circuit.opened();
  }

  override reset(): void {
    super.reset();
    this.#upstream?.circuit.stable();
  }

  override note(ending: Ending): ClientFact['type'] {
    this.#leave()?.abandoned(this);
    return super.note(ending);
  }

  override judge(ending: Ending, nowMs: number): ClientFact['type'] {
    const fact = this.classify(ending);
    // The pool leaves this upstream alone, and the member goes on, because another upstream may accept it.
    const isElsewhere = fact === 'ended.never' || fact === 'ended.slow';
    const awayMs = this.askedMs();
    const circuit = this.#leave();
    // Even after an ending that this side caused, because then `retry` decided it.
    if (isElsewhere) circuit?.trip(nowMs);
    else if (isOurDoing(ending)) circuit?.abandoned(this);
    else if (awayMs !== null) circuit?.leaveAlone(nowMs, awayMs);
    else if (!this.wasStable(ending)) {
      circuit?.failed(this, nowMs, this.chance());
    }
    return isElsewhere ? 'ended.backoff' : fact;
  }

  /** The attempt at the upstream, or the connection to it, has ended. Returns the circuit. */
  #leave(): CircuitBreaker | undefined {
    const circuit = this.#upstream?.circuit;
    this.#upstream?.leave();
    this.#upstream = null;
    return circuit;
  }

  /** Ignores the delay that the upstream asked for, which its circuit enforces. */
  protected override backoffMs(): number {
    return this.backoff.next({});
  }
}

/** Causes for which this side ends a connection because of the peer. */
const provoked: ReadonlySet<CloseCause> = new Set<CloseCause>([
  'protocol-error',
  'invalid-message',
  'message-limit',
  'message-timeout',
  'message-rate',
  'ping-flood',
  'slow-consumer',
  'silent',
]);

/** Whether this side ended the attempt for reasons of its own, which prove nothing about the peer. */
function isOurDoing(ending: Ending): boolean {
  if (ending.outcome === 'failed') {
    const { cause, phase } = ending.failure;
    // Nothing was dialed: a function of the application took too long.
    const isNotDialed = cause === 'handshake-timeout' && phase === 'config';
    return isNotDialed || cause === 'target-error';
  }
  const { origin, cause } = ending.verdict;
  return origin === 'local' && !provoked.has(cause);
}
