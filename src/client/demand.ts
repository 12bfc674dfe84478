import type { SharedRuntime } from '../connection/shared-runtime.ts';
import type { Deadline, DeadlineOwner } from '../core/timer-wheel.ts';

/** The client that dials on demand. */
export interface DemandHost {
  /** Whether messages have subscribers, or wait to be sent. */
  readonly isNeeded: boolean;
  demandBegan(): void;
  demandEnded(): void;
}

/** Notices when a client that dials on demand is needed, and when it has not been needed for a while. */
export class Demand implements DeadlineOwner {
  readonly #context: SharedRuntime;
  readonly #idleMs: number | undefined;
  readonly #host: DemandHost;
  #isWanted = false;
  #idle: Deadline | null = null;

  /** @param idleMs - `undefined` if the connection is kept. */
  constructor(context: SharedRuntime, idleMs: number | undefined, host: DemandHost) {
    this.#context = context;
    this.#idleMs = idleMs;
    this.#host = host;
  }

  /** Whether it has been needed since the last end of the demand. */
  get isWanted(): boolean {
    return this.#isWanted;
  }

  /** Somebody needs the client. It dials a little later, so that the application can subscribe to its streams first. */
  ask(): void {
    this.#watch();
    if (this.#isWanted) return;
    this.#isWanted = true;
    this.#context.clock.afterPoll(() => this.#host.demandBegan());
  }

  /** A subscriber of the messages has come or left. */
  subscribersChanged(): void {
    if (this.#host.isNeeded) this.ask();
    else this.#watch();
  }

  /** The time without need begins anew. */
  #watch(): void {
    this.stop();
    if (this.#idleMs !== undefined)
      this.#idle = this.#context.wheel.schedule(this.#idleMs, this, 'idle');
  }

  stop(): void {
    this.#idle = this.#context.wheel.cancel(this.#idle);
  }

  deadlinePassed(): void {
    this.#idle = null;
    if (this.#host.isNeeded) {
      this.#watch();
      return;
    }
    this.#isWanted = false;
    this.#host.demandEnded();
  }
}
