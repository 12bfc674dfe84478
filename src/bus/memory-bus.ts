import type { Bus, BusHost, BusLink, Interest } from '../core/bus.ts';
import type { LogHost, Retention } from '../core/bus-log.ts';
import type { Clock } from '../core/clock.ts';
import * as defaults from '../core/defaults.ts';
import { guarded } from '../core/guard.ts';
import { type Given, integer, type Resolved, resolved } from '../core/option-rules.ts';
import { MemoryLog, PAYLOAD_BYTES_MAX } from './memory-log.ts';
import { MemoryStore } from './memory-store.ts';
import { retentionRule } from './retention.ts';

type Heard = (message: Uint8Array) => void;

/** Options of {@link memoryBus}. */
export interface MemoryBusOptions {
  /**
   * How long the messages of durable topics are kept.
   * @default 1,000 messages of each topic, for 10 minutes
   */
  retention?: Given<Retention> | undefined;
  /**
   * How many bytes all kept messages may have together, with 512 bytes for each beside its payload. Above that, the oldest
   * are dropped.
   * @default 67_108_864
   */
  bytesMax?: number | undefined;
}

const rules = { retention: retentionRule, bytesMax: integer(defaults.memoryBus.bytesMax) };

/**
 * Creates a bus for supervisors in one process. Those that get the same bus share their topics and broadcasts, as if each
 * were in a process of its own. Use it to test what your service does in several processes.
 *
 * @throws MooringError `invalid-options`, with the path of every wrong option.
 *
 * @example
 * ```ts
 * const bus = memoryBus();
 * const one = createSupervisor({ bus });
 * const other = createSupervisor({ bus });
 * ```
 */
export function memoryBus(options: MemoryBusOptions = {}): Bus {
  return new MemoryBus(resolved(options, rules));
}

class MemoryBus implements Bus {
  readonly name = 'memory';
  readonly links = new Set<MemoryLink>();
  readonly #options: Readonly<Resolved<typeof rules>>;
  #store: MemoryStore | null = null;

  constructor(options: Readonly<Resolved<typeof rules>>) {
    this.#options = options;
  }

  /** What all links keep. The clock of the first of them decides what is too old. */
  store(clock: Clock): MemoryStore {
    this.#store ??= new MemoryStore(clock, this.#options);
    return this.#store;
  }

  open(host: BusHost): BusLink {
    const link = new MemoryLink(this, host);
    this.links.add(link);
    return link;
  }
}

class MemoryLink implements BusLink {
  readonly payloadBytesMax = PAYLOAD_BYTES_MAX;
  readonly #bus: MemoryBus;
  readonly #host: BusHost;
  readonly #heard = new Map<string, Heard>();
  #log: MemoryLog | null = null;
  #isUp = false;

  constructor(bus: MemoryBus, host: BusHost) {
    this.#bus = bus;
    this.#host = host;
    afterThisCall(() => {
      if (!bus.links.has(this)) return;
      this.#isUp = true;
      host.moved('up');
    });
  }

  /** Delivers in a later microtask, so that no member of another supervisor is written to in the middle of a call. */
  publish(channel: string, message: Uint8Array): boolean {
    if (!this.#isUp) return false;
    afterThisCall(() => {
      for (const link of this.#bus.links) if (link !== this) link.#hear(channel, message);
    });
    return true;
  }

  #hear(channel: string, message: Uint8Array): void {
    const report = (error: Error) => this.#host.errored(error);
    guarded(() => this.#heard.get(channel)?.(message), report);
  }

  listen(channel: string, heard: Heard): Interest {
    this.#heard.set(channel, heard);
    return {
      ready: Promise.resolve(),
      end: () => {
        if (this.#heard.get(channel) === heard) this.#heard.delete(channel);
      },
    };
  }

  openLog(host: LogHost): MemoryLog {
    const store = this.#bus.store(this.#host.clock);
    this.#log = new MemoryLog(store, (error) => host.errored(error));
    return this.#log;
  }

  async close(): Promise<void> {
    this.#isUp = false;
    this.#log?.close();
    this.#heard.clear();
    this.#bus.links.delete(this);
  }
}

/** Runs code in a later microtask. */
function afterThisCall(run: () => void): void {
  void Promise.resolve().then(run);
}
