import type { Clock } from '../core/clock.ts';
import type { HeartbeatOptions, Limits, OverRatePolicy, Timeouts } from '../core/limits.ts';
import { TimerWheel } from '../core/timer-wheel.ts';
import type { Rate } from '../core/token-bucket.ts';
import type { Reads } from '../transport/reads.ts';
import { HeartbeatStagger } from './heartbeat-stagger.ts';

const TICKS_PER_DEADLINE = 8;
const TICK_MS_MIN = 5;
const TICK_MS_MAX = 100;

/** Everything that the connections of one supervisor share. */
export interface SharedRuntime {
  readonly clock: Clock;
  readonly random: () => number;
  readonly heartbeatStagger: HeartbeatStagger;
  readonly wheel: TimerWheel;
  readonly timeouts: Readonly<Timeouts>;
  readonly heartbeat: Readonly<HeartbeatOptions>;
  readonly limits: Readonly<Limits>;
  readonly messageRate: Rate;
  readonly overRate: OverRatePolicy;
  /** In Node.js only: a page cannot see how its browser reads. */
  readonly reads?: Reads;
}

/** The options from which a shared runtime is made. */
export interface ContextOptions {
  readonly clock: Clock;
  readonly random: () => number;
  readonly timeouts: Readonly<Timeouts>;
  /** `everyMs` and `silentMs` are times of a client. A supervisor has neither. */
  readonly heartbeat: Readonly<HeartbeatOptions> & { readonly everyMs?: number | undefined };
  readonly silentMs?: number | undefined;
  readonly limits: Readonly<Limits>;
  readonly overRate: OverRatePolicy;
}

/** Makes everything that the connections of one supervisor, or the attempts of one client, share. */
export function sharedRuntime(
  options: ContextOptions,
  wheel: TimerWheel = new TimerWheel(options.clock, tickMsOf(options)),
): SharedRuntime {
  const { clock, random, timeouts, heartbeat, limits, overRate } = options;
  return {
    clock,
    random,
    wheel,
    heartbeatStagger: new HeartbeatStagger(random),
    timeouts,
    heartbeat,
    limits,
    messageRate: { perSecond: limits.messagesPerSecondMax, burst: limits.messageBurstMax },
    overRate,
  };
}

/** The longest tick that is precise enough for the shortest deadline. */
export function tickMsOf({
  timeouts,
  heartbeat,
  silentMs = Number.POSITIVE_INFINITY,
}: Pick<ContextOptions, 'timeouts' | 'heartbeat' | 'silentMs'>): number {
  const { intervalMs, graceMs, everyMs = intervalMs } = heartbeat;
  const beatMs = Math.min(intervalMs, graceMs, everyMs, silentMs);
  const shortestMs = Math.min(...Object.values(timeouts), beatMs);
  const tickMs = Math.ceil(shortestMs / TICKS_PER_DEADLINE);
  return Math.max(TICK_MS_MIN, Math.min(TICK_MS_MAX, tickMs));
}
