import type { Bus, BusHost, BusLink, Interest } from '../core/bus.ts';
import { guarded } from '../core/guard.ts';

/** As long as the longest message that `limits.payloadBytesMax` allows by default. */
const PAYLOAD_BYTES_MAX = 1_048_576;

type Heard = (message: Uint8Array) => void;

/**
 * Creates a bus for supervisors in one process. Those that get the same bus share their topics and broadcasts, as if each
 * were in a process of its own. Use it to test what your service does in several processes.
 *
 * @example
 * ```ts
 * const bus = memoryBus();
 * const one = createSupervisor({ bus });
 * const other = createSupervisor({ bus });
 * ```
 */
export function memoryBus(): Bus {
  return new MemoryBus();
}

class MemoryBus implements Bus {
  readonly name = 'memory';
  readonly links = new Set<MemoryLink>();

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

  async close(): Promise<void> {
    this.#isUp = false;
    this.#heard.clear();
    this.#bus.links.delete(this);
  }
}

/** Runs code in a later microtask. */
function afterThisCall(run: () => void): void {
  void Promise.resolve().then(run);
}
