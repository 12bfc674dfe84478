import type { ClientStatus, Ending } from '../../../src/client/client-types.ts';
import type { ResolvedClientOptions } from '../../../src/client/options.ts';
import type { SupervisedClient } from '../../../src/client/supervised-client.ts';
import type { SimulatedClock } from '../simulated-clock.ts';
import { type Fate, isAlive } from './fate.ts';

/** How late anything may be: several ticks of the wheel, and the time to read a deadline. */
const SLACK_MS = 1_000;

/** How long a line may take for one large message, and a ping after it. */
const SLOW_LINE_MS = 2_000;

const SERVICE_RESTART = 1012;
const RESTART_MIN_MS = 5_000;

/** How the functions that return the target behave in one attempt. */
export type Guidance = 'sound' | 'throws' | 'hangs';

/** One attempt, as observed outside the client. */
export interface Attempt {
  readonly fate: Fate;
  readonly guidance: Guidance;
  readonly beganAtMs: number;
  /** When the application began its async `onOpen`. `null` while there is none. */
  welcomedAtMs: number | null;
  isGivenUp: boolean;
}

interface RuleParts {
  readonly clock: SimulatedClock;
  readonly options: ResolvedClientOptions;
  readonly isPage: boolean;
  readonly broken: (rule: string, problem: string) => void;
}

/** Checks the promises about time, order and causes against the acts of the application and the network. */
export class DialedRules {
  readonly #parts: RuleParts;
  readonly #client: SupervisedClient<unknown, unknown>;
  #attempt: Attempt | null = null;
  /** Attempts without a reported ending: the next one may begin before. */
  readonly #unreported: Attempt[] = [];
  #state = 'idle';
  /** Until then, the server does not want the client to return. */
  #notBeforeMs = 0;
  /** Whether somebody has needed a connection since the client closed its idle one. */
  #isWanted = false;
  #usedAtMs = 0;
  /** Whether the application has ever paused the client: then the clock for the peer stood still. */
  #hasPaused = false;

  constructor(parts: RuleParts, client: SupervisedClient<unknown, unknown>) {
    this.#parts = parts;
    this.#client = client;
  }

  get #nowMs(): number {
    return this.#parts.clock.now();
  }

  // What the application did.

  /** It has sent a message, subscribed, or called open. */
  used(): void {
    this.#isWanted = true;
    this.#usedAtMs = this.#nowMs;
  }

  /** It has called dialNow, which ends every delay. */
  hurried(): void {
    this.used();
    this.#notBeforeMs = 0;
  }

  handled(): void {
    this.#usedAtMs = this.#nowMs;
  }

  /** It has given up the attempt. */
  gaveUp(): void {
    for (const attempt of this.#unreported) attempt.isGivenUp = true;
  }

  paused(): void {
    this.#hasPaused = true;
  }

  /** The async `onOpen` of the open connection begins. Returns a function to call at its end. */
  welcomes(): () => void {
    const attempt = this.#attempt;
    if (attempt === null) return () => {};
    attempt.welcomedAtMs = this.#nowMs;
    return () => {
      attempt.welcomedAtMs = null;
    };
  }

  // What the client did.

  attempted(attempt: Omit<Attempt, 'welcomedAtMs' | 'isGivenUp'>): void {
    const { options, broken } = this.#parts;
    this.#attempt = { ...attempt, welcomedAtMs: null, isGivenUp: false };
    this.#unreported.push(this.#attempt);
    const earlyMs = this.#notBeforeMs - this.#nowMs;
    if (earlyMs > 0) broken('the-asked-delay-is-kept', `${earlyMs} ms too early`);
    if (options.dial === 'on-demand' && !this.#isWanted) broken('dials-when-asked', '');
  }

  moved({ state, gaveUp }: ClientStatus): void {
    const { broken } = this.#parts;
    const isGoing = state === 'idling' || (state === 'idle' && this.#state !== 'idling');
    if (isGoing && this.#client.isNeeded) broken('serves-the-needed', state);
    if (isGoing) this.#hangsUp();
    if (state === 'up' && this.#isWelcoming) broken('welcome-comes-first', 'up');
    if ((state === 'exhausted') !== (gaveUp !== undefined)) broken('says-why-it-gave-up', state);
    this.#state = state;
  }

  #hangsUp(): void {
    this.#isWanted = false;
    this.gaveUp();
  }

  /** A stream of the client emitted a message. */
  delivered(): void {
    if (this.#isWelcoming) this.#parts.broken('welcome-comes-first', 'a message is delivered');
  }

  /** A message of the client itself was passed to a socket. */
  wrote(message: number): void {
    if (this.#isWelcoming) this.#parts.broken('welcome-comes-first', `${message} is written`);
  }

  ended(ending: Ending): void {
    const attempt = this.#unreported.shift();
    if (attempt === undefined) return;
    if (attempt === this.#attempt) this.#attempt = null;
    this.#checkBlame(attempt, ending);
    if (ending.outcome === 'failed') this.#checkFailure(attempt, ending.failure.cause);
    // After an idle close, no answer of the server delays the client.
    const isAsked = this.#state !== 'idling' && this.#parts.options.retry === undefined;
    this.#notBeforeMs = isAsked ? this.#nowMs + askedMs(ending) : 0;
  }

  /** What must hold at every moment. */
  check(): void {
    const { options, broken } = this.#parts;
    const attempt = this.#attempt;
    if (attempt !== null) this.#checkLateness(attempt);
    if (this.#client.isNeeded) this.#usedAtMs = this.#nowMs;
    if (options.idleMs === undefined || this.#state !== 'up') return;
    // Twice, because a check in between may find that a message has left, but not when.
    const unusedMs = this.#nowMs - this.#usedAtMs;
    if (unusedMs > 2 * options.idleMs + SLACK_MS) broken('hangs-up-when-idle', `${unusedMs} ms`);
  }

  get #isWelcoming(): boolean {
    return this.#attempt?.welcomedAtMs != null;
  }

  /** A peer that has answered in time must not be given up. */
  #checkBlame({ fate }: Attempt, ending: Ending): void {
    const { broken, options } = this.#parts;
    if (ending.outcome === 'failed' || ending.verdict.cause !== 'heartbeat-timeout') return;
    const isInTime = options.heartbeat.graceMs >= SLOW_LINE_MS;
    if (isAlive(fate) && !fate.isStill && isInTime) broken('the-living-live', JSON.stringify(fate));
  }

  /** A page learns nothing about a failure. */
  #checkFailure({ fate, guidance, isGivenUp }: Attempt, cause: string): void {
    const { broken } = this.#parts;
    if (isGivenUp && (cause === 'aborted' || cause === 'abandoned')) return;
    const isSound = guidance === 'throws' ? cause === 'target-error' : this.#expects(fate, cause);
    if (!isSound) broken('failure-is-true', `${cause}: ${guidance} ${fate.attempt}`);
  }

  #expects({ attempt }: Fate, cause: string): boolean {
    const expected = this.#parts.isPage ? 'undisclosed' : causes[attempt];
    return cause === expected || cause === 'handshake-timeout';
  }

  /** A dead or silent peer, and an `onOpen` that hangs, must be found in time. */
  #checkLateness(attempt: Attempt): void {
    const { options, isPage } = this.#parts;
    const { fate, beganAtMs, welcomedAtMs } = attempt;
    if (welcomedAtMs !== null && this.#client.state === 'dialing')
      this.#checkBy('welcome-ends-in-time', welcomedAtMs + options.timeouts.welcomeMs);
    if (this.#client.state !== 'up' || this.#hasPaused || fate.speaksEveryMs > 0) return;
    const { intervalMs, graceMs, message, expects, everyMs } = options.heartbeat;
    const openMs = beganAtMs + fate.afterMs + options.timeouts.welcomeMs;
    if (options.silentMs !== undefined && expects === undefined)
      this.#checkBy('the-silent-are-found', openMs + options.silentMs);
    const goneAtMs = beganAtMs + fate.afterMs + fate.endsAfterMs;
    const isAsked = message === undefined ? !isPage : true;
    if (fate.end !== 'silence' || !isAsked) return;
    const roundMs = (message === undefined ? intervalMs : everyMs) + graceMs;
    this.#checkBy('the-dead-are-found', Math.max(goneAtMs, openMs) + roundMs);
  }

  #checkBy(rule: string, dueMs: number): void {
    const lateMs = this.#nowMs - dueMs - SLACK_MS;
    if (lateMs > 0) this.#parts.broken(rule, `${lateMs} ms late`);
  }
}

const causes: Readonly<Record<Fate['attempt'], string>> = {
  // It should open, and was too late or was given up.
  opens: 'handshake-timeout',
  refused: 'tcp-refused',
  rejected: 'rejected',
  hangs: 'handshake-timeout',
};

/** The least time that the server has asked the client to stay away, in milliseconds. */
function askedMs(ending: Ending): number {
  if (ending.outcome === 'failed') return ending.failure.retryAfterMs ?? 0;
  const { verdict } = ending;
  return verdict.cause === 'peer-close' && verdict.code === SERVICE_RESTART ? RESTART_MIN_MS : 0;
}
