import type { TimerWheel } from '../core/timer-wheel.ts';

/** A message of which a part has arrived. */
export interface UnfinishedMessage {
  /** Refuses this message, the oldest, because all of them hold too much. */
  makeRoom(): void;
}

/** What one unfinished message may use, and all of them together. */
export interface UnfinishedLimits {
  readonly bufferedChunksMax: number;
  readonly messageMs: number;
  readonly bytesMax: number;
}

/**
 * The messages of which a part has arrived, over all connections of one supervisor.
 *
 * Each peer may keep within its own limits and send all of a message but its last byte. Without a common bound, there could
 * be such a message for every connection. At the bound, the oldest makes room.
 */
export class UnfinishedMessages {
  readonly wheel: TimerWheel;
  readonly limits: UnfinishedLimits;
  /** The oldest first. */
  readonly #messages = new Set<UnfinishedMessage>();
  #bytes = 0;

  constructor(wheel: TimerWheel, limits: UnfinishedLimits) {
    this.wheel = wheel;
    this.limits = limits;
  }

  /** Bytes that all of them hold. */
  get bytes(): number {
    return this.#bytes;
  }

  /** A message has begun: it is the newest. */
  began(message: UnfinishedMessage): void {
    this.#messages.delete(message);
    this.#messages.add(message);
  }

  /** A message holds more bytes, or fewer. It may have to make room itself. */
  grew(bytes: number): void {
    this.#bytes += bytes;
    while (this.#bytes > this.limits.bytesMax) {
      const [oldest] = this.#messages;
      if (oldest === undefined) return;
      oldest.makeRoom();
    }
  }

  /** A message is complete or refused, and holds nothing. */
  ended(message: UnfinishedMessage, bytes: number): void {
    if (this.#messages.delete(message)) this.#bytes -= bytes;
  }
}
