/** Bytes after which the server is asked whether it has them. */
const ASK_BYTES = 262_144;

/** Bytes that may be under way. nats.js itself buffers without a bound. */
const UNDER_WAY_BYTES_MAX = 8_388_608;

/** What the protocol and nats.js add to a short message, about. */
const OVERHEAD_BYTES = 32;

/** What a window asks the server through. */
export interface Confirming {
  /** Resolves when the server has everything that was sent before. */
  flush(): Promise<void>;
}

/** Bounds the bytes that a server has not taken yet, for example because it is frozen. */
export class SendWindow {
  #underWayBytes = 0;
  /** Bytes that the question in progress asks for. */
  #askedBytes = 0;
  /** Separates connections: an answer for an earlier one counts nothing. */
  #connection = 0;

  /** Takes a message, unless too much is under way. @param bytes - of the message and its subject */
  take(nats: Confirming, bytes: number): boolean {
    // Before this message counts: it leaves after the question.
    this.#askIfMany(nats);
    if (this.#underWayBytes >= UNDER_WAY_BYTES_MAX) return false;
    this.#underWayBytes += bytes + OVERHEAD_BYTES;
    return true;
  }

  /** Begins anew with another connection. */
  reset(): void {
    this.#underWayBytes = 0;
    this.#askedBytes = 0;
    this.#connection += 1;
  }

  #askIfMany(nats: Confirming): void {
    if (this.#askedBytes > 0 || this.#underWayBytes < ASK_BYTES) return;
    const connection = this.#connection;
    const bytes = this.#underWayBytes;
    this.#askedBytes = bytes;
    const answered = () => {
      if (connection !== this.#connection) return;
      this.#askedBytes = 0;
      this.#underWayBytes -= bytes;
      // Messages that left after the question may fill the window, and then nothing else asks.
      this.#askIfMany(nats);
    };
    // A connection that is lost rejects, and is followed by a reset.
    nats.flush().then(answered, () => {});
  }
}
