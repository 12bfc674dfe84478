import type { BusLog, LogHost } from './bus-log.ts';
import type { Clock } from './clock.ts';
import { hasMethods } from './methods.ts';

/**
 * What the processes of one service share, so that a topic and a broadcast reach members in all of them.
 *
 * Mooring has two: `memoryBus()`, and `natsBus()` from `mooring/nats`. You may write another; `busSuite` in
 * `test/support/bus-suite.ts` checks what it must do.
 */
export interface Bus {
  /** The name of the bus in logs, for example `nats`. */
  readonly name: string;
  /**
   * Opens the link of one supervisor. It returns at once and does not throw for the state of the network: the link comes up,
   * and back up, by itself.
   */
  open(host: BusHost): BusLink;
}

/** What a link tells its supervisor. It calls none of these methods from within `open`. */
export interface BusHost {
  /** The source of time of the supervisor. */
  readonly clock: Clock;
  /**
   * The link is up, or is down. Called once for each change; a link begins as neither. When it comes up, it hears all channels
   * that it listens to already.
   */
  moved(state: 'up' | 'down', error?: Error): void;
  /**
   * The bus was up in parts that did not reach each other, and these have joined: for example, two servers of a cluster have
   * connected.
   */
  rejoined(): void;
  /**
   * Something went wrong that does not change the state of the link: a channel may not be heard, or the credentials are refused
   * while the link is down.
   */
  errored(error: Error): void;
}

/**
 * The link of one supervisor to the others on its bus.
 *
 * A channel is a word, or a word, a slash and any well-formed text: `all`, `live/room/1`.
 */
export interface BusLink {
  /** The longest message, in bytes. It counts only while the link is up. */
  readonly payloadBytesMax: number;
  /**
   * Gives a message to the other links that listen to its channel. Messages of one link to one channel arrive in order, and
   * no link gets one twice.
   *
   * Returns whether the message has left, or leaves now. If it returns `false`, the message is dropped: nothing waits for a
   * link that is down, or for more than the link can take. The bytes must not change afterwards.
   */
  publish(channel: string, message: Uint8Array): boolean;
  /**
   * Hears what the other links publish to a channel, across outages of the bus, until the interest ends. The link listens to a
   * channel at most once at a time. `heard` must copy what it keeps.
   */
  listen(channel: string, heard: (message: Uint8Array) => void): Interest;
  /**
   * Opens the log of durable topics, at most once. A bus that keeps nothing has no such method. It returns at once and does not
   * throw for the state of the network. The log ends with its link.
   */
  openLog?(host: LogHost): BusLog;
  /** Ends all interests and leaves the bus. What was published before still leaves, if that takes no longer than a second. */
  close(): Promise<void>;
}

/** The interest of a link in one channel. */
export interface Interest {
  /** Resolves when messages that are published from then on are heard: at once if the link is down. */
  readonly ready: Promise<void>;
  /** Stops hearing. Nothing is heard after this call. */
  end(): void;
}

/** The problem of a value that is not a bus. */
export const mustBeBus = 'must be a bus, for example memoryBus()';

/** Whether a value can be a bus. */
export function isBus(value: unknown): value is Bus {
  return hasMethods(value, ['open']) && typeof (value as Bus).name === 'string';
}
