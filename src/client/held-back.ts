import { HELD_MESSAGE_BYTES } from '../core/limits.ts';
import type { CloseVerdict } from '../core/verdict.ts';
import type { OutboundConnection } from './outbound-connection.ts';
import type { Waypoint } from './positions.ts';

/** The close code for a message that is too long (RFC 6455 §7.4.1). */
const TOO_LONG = 1009;

type Deliver = () => unknown;

/** Moves the client to a position. */
interface Passing {
  pass(waypoint: Waypoint): void;
}

/**
 * What has arrived and waits, in order: messages, and positions in durable topics. It waits while an async `onOpen` is running, and
 * after that while reading is paused.
 */
export class HeldBack {
  readonly #client: Passing;
  #held: (Deliver | Waypoint)[] = [];
  #isWary = false;

  constructor(client: Passing) {
    this.#client = client;
  }

  /** What it costs besides the payloads. */
  get bytes(): number {
    return this.#held.length * HELD_MESSAGE_BYTES;
  }

  /** Whether a message that cannot be read may come behind the first one, so that this must be delivered before more is read. */
  get isWary(): boolean {
    return this.#isWary;
  }

  add(held: Deliver | Waypoint): void {
    this.#held.push(held);
  }

  /** Delivers everything, until something pauses reading. */
  deliver(connection: OutboundConnection): void {
    while (connection.isOpen && !connection.intake.isPaused) {
      const held = this.#held.shift();
      if (held === undefined) return;
      if (typeof held === 'function') connection.intake.track(held(), 0);
      else this.#client.pass(held);
    }
  }

  /**
   * Passes the position of a message that ends each connection on which it arrives. Messages that are held back come again, and
   * this one after them.
   */
  skip(unreadable: Waypoint | null): void {
    const waypoints = this.#held.filter((held) => typeof held !== 'function');
    this.#isWary = unreadable !== null && waypoints.length < this.#held.length;
    if (unreadable === null || this.#isWary) return;
    this.clear();
    for (const waypoint of [...waypoints, unreadable]) this.#client.pass(waypoint);
  }

  clear(): void {
    this.#held = [];
  }
}

/** Whether a message that is too long for this side, or came in too many parts, has ended the connection. */
export function isUnreadable({ cause, sent }: CloseVerdict): boolean {
  return cause === 'message-limit' || (cause === 'protocol-error' && sent?.code === TOO_LONG);
}
