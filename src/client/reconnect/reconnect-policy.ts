import type { ClientFact, DelayName } from '../../../machines/client-contract.ts';
import type { Retry } from '../../core/close-code.ts';
import { chanceOf, guarded } from '../../core/guard.ts';
import type { ClientStreams } from '../client-streams.ts';
import type { Ending } from '../client-types.ts';
import type { ResolvedClientOptions } from '../options.ts';
import { Backoff, isSentAway, RestartIntensity, type RetryHint } from './backoff.ts';
import { checkedRetry, isDenied, isRefusal, retryAfter } from './retry.ts';

/** How many refusals in a row count as a deploy or an outage that will pass. */
const REFUSALS_MAX = 8;
/** How many denials in a row lead to a quick attempt with other credentials. */
const DENIALS_MAX = 3;

/** The facts that send an ending to the chart. */
export type EndedFact = Extract<ClientFact['type'], `ended.${string}`>;

/** What a reconnect policy needs of the options of its client. */
export type ReconnectPolicyOptions = Pick<
  ResolvedClientOptions,
  'backoff' | 'restarts' | 'random' | 'privateCodes' | 'retry'
>;

/** Reports what a function of the application threw, with the name of its option. */
export type ErrorReporter = Pick<ClientStreams<unknown>, 'report'>;

/** How often a peer has refused or denied, in a row, since the last stable connection to it. */
export interface RefusalCount {
  refusals: number;
  denials: number;
}

/** Decides whether a client dials again, and when. */
export class ReconnectPolicy {
  readonly #options: ReconnectPolicyOptions;
  readonly #isRenewed: boolean;
  readonly #streams: ErrorReporter;
  /** Both are made for the first ending, because most connections stay open. */
  #backoff: Backoff | null = null;
  #intensity: RestartIntensity | null = null;
  #ending: Ending | undefined;
  readonly #refusals: RefusalCount = { refusals: 0, denials: 0 };
  /** Whether the server has sent the client on to another process. */
  #isSentOn = false;
  /** Whether the delay under way is short for that reason. */
  #isShort = false;
  /** Whether the last connection has proved to be stable. */
  #isStable = false;

  /** @param isRenewed - whether each attempt may bring other credentials. */
  constructor(options: ReconnectPolicyOptions, isRenewed: boolean, streams: ErrorReporter) {
    this.#options = options;
    this.#isRenewed = isRenewed;
    this.#streams = streams;
  }

  /** The last ending that was judged. */
  get ending(): Ending | undefined {
    return this.#ending;
  }

  /** Decides what follows an ending. Returns the fact for the chart. */
  judge(ending: Ending, nowMs: number): ClientFact['type'] {
    const fact = this.classify(ending);
    // Restarts are counted to stop a loop, and a connection that was stable is not part of one.
    if (fact === 'ended.never' || this.wasStable(ending)) return fact;
    this.#intensity ??= new RestartIntensity(this.#options.restarts);
    return this.#intensity.exceeded(nowMs) ? 'restarts.exceeded' : fact;
  }

  /** Notes an ending that the client asked for, which does not count as a failure. */
  note(ending: Ending): ClientFact['type'] {
    this.#ending = ending;
    return 'ended.backoff';
  }

  /** Notes an ending, and decides when to dial again after it. */
  protected classify(ending: Ending): EndedFact {
    this.#ending = ending;
    const retry = this.#decide(ending);
    this.#isShort = this.#isSentOn;
    this.#isSentOn = false;
    const isSent = retry === 'backoff' && isSentAway(whatPeerAsks(ending)) && !this.#isShort;
    return isSent ? 'ended.deferred' : `ended.${retry}`;
  }

  #decide(ending: Ending): Retry {
    const suggested = this.#suggest(ending);
    const { retry } = this.#options;
    if (retry === undefined) return suggested;
    const decide = () => checkedRetry('retry', retry(ending, suggested));
    return guarded(decide, this.#streams.report('retry')) ?? suggested;
  }

  #suggest(ending: Ending): Retry {
    const { privateCodes } = this.#options;
    const retry = retryAfter(ending, privateCodes, this.#streams.report('privateCodes'));
    if (retry === 'now' || retry === 'never') return retry;
    const count = this.refusals;
    if (this.#isRenewed && isDenied(ending)) {
      count.denials += 1;
      return count.denials > DENIALS_MAX ? 'slow' : 'backoff';
    }
    if (!isRefusal(ending)) return retry;
    count.refusals += 1;
    return count.refusals > REFUSALS_MAX ? 'slow' : retry;
  }

  /** The count for the peer that is dialed. */
  protected get refusals(): RefusalCount {
    return this.#refusals;
  }

  /**
   * Returns the length of a delay, in milliseconds. The host may be wrong about its network, so the client dials even
   * offline.
   */
  delayMs(name: DelayName): number {
    const { minMs, maxMs, slowMs, stableMs } = this.#options.backoff;
    switch (name) {
      case 'stable':
        return stableMs;
      case 'now':
        return 0;
      case 'awake':
        return this.chance() * minMs;
      case 'offline':
        return maxMs;
      case 'slow':
        return Math.max(slowMs * (1 + this.chance()), this.askedMs() ?? 0);
      case 'backoff':
      case 'deferred':
        return this.backoffMs();
    }
  }

  protected backoffMs(): number {
    // Others are sent on at their own time, so it need not wait for longer.
    if (this.#isShort) return this.chance() * this.#options.backoff.minMs;
    return this.backoff.next(whatPeerAsks(this.#ending));
  }

  protected get backoff(): Backoff {
    this.#backoff ??= new Backoff(this.#options.backoff, () => this.chance());
    return this.#backoff;
  }

  /** The delay that the peer asks for; `null` if it asks for none. */
  protected askedMs(): number | null {
    return this.backoff.askedMs(whatPeerAsks(this.#ending));
  }

  /** How much longer to wait after a delay has passed, in milliseconds. A pool uses it for its circuits. */
  get holdMs(): number {
    return 0;
  }

  /** The server is about to close the connection, and another process takes its place. */
  sentOn(): void {
    this.#isSentOn = true;
  }

  /** The current attempt has opened. */
  opened(): void {
    this.#isStable = false;
  }

  /** Whether it is the end of a connection that was stable. */
  protected wasStable({ outcome }: Ending): boolean {
    return outcome === 'closed' && this.#isStable;
  }

  /** The connection is stable: forgets the failures so far. */
  reset(): void {
    this.#backoff = null;
    Object.assign(this.refusals, { refusals: 0, denials: 0 });
    this.#isStable = true;
  }

  /** The application dials again after the client has given up. */
  restart(): void {
    this.reset();
    this.#intensity = null;
  }

  chance(): number {
    return chanceOf(this.#options.random, this.#streams.report('random'));
  }
}

/** Returns what the peer asked for. A code that only echoes the close frame of this side asks for nothing. */
function whatPeerAsks(ending: Ending | undefined): RetryHint {
  if (ending === undefined) return {};
  if (ending.outcome === 'failed') return { retryAfterMs: ending.failure.retryAfterMs };
  const { origin, code } = ending.verdict;
  return origin === 'peer' ? { code } : {};
}
