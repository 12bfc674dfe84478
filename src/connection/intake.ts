import type { TimerHandle } from '../core/clock.ts';
import { isThenable } from '../core/guard.ts';
import type { Deadline, DeadlineOwner } from '../core/timer-wheel.ts';
import { TokenBucket } from '../core/token-bucket.ts';
import type { ConnectionCore } from './connection-core.ts';
import type { SharedRuntime } from './shared-runtime.ts';

/** Why reading is paused; several reasons may hold at once. */
const pauseReasons = { user: 1, rate: 2, handlers: 4 } as const;

type PauseReason = keyof typeof pauseReasons;

/** A pause for the rate waits until this many milliseconds' worth of messages may come: one pause for each costs more. */
const PAUSE_MS = 100;

/** After an invalid message, reading pauses for this many times what it cost: such a peer gets a tenth of the process. */
const INVALID_WAITS = 9;
/** A cheaper message causes no pause. */
const INVALID_COST_MS = 2;
const INVALID_WAIT_MS_MAX = 1_000;

const MINUTE_MS = 60_000;

/**
 * How fast one connection may be read. Made for its first message; it ends with the connection.
 *
 * ```
 * message ──▶ a token ──▶ handler ──(returns a promise)──▶ in flight ──▶ settled
 *                │ none left                                  │ too many, or too large
 *                └──────────────▶ reading pauses ◀────────────┘
 * ```
 * Reading resumes when no reason is left. A pause for the rate, which an invalid message can cause, too, ends by itself. A
 * pause for handlers that fall behind may last `timeouts.pausedMs`; that time does not run while the application pauses, too.
 */
export class Intake implements DeadlineOwner {
  readonly #connection: ConnectionCore;
  readonly #context: SharedRuntime;
  readonly #tokens: TokenBucket;
  #arrivedAtMs = 0;
  #inFlight = 0;
  #inFlightBytes = 0;
  /** The sum of the {@link pauseReasons} that hold. */
  #reasons = 0;
  /** The message that was read before the pause: a subscriber paused when it heard that the peer is awake. */
  #early: { readonly payload: Uint8Array; readonly isBinary: boolean } | null = null;
  /** When the reasons last changed, in the wheel's time; so are the sums of earlier pauses. */
  #changedAtMs = 0;
  #userMs = 0;
  /** Without the time in which the application paused, too. */
  #handlersMs = 0;
  #restUntilMs = 0;
  #restTimer: TimerHandle | null = null;
  #deadline: Deadline | null = null;
  /** The invalid messages since the minute began, which begins with one. Most connections never have any. */
  #invalid: { readonly beganAtMs: number; count: number } | null = null;

  constructor(connection: ConnectionCore, context: SharedRuntime) {
    this.#connection = connection;
    this.#context = context;
    this.#tokens = new TokenBucket(context.messageRate, context.clock.now());
  }

  get isPaused(): boolean {
    return this.#reasons !== 0;
  }

  /**
   * How long the application or its handlers have paused reading so far, in the wheel's time. A pause for the rate does not
   * count: a peer that reads nothing could otherwise gain time by sending too fast.
   */
  get pausedMs(): number {
    return (
      this.#userMs + this.handlersPausedMs + (this.#pauser === 'user' ? this.#sinceChangeMs : 0)
    );
  }

  /** How much of that its handlers alone have paused. */
  get handlersPausedMs(): number {
    return this.#handlersMs + (this.#pauser === 'handlers' ? this.#sinceChangeMs : 0);
  }

  get #sinceChangeMs(): number {
    return this.#context.wheel.nowMs - this.#changedAtMs;
  }

  /** Who of this side holds reading up. */
  get #pauser(): 'user' | 'handlers' | null {
    if ((this.#reasons & pauseReasons.user) !== 0) return 'user';
    return (this.#reasons & pauseReasons.handlers) === 0 ? null : 'handlers';
  }

  /** Delivers a message, and pauses reading if that reaches a limit. */
  receive(payload: Uint8Array, isBinary: boolean): void {
    if (this.isPaused) {
      this.#early = { payload, isBinary };
      return;
    }
    const { clock, overRate } = this.#context;
    this.#arrivedAtMs = clock.now();
    const isWithinRate = this.#tokens.take(this.#arrivedAtMs);
    if (!isWithinRate && overRate === 'close') {
      this.#connection.end('message-rate');
      return;
    }
    const work = this.#connection.arrived(payload, isBinary);
    if (isThenable(work)) this.#track(work, payload.length);
    if (this.#isFull) this.pause('handlers');
    if (this.#tokens.isSpent && overRate === 'pause')
      this.#rest(this.#tokens.msUntil(PAUSE_MS, clock.now()));
  }

  /**
   * The message that is being received is invalid. More than `limits.invalidPerMinuteMax` within a minute end the
   * connection. A contract may check thousands of values, and one read holds many messages: reading pauses in proportion
   * to what this one has cost, so that other connections get their turn.
   *
   * @returns whether the connection may go on.
   */
  countInvalid(): boolean {
    const { clock, limits } = this.#context;
    const nowMs = clock.now();
    if (this.#invalid === null || nowMs - this.#invalid.beganAtMs >= MINUTE_MS)
      this.#invalid = { beganAtMs: nowMs, count: 0 };
    this.#invalid.count += 1;
    if (this.#invalid.count > limits.invalidPerMinuteMax) {
      this.#connection.end('invalid-message');
      return false;
    }
    const costMs = nowMs - this.#arrivedAtMs;
    if (costMs >= INVALID_COST_MS)
      this.#rest(Math.min(costMs * INVALID_WAITS, INVALID_WAIT_MS_MAX));
    return true;
  }

  /** Counts what a handler works on until it settles. */
  #track(work: PromiseLike<unknown>, bytes: number): void {
    this.#inFlight += 1;
    this.#inFlightBytes += bytes;
    const { wheel, timeouts } = this.#context;
    const settled = () => {
      this.#inFlight -= 1;
      this.#inFlightBytes -= bytes;
      if (!this.#isFull) this.resume('handlers');
      // A large message may keep reading paused while others settle: the handlers have not stalled.
      else if (this.#deadline !== null) wheel.postpone(this.#deadline, timeouts.pausedMs);
    };
    work.then(settled, settled);
  }

  get #isFull(): boolean {
    const { inFlightMax, inFlightBytesMax } = this.#context.limits;
    return this.#inFlight >= inFlightMax || this.#inFlightBytes >= inFlightBytesMax;
  }

  /** Returns whether this reason is new. */
  pause(reason: PauseReason): boolean {
    const bit = pauseReasons[reason];
    if (!this.#connection.isOpen || (this.#reasons & bit) !== 0) return false;
    const wasPaused = this.isPaused;
    this.#change(this.#reasons | bit);
    if (!wasPaused) {
      // Before the chart or a subscriber hears of it, so that nothing more is delivered, not even from this read.
      this.#connection.transport.pause();
      this.#connection.chart.send('reading.paused');
    }
    return true;
  }

  /** Returns whether this reason held. */
  resume(reason: PauseReason): boolean {
    const bit = pauseReasons[reason];
    if (!this.#connection.isOpen || (this.#reasons & bit) === 0) return false;
    this.#change(this.#reasons & ~bit);
    if (!this.isPaused) {
      // The chart decides: an `onOpen` that is at work holds messages back as well.
      this.#connection.chart.send('reading.resumed');
      this.#connection.heartbeat?.resumed();
      this.#receiveEarly();
    }
    return true;
  }

  #receiveEarly(): void {
    const early = this.#early;
    if (early === null || !this.#connection.isOpen || this.isPaused) return;
    this.#early = null;
    this.receive(early.payload, early.isBinary);
  }

  /** The connection is ending. */
  stop(): void {
    const { clock, wheel } = this.#context;
    if (this.#restTimer !== null) clock.clearTimer(this.#restTimer);
    this.#restTimer = null;
    this.#early = null;
    this.#deadline = wheel.cancel(this.#deadline);
  }

  /**
   * Pauses for this long at least, by a timer of the clock: a small burst with a high rate would wait too long for the
   * next tick of the wheel.
   */
  #rest(waitMs: number): void {
    if (!this.#connection.isOpen) return;
    const { clock } = this.#context;
    this.#restUntilMs = Math.max(this.#restUntilMs, clock.now() + waitMs);
    this.#restTimer ??= clock.setTimer(waitMs, () => {
      this.#restTimer = null;
      const leftMs = this.#restUntilMs - clock.now();
      if (leftMs > 0) this.#rest(leftMs);
      else this.resume('rate');
    });
    this.pause('rate');
  }

  /** Handlers that never settle must not hold reading up without end. What the application pauses, it resumes. */
  #change(reasons: number): void {
    const { wheel, timeouts } = this.#context;
    if (this.#pauser === 'user') this.#userMs += this.#sinceChangeMs;
    if (this.#pauser === 'handlers') this.#handlersMs += this.#sinceChangeMs;
    this.#changedAtMs = wheel.nowMs;
    this.#reasons = reasons;
    if (this.#pauser === 'handlers')
      this.#deadline ??= wheel.schedule(timeouts.pausedMs, this, 'paused');
    else this.#deadline = wheel.cancel(this.#deadline);
  }

  deadlinePassed(): void {
    this.#deadline = null;
    this.#connection.end('handler-stalled');
  }
}
