import type { TimerHandle } from '../core/clock.ts';
import { isThenable } from '../core/guard.ts';
import type { Deadline, DeadlineOwner } from '../core/timer-wheel.ts';
import { TokenBucket } from '../core/token-bucket.ts';
import type { SharedRuntime } from './connection-host.ts';
import type { ManagedConnection } from './managed-connection.ts';

/** Why reading is paused; several reasons may hold at once. */
export const pauseReasons = { user: 1, rate: 2, handlers: 4, fault: 8 } as const;

type PauseReason = keyof typeof pauseReasons;

/** A pause for the rate waits until this many milliseconds' worth of messages may come: one pause for each costs more. */
const PAUSE_MS = 100;

/** After an invalid message, reading pauses for this many times what it cost: such a peer gets a tenth of the process. */
const FAULT_WAITS = 9;
/** A cheaper message causes no pause. */
const FAULT_COST_MS = 2;
const FAULT_WAIT_MS_MAX = 1_000;

/**
 * How fast one connection may be read. Made for its first message; it ends with the connection.
 *
 * ```
 * message ──▶ a token ──▶ handler ──(returns a promise)──▶ in flight ──▶ settled
 *                │ none left                                  │ too many, or too large
 *                └──────────────▶ reading pauses ◀────────────┘
 * ```
 * Reading resumes when no reason is left. A pause for the rate, or after an invalid message, ends by itself. A pause for
 * handlers that fall behind may last `timeouts.pausedMs`; that time does not run while the application pauses, too.
 */
export class Intake implements DeadlineOwner {
  readonly #connection: ManagedConnection;
  readonly #context: SharedRuntime;
  readonly #tokens: TokenBucket;
  #arrivedAtMs = 0;
  #inFlight = 0;
  #inFlightBytes = 0;
  /** The sum of the {@link pauseReasons} that hold. */
  #reasons = 0;
  /** Messages that were read before the pause: a subscriber paused when it heard that the peer is awake. */
  #early: { readonly payload: Uint8Array; readonly isBinary: boolean }[] | null = null;
  /** When the application or its handlers began to pause it. */
  #pausedAtMs = 0;
  /** How long the earlier pauses of that kind were, in the wheel's time. */
  #pausedMs = 0;
  #rateTimer: TimerHandle | null = null;
  #faultTimer: TimerHandle | null = null;
  #deadline: Deadline | null = null;

  constructor(connection: ManagedConnection, context: SharedRuntime) {
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
    const { nowMs } = this.#context.wheel;
    return this.#pausedMs + (this.#isPausedByUs ? nowMs - this.#pausedAtMs : 0);
  }

  get #isPausedByUs(): boolean {
    return (this.#reasons & (pauseReasons.user | pauseReasons.handlers)) !== 0;
  }

  /** Delivers a message, and pauses reading if that reaches a limit. */
  receive(payload: Uint8Array, isBinary: boolean): void {
    if (this.isPaused) {
      this.#early ??= [];
      this.#early.push({ payload, isBinary });
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
    if (this.#tokens.isSpent && overRate === 'pause') this.pause('rate');
  }

  /**
   * The message that is being received was invalid. A contract may check thousands of values, and one read holds many
   * messages: reading pauses in proportion to what this one has cost, so that other connections get their turn.
   */
  messageRefused(): void {
    const { clock } = this.#context;
    const costMs = clock.now() - this.#arrivedAtMs;
    if (costMs < FAULT_COST_MS || !this.pause('fault')) return;
    this.#faultTimer = clock.setTimer(Math.min(costMs * FAULT_WAITS, FAULT_WAIT_MS_MAX), () => {
      this.#faultTimer = null;
      this.resume('fault');
    });
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
    if (!this.#isPausedByUs) this.#pausedAtMs = this.#context.wheel.nowMs;
    this.#reasons |= bit;
    if (reason === 'rate') this.#waitForTokens();
    this.#limitOwnPause();
    if (!wasPaused) {
      // Before the chart or a subscriber hears of it, so that nothing more is delivered, not even from this read.
      this.#connection.transport.pause();
      this.#connection.send('reading.paused');
    }
    return true;
  }

  /** Returns whether this reason held. */
  resume(reason: PauseReason): boolean {
    const bit = pauseReasons[reason];
    if (!this.#connection.isOpen || (this.#reasons & bit) === 0) return false;
    const { pausedMs } = this;
    this.#reasons &= ~bit;
    if (!this.#isPausedByUs) this.#pausedMs = pausedMs;
    this.#limitOwnPause();
    if (!this.isPaused) {
      // The chart decides: an `onOpen` that is at work holds messages back as well.
      this.#connection.send('reading.resumed');
      this.#connection.heartbeat?.resumed();
      this.#receiveEarly();
    }
    return true;
  }

  #receiveEarly(): void {
    while (this.#connection.isOpen && !this.isPaused) {
      const message = this.#early?.shift();
      if (message === undefined) break;
      this.receive(message.payload, message.isBinary);
    }
  }

  /** The connection is ending. */
  stop(): void {
    const { clock, wheel } = this.#context;
    if (this.#rateTimer !== null) clock.clearTimer(this.#rateTimer);
    if (this.#faultTimer !== null) clock.clearTimer(this.#faultTimer);
    this.#rateTimer = null;
    this.#faultTimer = null;
    this.#deadline = wheel.cancel(this.#deadline);
  }

  /** By a timer of the clock: a small burst with a high rate would wait too long for the next tick of the wheel. */
  #waitForTokens(): void {
    const { clock } = this.#context;
    const waitMs = this.#tokens.msUntil(PAUSE_MS, clock.now());
    this.#rateTimer = clock.setTimer(waitMs, () => {
      this.#rateTimer = null;
      if (this.#tokens.has(clock.now())) this.resume('rate');
      else this.#waitForTokens();
    });
  }

  /** Handlers that never settle must not hold reading up without end. What the application pauses, it resumes. */
  #limitOwnPause(): void {
    const { user, handlers } = pauseReasons;
    const isOurs = (this.#reasons & (user | handlers)) === handlers;
    const { wheel, timeouts } = this.#context;
    if (isOurs) this.#deadline ??= wheel.schedule(timeouts.pausedMs, this, 'paused');
    else this.#deadline = wheel.cancel(this.#deadline);
  }

  deadlinePassed(): void {
    this.#deadline = null;
    this.#connection.end('handler-stalled');
  }
}
