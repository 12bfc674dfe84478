/**
 * The messages of durable topics, as a bus keeps them for all processes of a service.
 *
 * A {@link Place} names a message, not only a number: a log that was restored from an older disk uses its numbers again.
 */
export interface BusLog {
  /** How long messages are kept. */
  readonly retention: Retention;
  /** The longest payload of an entry, in bytes. It counts only while the bus is up. */
  readonly payloadBytesMax: number;
  /**
   * Keeps a message, unless one with the same id was kept in this topic within the last two minutes. It asks again, under the
   * same id, until the bus answers or `signal` aborts. The payload must not change afterwards.
   *
   * Rejects if `signal` aborts, or if there is no room for one more that waits. In both cases the message may have been kept.
   */
  append(topic: string, entry: NewEntry, signal: AbortSignal): Promise<Stored>;
  /**
   * Hears what is kept in a topic, by anybody, until the interest ends. It may miss entries, hear one twice or hear two in the
   * wrong order: {@link Entry.prev} shows it. `heard` may keep the entry.
   */
  follow(topic: string, heard: (entry: Entry) => void): LogInterest;
  /** Asks for the newest entry of a topic. Rejects if the bus does not answer. */
  tail(topic: string): Promise<Tail>;
  /**
   * Reads what was kept in a topic after a place, oldest first, at most `limit` entries and at least one, if there is one. Rejects
   * if the bus does not answer.
   */
  read(topic: string, after: Place, limit: number): Promise<Page>;
}

/** How long a bus keeps the messages of durable topics. */
export interface Retention {
  /** How long a message is kept, in milliseconds: the longest absence that is made up for. @default 600_000 */
  readonly forMs: number;
  /** How many messages of one topic are kept. @default 1_000 */
  readonly messagesPerTopic: number;
}

/** What a log tells its supervisor. */
export interface LogHost {
  /**
   * The log is not what it was: the bus has lost messages, or was emptied. All places from before are void, and reading after
   * one of them says so.
   */
  rewritten(): void;
  /** Something went wrong that is not the answer to a call. */
  errored(error: Error): void;
}

/** The interest of a process in the entries of one topic. */
export interface LogInterest {
  /** Resolves when entries that are kept from then on are heard: at once if the bus is down. */
  readonly ready: Promise<void>;
  /** Stops hearing. Nothing is heard after this call. */
  end(): void;
}

/** A message to be kept. */
export interface NewEntry {
  /** Names the message: 1 to 128 visible ASCII characters. */
  readonly id: string;
  /** What members get. */
  readonly payload: Uint8Array;
  /** Whether it is sent as a binary message. */
  readonly isBinary: boolean;
}

/** Where a reader is in a topic: it has everything up to this message. */
export interface Place {
  /** The incarnation of the log: 1 to 16 characters of base 36. Another one as soon as its past is not what it was. */
  readonly log: string;
  /** The number of the message: a whole number, larger than those of all earlier messages of the topic. */
  readonly offset: number;
  /**
   * 48 bits of a hash of the id of the message, in base64url: 8 characters. Empty if the place does not name a message: nothing
   * had been kept up to there, or not for long.
   */
  readonly tag: string;
}

/** A kept message. */
export interface Entry extends Place {
  /** The number of the message before it in the topic, or 0 if there is none, as the log knew it when it kept this one. */
  readonly prev: number;
  /** What members get. */
  readonly payload: Uint8Array;
  /** Whether it is sent as a binary message. */
  readonly isBinary: boolean;
}

/** What became of an append that the bus has answered. */
export interface Stored {
  /** Where the message is. If it is a duplicate, the place of the first. */
  readonly place: Place;
  /** Whether a message with this id had been kept before. */
  readonly isDuplicate: boolean;
}

/** The end of a topic. */
export interface Tail {
  /** The place of the newest message; `null` if none is kept. */
  readonly newest: Place | null;
  /**
   * A place without a tag, at a number up to which there is certainly no other message. A reader that is here has everything,
   * and stays whole although the newest message expires.
   */
  readonly upTo: Place;
}

/** Some entries of a topic, oldest first. */
export type Page =
  | {
      /** Nothing is missing between the place and the first entry, nor between the entries. */
      readonly isWhole: true;
      readonly entries: readonly Entry[];
      /** Whether there may be more after the last of them. */
      readonly hasMore: boolean;
    }
  | {
      readonly isWhole: false;
      /** `expired`: messages after the place are not kept any more. `reset`: the place is void. */
      readonly cause: 'expired' | 'reset';
    };
