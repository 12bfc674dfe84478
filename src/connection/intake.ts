import type { TimerHandle } from '../core/clock.ts';
import type { Deadline, DeadlineOwner } from '../core/timer-wheel.ts';
import { TokenBucket } from '../core/token-bucket.ts';
import type { ConnectionCore } from './connection-core.ts';
import type { SharedRuntime } from './shared-runtime.ts';

/** Why reading is paused; several reasons may hold at once. */
const pauseReasons = { user: 1, rate: 2, handlers: 4, client: 8 } as const;

type PauseReason = keyof typeof pauseReasons;

/** A pause for the rate lasts until this many milliseconds' worth of messages may come. A pause per message costs more. */
const PAUSE_MS = 100;

/** After an invalid message, reading pauses for this many times its cost, so such a peer gets a tenth of the CPU time. */
const INVALID_WAITS = 9;
/** A cheaper message causes no pause. */
const INVALID_COST_MS = 2;
const INVALID_WAIT_MS_MAX = 1_000;

const MINUTE_MS = 60_000;

/**
 * Controls how fast one connection is read. It is made for the first message or the first pause.
 *
 * ```
 * message ──▶ a token ──▶ handler ──(returns a promise)──▶ in flight ──▶ settled
 *                │ none left                                  │ too many, or too large
 *                └──────────────▶ reading pauses ◀────────────┘
 * ```
 * Reading resumes when no reason to pause is left. A pause for the rate, or for an invalid message, ends after a time.
 * A pause for handlers that are behind may last `timeouts.pausedMs`, not counting time in which the application also
 * pauses.
 */
export class Intake implements DeadlineOwner {
  readonly #connection: ConnectionCore;
  readonly #context: SharedRuntime;
  readonly #tokens: TokenBucket;
  #arrivedAtMs = 0;
  #inFlight = 0;
  #inFlightBytes = 0;
  /** Answers of the peer that this side waits for. As many handlers may wait for them, and must not keep them from being read. */
  #awaited = 0;
  /** The sum of the {@link pauseReasons} that hold. */
  #reasons = 0;
  /**
   * A message that was read before a pause. A subscriber may pause when it receives `connection.healthy` for that
   * message.
   */
  #early: { readonly payload: Uint8Array; readonly isBinary: boolean } | null = null;
  /** When the reasons last changed. This and the sums of earlier pauses are in the wheel's time. */
  #changedAtMs = 0;
  #userMs = 0;
  /** Excludes time in which the application also paused. */
  #handlersMs = 0;
  #restUntilMs = 0;
  #restTimer: TimerHandle | null = null;
  #deadline: Deadline | null = null;
  /** The invalid messages of the current minute, which the first of them begins. Most connections never have any. */
  #invalid: { readonly beganAtMs: number; count: number } | null = null;

  constructor(connection: ConnectionCore, context: SharedRuntime) {
    this.#connection = connection;
    this.#context = context;
    this.#tokens = new TokenBucket(context.messageRate, context.clock.now());
  }

  get isPaused(): boolean {
    return this.#reasons !== 0;
  }

  /** Whether messages wait behind a pause, or handlers are at work. */
  get isBusy(): boolean {
    return this.isPaused || this.#inFlight > 0;
  }

  /**
   * How long the application or its handlers have paused reading so far, in the wheel's time. A pause for the rate does not
   * count: otherwise a peer that reads nothing could gain time by sending too fast.
   */
  get pausedMs(): number {
    return (
      this.#userMs + this.handlersPausedMs + (this.#pauser === 'user' ? this.#sinceChangeMs : 0)
    );
  }

  /** The part of `pausedMs` in which only handlers paused. */
  get handlersPausedMs(): number {
    return this.#handlersMs + (this.#pauser === 'handlers' ? this.#sinceChangeMs : 0);
  }

  get #sinceChangeMs(): number {
    return this.#context.wheel.nowMs - this.#changedAtMs;
  }

  /** Which part of this side pauses reading. */
  get #pauser(): 'user' | 'handlers' | null {
    if ((this.#reasons & (pauseReasons.user | pauseReasons.client)) !== 0) return 'user';
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
    this.track(this.#connection.arrived(payload, isBinary), payload.length);
    if (this.#tokens.isSpent && overRate === 'pause')
      this.#rest(this.#tokens.msUntil(PAUSE_MS, clock.now()));
  }

  /**
   * Counts the current message as invalid. More than `limits.invalidPerMinuteMax` within a minute end the connection. A
   * contract may check thousands of values, and one read holds many messages. So reading pauses in proportion to the
   * cost of this message, and other connections get their turn.
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

  /** Counts a message as in flight until its handler settles, and pauses reading if that reaches a limit. */
  track(work: unknown, bytes: number): void {
    if (work instanceof Promise) this.#await(work, bytes);
    if (this.#isFull) this.pause('handlers');
  }

  #await(work: PromiseLike<unknown>, bytes: number): void {
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

  /** This side waits for so many answers of the peer. */
  awaitAnswers(count: number): void {
    this.#awaited = count;
    if (this.#isFull) this.pause('handlers');
    else this.resume('handlers');
  }

  get #isFull(): boolean {
    const { inFlightMax, inFlightBytesMax, payloadBytesMax } = this.#context.limits;
    const counted = this.#inFlight - this.#awaited;
    if (counted >= inFlightMax) return true;
    if (this.#inFlightBytes < inFlightBytesMax) return false;
    // Messages of handlers that wait for answers may take as much again, and one of them always fits.
    return counted > 0 || this.#inFlightBytes >= 2 * Math.max(inFlightBytesMax, payloadBytesMax);
  }

  /** Returns whether this reason is new. */
  pause(reason: PauseReason): boolean {
    const bit = pauseReasons[reason];
    if (!this.#connection.isOpen || (this.#reasons & bit) !== 0) return false;
    const wasPaused = this.isPaused;
    this.#change(this.#reasons | bit);
    if (!wasPaused) {
      // Paused before the chart receives the fact and a subscriber the event, so that nothing more is delivered, even
      // from this read.
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
      // The chart decides, because an async `onOpen` also holds messages back.
      this.#connection.chart.send('reading.resumed');
      this.#connection.heartbeat?.resumed();
      this.#connection.side.readingResumed();
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
   * Pauses for at least `waitMs`. It uses a timer of the clock, because the next tick of the wheel would be too late
   * for a small burst with a high rate.
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

  /** A pause by handlers has a deadline, because they may never settle. A pause by the application has none. */
  #change(reasons: number): void {
    const { wheel, timeouts } = this.#context;
    if (this.#pauser === 'user') this.#userMs += this.#sinceChangeMs;
    if (this.#pauser === 'handlers') this.#handlersMs += this.#sinceChangeMs;
    this.#changedAtMs = wheel.nowMs;
    this.#reasons = reasons;
    if (this.#pauser === 'handlers') this.#deadline ??= wheel.schedule(timeouts.pausedMs, this);
    else this.#deadline = wheel.cancel(this.#deadline);
  }

  deadlinePassed(): void {
    this.#deadline = null;
    this.#connection.end('handler-stalled');
  }
}
