import type { ClientFact, DelayName } from '../../../machines/client-contract.ts';
import type { Retry } from '../../core/close-code.ts';
import { chanceOf } from '../../core/guard.ts';
import type { ClientStreams } from '../client-streams.ts';
import type { Ending } from '../client-types.ts';
import type { ResolvedClientOptions } from '../options.ts';
import { Backoff, isSentAway, RestartIntensity, type RetryHint } from './backoff.ts';
import { retryAfter } from './retry.ts';

/** What IANA has registered for it. */
const CLOSE_UNAUTHORIZED = 3_000;

/** What a reconnect policy needs of the options of its client. */
export type ReconnectPolicyOptions = Pick<
  ResolvedClientOptions,
  'backoff' | 'restarts' | 'random' | 'privateCodes'
>;

/** Hears what code of the user threw, by the name of its option. */
export type ErrorReporter = Pick<ClientStreams<unknown>, 'report'>;

/** Decides whether a client dials again, and when. */
export class ReconnectPolicy {
  readonly #options: ReconnectPolicyOptions;
  readonly #isRenewed: boolean;
  readonly #streams: ErrorReporter;
  /** Both are made for the first ending: most connections stay. */
  #backoff: Backoff | null = null;
  #intensity: RestartIntensity | null = null;
  #ending: Ending | undefined;
  #retry: Retry = 'backoff';

  /** @param isRenewed - whether each attempt brings other credentials. */
  constructor(options: ReconnectPolicyOptions, isRenewed: boolean, streams: ErrorReporter) {
    this.#options = options;
    this.#isRenewed = isRenewed;
    this.#streams = streams;
  }

  /** The last one that was judged. */
  get ending(): Ending | undefined {
    return this.#ending;
  }

  /** What follows from an ending. */
  judge(ending: Ending, nowMs: number): ClientFact['type'] {
    if (this.classify(ending) === 'never') return 'connection.refused';
    this.#intensity ??= new RestartIntensity(this.#options.restarts);
    return this.#intensity.exceeded(nowMs) ? 'restarts.exceeded' : 'connection.ended';
  }

  /** Notes an ending, and what is to be done after it. */
  protected classify(ending: Ending): Retry {
    this.#ending = ending;
    const { privateCodes } = this.#options;
    this.#retry = retryAfter(ending, privateCodes, this.#streams.report('privateCodes'));
    if (this.#isRenewed && isUnauthorized(ending)) this.#retry = 'backoff';
    return this.#retry;
  }

  /** How long a delay is. A host may be wrong about its network: even without one it is dialed now and then. */
  delayMs(name: DelayName): number {
    const { stableMs, maxMs } = this.#options.backoff;
    if (name === 'stable') return stableMs;
    if (name === 'offline') return maxMs;
    return this.#retry === 'now' ? 0 : this.backoffMs();
  }

  protected backoffMs(): number {
    return this.backoff.next(whatPeerAsks(this.#ending));
  }

  protected get backoff(): Backoff {
    this.#backoff ??= new Backoff(this.#options.backoff, () => this.chance());
    return this.#backoff;
  }

  /** How long the peer wants to be left alone; `null` when it has not said. */
  protected askedMs(): number | null {
    return this.backoff.askedMs(whatPeerAsks(this.#ending));
  }

  /** How long to wait after waking up; `null` when the peer has said how long, and that stands. */
  get delayAwakeMs(): number | null {
    if (isSentAway(whatPeerAsks(this.#ending))) return null;
    return this.chance() * this.#options.backoff.minMs;
  }

  /** How much longer to wait although a delay is over, in milliseconds. */
  get holdMs(): number {
    return 0;
  }

  /** The attempt under way has opened. */
  opened(): void {}

  /** Forgets the failures so far. */
  reset(): void {
    this.#backoff = null;
  }

  chance(): number {
    return chanceOf(this.#options.random, this.#streams.report('random'));
  }
}

function isUnauthorized(ending: Ending): boolean {
  if (ending.outcome === 'failed') return ending.failure.httpStatus === 401;
  return ending.verdict.origin === 'peer' && ending.verdict.code === CLOSE_UNAUTHORIZED;
}

/** What the peer said about when to come back; the code of our own close frame, echoed, says nothing. */
function whatPeerAsks(ending: Ending | undefined): RetryHint {
  if (ending === undefined) return {};
  if (ending.outcome === 'failed') return { retryAfterMs: ending.failure.retryAfterMs };
  const { origin, code } = ending.verdict;
  return origin === 'peer' ? { code } : {};
}
