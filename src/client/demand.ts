import type { SharedRuntime } from '../connection/shared-runtime.ts';
import type { Deadline, DeadlineOwner } from '../core/timer-wheel.ts';

/** The client that dials on demand. */
export interface DemandHost {
  /** Whether messages have subscribers, wait to leave, or wait to be handled. */
  readonly isNeeded: boolean;
  /** Whether it is closing its connection because nothing needs it. */
  readonly isHangingUp: boolean;
  demandBegan(): void;
  demandEnded(): void;
}

/** Notices when a client that dials on demand is needed, and when it has not been needed for a while. */
export class Demand implements DeadlineOwner {
  readonly #context: SharedRuntime;
  readonly #idleMs: number;
  readonly #host: DemandHost;
  #isWanted = false;
  #isOver = false;
  #usedAtMs = 0;
  #wasNeeded = false;
  #idle: Deadline | null = null;

  /** @param idleMs - infinite if the connection is kept. */
  constructor(context: SharedRuntime, idleMs: number, host: DemandHost) {
    this.#context = context;
    this.#idleMs = idleMs;
    this.#host = host;
  }

  /** Whether the client has been needed since the demand last ended. */
  get isWanted(): boolean {
    return this.#isWanted;
  }

  /**
   * Something needs the client. It dials a little later, so that the application can subscribe to its streams first.
   */
  ask(): void {
    this.used();
    if (this.#isWanted || this.#isOver) return;
    this.#isWanted = true;
    this.#look(this.#idleMs);
    this.#context.clock.afterPoll(() => this.#host.demandBegan());
  }

  /** Starts the idle time again. */
  used(): void {
    this.#usedAtMs = this.#context.clock.now();
  }

  /** The messages have gained or lost a subscriber. */
  subscribersChanged(): void {
    if (this.#host.isNeeded) this.ask();
    else this.used();
  }

  /** The client has stopped. */
  end(): void {
    this.#isOver = true;
    this.#idle = this.#context.wheel.cancel(this.#idle);
  }

  deadlinePassed(): void {
    this.#idle = null;
    const { isNeeded, isHangingUp } = this.#host;
    // A need may have ended at any time since the last look. A demand that came while the client hung up must be met
    // first.
    if (isNeeded || this.#wasNeeded || isHangingUp) this.used();
    this.#wasNeeded = isNeeded;
    const leftMs = this.#usedAtMs + this.#idleMs - this.#context.clock.now();
    if (leftMs > 0) {
      this.#look(leftMs);
      return;
    }
    this.#isWanted = false;
    this.#host.demandEnded();
  }

  #look(delayMs: number): void {
    if (Number.isFinite(delayMs)) this.#idle = this.#context.wheel.schedule(delayMs, this);
  }
}
