import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { type Clock, systemClock } from '../core/clock.ts';
import { group, oneOf, type Rule, resolved } from '../core/option-rules.ts';
import { FaultLink } from './fault-link.ts';
import { type StreamFaults, streamFaultRules } from './fault-stream.ts';

/** The target of a fault proxy. */
export interface FaultTarget {
  port: number;
  /** @default '127.0.0.1' */
  host?: string;
}

/** What happens to a connection that a fault proxy accepts. */
export interface LinkFaults {
  /**
   * `dial` connects it to the target, `reset` resets it at once, `silence` keeps it and never dials.
   * @default 'dial'
   */
  accept?: 'dial' | 'reset' | 'silence';
  /** From the client to the server. @default undisturbed */
  up?: StreamFaults;
  /** From the server to the client. @default undisturbed */
  down?: StreamFaults;
}

const linkFaultRules = {
  accept: oneOf<NonNullable<LinkFaults['accept']>>('dial', 'reset', 'silence'),
  up: group(streamFaultRules),
  down: group(streamFaultRules),
} satisfies Record<keyof LinkFaults, Rule<unknown>>;

/**
 * A TCP proxy that disturbs connections as networks do.
 *
 * It listens on a free port of the loopback and connects to one target. Each connection is a link with two directions. You
 * can set faults for future links and change them on a live link. If the target cannot be reached, the proxy resets the
 * client.
 *
 * @example
 * ```ts
 * await using proxy = await FaultProxy.start({ port: 8080 });
 * const client = new WebSocket(`ws://127.0.0.1:${proxy.port}/`);
 * // Later: the client becomes unreachable, and comes back.
 * const [link] = proxy.links;
 * link.up.set({ blackhole: true });
 * link.up.set({});
 * ```
 */
export class FaultProxy implements AsyncDisposable {
  readonly #target: FaultTarget;
  readonly #clock: Clock;
  readonly #server: Server;
  readonly #links = new Set<FaultLink>();
  #coming = resolved({}, linkFaultRules);
  #closed: Promise<void> | null = null;

  private constructor(target: FaultTarget, clock: Clock) {
    this.#target = target;
    this.#clock = clock;
    // The end of one side must not end the other side before the link passes it on.
    this.#server = createServer({ allowHalfOpen: true, noDelay: true }, (client) =>
      this.#accept(client),
    );
  }

  /**
   * Starts listening.
   *
   * @param clock - times latency, rate and the turns between chunks
   * @returns a promise that rejects with the system error if it cannot listen.
   */
  static async start(target: FaultTarget, clock: Clock = systemClock): Promise<FaultProxy> {
    const proxy = new FaultProxy(target, clock);
    const server = proxy.#server;
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(0, '127.0.0.1', () => {
        server.off('error', reject);
        resolve();
      });
    });
    // A connection that cannot be accepted is a fault like any other.
    server.on('error', () => {});
    return proxy;
  }

  /** Where clients connect. */
  get port(): number {
    return (this.#server.address() as AddressInfo | null)?.port ?? 0;
  }

  /** The links that have a socket left, oldest first. */
  get links(): readonly FaultLink[] {
    return [...this.#links];
  }

  /**
   * Sets the faults of links that are accepted from now on. `set({})` removes all faults.
   *
   * @throws MooringError `invalid-options`
   */
  set(faults: LinkFaults): void {
    this.#coming = resolved(faults, linkFaultRules);
  }

  /** Stops listening, ends every link, and resolves when nothing is left. */
  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    const stopped = new Promise((resolve) => this.#server.close(resolve));
    for (const link of this.#links) link.close();
    await Promise.all([stopped, ...this.links.map(({ closed }) => closed)]);
  }

  #accept(client: Socket): void {
    const { accept, up, down } = this.#coming;
    const server = accept === 'dial' ? this.#dial() : null;
    const link = new FaultLink(client, server, this.#clock);
    this.#links.add(link);
    void link.closed.then(() => this.#links.delete(link));
    link.up.set(up as StreamFaults);
    link.down.set(down as StreamFaults);
    if (accept === 'reset') link.down.reset();
  }

  #dial(): Socket {
    const { port, host = '127.0.0.1' } = this.#target;
    return connect({ port, host, allowHalfOpen: true, noDelay: true });
  }
}
