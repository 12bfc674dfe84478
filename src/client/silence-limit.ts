import type { ConnectionCore } from '../connection/connection-core.ts';
import type { Deadline, DeadlineOwner } from '../core/timer-wheel.ts';

/** While reading is paused, the time is checked this many times within its length. */
const LOOKS_PAUSED = 8;

/**
 * Ends a connection on which the application of the peer has sent nothing for a time. Pauses of reading do not count.
 */
export class SilenceLimit implements DeadlineOwner {
  readonly #connection: ConnectionCore;
  readonly #silentMs: number;
  readonly #deadline: Deadline;
  /** In `readingMs`. */
  #heardAtMs: number;

  constructor(connection: ConnectionCore, silentMs: number) {
    this.#connection = connection;
    this.#silentMs = silentMs;
    this.#heardAtMs = connection.readingMs;
    this.#deadline = connection.context.wheel.schedule(silentMs, this);
  }

  /** A message of the application arrived. */
  heard(): void {
    this.#heardAtMs = this.#connection.readingMs;
  }

  stop(): void {
    this.#connection.context.wheel.cancel(this.#deadline);
  }

  deadlinePassed(): void {
    const { readingMs, transport } = this.#connection;
    const leftMs = this.#heardAtMs + this.#silentMs - readingMs;
    // Messages that have arrived during the pause are delivered after it.
    if (transport.isPaused) this.#look(Math.max(leftMs, this.#silentMs / LOOKS_PAUSED));
    else if (leftMs > 0) this.#look(leftMs);
    else this.#connection.end('silent');
  }

  #look(delayMs: number): void {
    this.#connection.context.wheel.postpone(this.#deadline, delayMs);
  }
}
