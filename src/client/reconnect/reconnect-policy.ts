import type { ClientFact, DelayName } from '../../../machines/client-contract.ts';
import type { Retry } from '../../core/close-code.ts';
import { chanceOf } from '../../core/guard.ts';
import type { ClientStreams } from '../client-streams.ts';
import type { Ending } from '../client-types.ts';
import type { ResolvedClientOptions } from '../options.ts';
import { Backoff, isSentAway, RestartIntensity, type RetryHint } from './backoff.ts';
import { retryAfter } from './retry.ts';

/** The close code that IANA has registered for "unauthorized". */
const CLOSE_UNAUTHORIZED = 3_000;

/** What a reconnect policy needs of the options of its client. */
export type ReconnectPolicyOptions = Pick<
  ResolvedClientOptions,
  'backoff' | 'restarts' | 'random' | 'privateCodes'
>;

/** Reports what a function of the user threw, with the name of its option. */
export type ErrorReporter = Pick<ClientStreams<unknown>, 'report'>;

/** Decides whether a client dials again, and when. */
export class ReconnectPolicy {
  readonly #options: ReconnectPolicyOptions;
  readonly #isRenewed: boolean;
  readonly #streams: ErrorReporter;
  /** Both are made for the first ending, because most connections stay open. */
  #backoff: Backoff | null = null;
  #intensity: RestartIntensity | null = null;
  #ending: Ending | undefined;
  #retry: Retry = 'backoff';

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
    if (this.classify(ending) === 'never') return 'connection.refused';
    this.#intensity ??= new RestartIntensity(this.#options.restarts);
    return this.#intensity.exceeded(nowMs) ? 'restarts.exceeded' : 'connection.ended';
  }

  /** Notes an ending, and whether to dial again after it. */
  protected classify(ending: Ending): Retry {
    this.#ending = ending;
    const { privateCodes } = this.#options;
    this.#retry = retryAfter(ending, privateCodes, this.#streams.report('privateCodes'));
    if (this.#isRenewed && isUnauthorized(ending)) this.#retry = 'backoff';
    return this.#retry;
  }

  /** The length of a delay. The host may be wrong about its network, so even offline the client dials now and then. */
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

  /** The delay that the peer asks for; `null` if it asks for none. */
  protected askedMs(): number | null {
    return this.backoff.askedMs(whatPeerAsks(this.#ending));
  }

  /** The delay after waking up; `null` if the peer has asked for a delay, which stays. */
  get delayAwakeMs(): number | null {
    if (isSentAway(whatPeerAsks(this.#ending))) return null;
    return this.chance() * this.#options.backoff.minMs;
  }

  /** How much longer to wait after a delay has passed, in milliseconds. A pool uses it for its circuits. */
  get holdMs(): number {
    return 0;
  }

  /** The current attempt has opened. */
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

/** What the peer said about when to dial again. If the code is only the echo of our close frame, it says nothing. */
function whatPeerAsks(ending: Ending | undefined): RetryHint {
  if (ending === undefined) return {};
  if (ending.outcome === 'failed') return { retryAfterMs: ending.failure.retryAfterMs };
  const { origin, code } = ending.verdict;
  return origin === 'peer' ? { code } : {};
}
