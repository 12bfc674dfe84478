import type { ClientStatus, Ending } from '../../../src/client/client-types.ts';
import { causeOf } from '../dialed/accounts.ts';
import type { Attempt } from './attempt.ts';
import type { Says, Span } from './circuit-model.ts';
import type { PoolWorld } from './pool-world.ts';
import { type OwnReasons, untruthOf } from './truth.ts';

/** Ends that this side caused or requested. They reveal nothing about the upstream. */
const ours: ReadonlySet<string> = new Set([
  'failed aborted',
  'failed target-error',
  ...['close', 'close-timeout', 'terminate', 'fail'].map((cause) => `closed ${cause}`),
  ...['handler-error', 'welcome-timeout'].map((cause) => `closed ${cause}`),
]);

/** Checks each report of an ending, and passes its meaning to the model of its circuit. */
export class EndingChecks {
  /** All endings, in the order in which the members reported them. */
  readonly reported: Ending[] = [];
  readonly #world: PoolWorld;
  readonly #reasons: OwnReasons;
  #passedOn = 0;

  constructor(world: PoolWorld, reasons: OwnReasons) {
    this.#world = world;
    this.#reasons = reasons;
  }

  /** A member reports an ending. */
  ended(index: number, ending: Ending): void {
    const world = this.#world;
    const member = world.members[index];
    const attempt = member?.attempt;
    if (member === undefined || attempt == null || attempt.ending !== null) {
      world.broken('one-ending-each', `${index} ${causeOf(ending)}`);
      return;
    }
    if (world.drain !== null && world.nowMs >= world.drain.expiresAtMs)
      attempt.note('our-terminate', world.nowMs);
    attempt.noteOwnEnd(world.nowMs);
    const untruth = untruthOf(attempt, ending, this.#reasons);
    if (untruth !== null) world.broken('cause-is-true', `${attempt.number}: ${untruth}`);
    attempt.ending = ending;
    member.idleSinceMs = world.nowMs;
    this.reported.push(ending);
    const upstream = world.upstreams.find(({ url }) => url === attempt.url);
    upstream?.circuit.ended(attempt, this.#says(attempt, ending), world.nowMs);
  }

  /** The pool passes an ending on. */
  passedOn(ending: Ending): void {
    if (this.reported[this.#passedOn] !== ending)
      this.#world.broken('one-ending-each', `the pool reports ${causeOf(ending)}`);
    this.#passedOn += 1;
  }

  get arePassedOn(): boolean {
    return this.#passedOn === this.reported.length;
  }

  /** The chart of a member decides whether a connection has lasted. */
  memberMoved(index: number, { states }: ClientStatus): void {
    const world = this.#world;
    const attempt = world.members[index]?.attempt;
    if (attempt == null || attempt.ending !== null) return;
    const wasStable = attempt.isStable;
    attempt.isStable = states.includes('up.stable');
    if (!attempt.isStable || wasStable) return;
    attempt.hasLasted = true;
    const openMs = world.nowMs - (attempt.openedMs ?? world.nowMs);
    if (openMs < world.numbers.backoff.stableMs) world.broken('lasts-long-enough', `${openMs}`);
    world.upstreams.find(({ url }) => url === attempt.url)?.circuit.lasted();
  }

  #says(attempt: Attempt, ending: Ending): Says {
    const cause = causeOf(ending);
    const isUndialed = attempt.dialedMs === null && cause === 'failed handshake-timeout';
    // The application decides by `retry`, also about ends by this side. The pool does not call it while it drains.
    const decision = this.#world.decisions.get(ending);
    if (decision === undefined) return { what: 'nothing' };
    if (decision === 'never' || decision === 'slow') return { what: 'refused' };
    if (ours.has(cause) || isUndialed) return { what: 'nothing' };
    const after = this.#askedFor(ending);
    if (after !== null) return { what: 'come-back', after };
    return { what: attempt.hasLasted ? 'nothing' : 'failed' };
  }

  #askedFor(ending: Ending): Span | null {
    const { minMs, maxMs } = this.#world.numbers.backoff;
    if (ending.outcome === 'failed') {
      const { retryAfterMs } = ending.failure;
      if (retryAfterMs === undefined) return null;
      return { leastMs: retryAfterMs, mostMs: retryAfterMs + minMs };
    }
    const { code, cause } = ending.verdict;
    if (cause !== 'peer-close') return null;
    if (code === 1012) return { leastMs: 5_000, mostMs: 30_000 };
    return code === 1013 ? { leastMs: maxMs / 2, mostMs: maxMs } : null;
  }
}
