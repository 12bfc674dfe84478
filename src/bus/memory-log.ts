import type {
  BusLog,
  Entry,
  LogInterest,
  NewEntry,
  Page,
  Place,
  Retention,
  Stored,
  Tail,
} from '../core/bus-log.ts';
import type { Clock } from '../core/clock.ts';
import * as defaults from '../core/defaults.ts';
import { messageTooLarge } from '../core/errors.ts';
import { guarded, type ReportThrown } from '../core/guard.ts';
import { MemoryStore } from './memory-store.ts';

/** As long as the longest message that `limits.payloadBytesMax` allows by default. */
export const PAYLOAD_BYTES_MAX = 1_048_576;

/**
 * Makes the log of a supervisor that shares its durable topics with no other.
 *
 * @param errored - gets what a follower throws. @default it is thrown again, as an unhandled rejection
 */
export function memoryLog(
  clock: Clock,
  retention: Partial<Retention> = {},
  errored: ReportThrown = rethrow,
): MemoryLog {
  const limits = {
    retention: { ...defaults.retention, ...retention },
    bytesMax: defaults.memoryBus.bytesMax,
  };
  return new MemoryLog(new MemoryStore(clock, limits), errored);
}

function rethrow(error: Error): void {
  throw error;
}

/** The log of one link of a memory bus. Its past never changes. */
export class MemoryLog implements BusLog {
  readonly payloadBytesMax = PAYLOAD_BYTES_MAX;
  readonly #store: MemoryStore;
  readonly #errored: ReportThrown;
  readonly #interests = new Set<LogInterest>();
  #isClosed = false;

  /** @param errored - gets what a follower throws. */
  constructor(store: MemoryStore, errored: ReportThrown) {
    this.#store = store;
    this.#errored = errored;
  }

  get retention(): Readonly<Retention> {
    return this.#store.retention;
  }

  async append(topic: string, entry: NewEntry, signal: AbortSignal): Promise<Stored> {
    this.#checkOpen();
    signal.throwIfAborted();
    const { length } = entry.payload;
    if (length <= PAYLOAD_BYTES_MAX) return this.#store.append(topic, entry);
    throw messageTooLarge(length, PAYLOAD_BYTES_MAX);
  }

  /** Delivers in a later microtask, so that no member is written to in the middle of a call. */
  follow(topic: string, heard: (entry: Entry) => void): LogInterest {
    let isEnded = this.#isClosed;
    const hear = (entry: Entry) => {
      if (!isEnded) guarded(() => heard(entry), this.#errored);
    };
    const leave = this.#store.follow(topic, (entry) => void Promise.resolve(entry).then(hear));
    const interest: LogInterest = {
      ready: Promise.resolve(),
      end: () => {
        isEnded = true;
        leave();
        this.#interests.delete(interest);
      },
    };
    if (isEnded) leave();
    else this.#interests.add(interest);
    return interest;
  }

  async tail(topic: string): Promise<Tail> {
    this.#checkOpen();
    return this.#store.tail(topic);
  }

  async read(topic: string, after: Place, limit: number): Promise<Page> {
    this.#checkOpen();
    return this.#store.read(topic, after, limit);
  }

  /** Ends all interests. What others have kept stays. */
  close(): void {
    this.#isClosed = true;
    for (const interest of [...this.#interests]) interest.end();
  }

  #checkOpen(): void {
    if (this.#isClosed) throw new Error('the link to the bus is closed');
  }
}
