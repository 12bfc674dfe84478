import type { Deadline, DeadlineOwner } from '../core/timer-wheel.ts';
import type { OutboundConnection } from './outbound-connection.ts';

/** An async `onOpen` at work: the time between open and usable. It may last `timeouts.welcomeMs`. */
export class Welcome implements DeadlineOwner {
  readonly #connection: OutboundConnection;
  readonly #settled: Promise<void>;
  #deadline: Deadline | null;

  /** @param settled - called when `onOpen` has done its work, unless the connection has ended. */
  constructor(connection: OutboundConnection, work: Promise<unknown>, settled: () => void) {
    const { wheel, timeouts } = connection.context;
    this.#connection = connection;
    this.#deadline = wheel.schedule(timeouts.welcomeMs, this, 'welcome');
    // A rejection is reported, and ends the connection.
    this.#settled = work.then(
      () => this.#end(settled),
      () => this.stop(),
    );
  }

  #end(settled: () => void): void {
    const isAwaited = this.#deadline !== null;
    this.stop();
    if (isAwaited) settled();
  }

  /** Calls `run` when `onOpen` has settled, in the order of the calls, unless the connection is not open then. */
  after(run: () => unknown): Promise<unknown> {
    return this.#settled.then(() => (this.#connection.isOpen ? run() : undefined));
  }

  /** The connection has ended. */
  stop(): void {
    this.#deadline = this.#connection.context.wheel.cancel(this.#deadline);
  }

  deadlinePassed(): void {
    this.#deadline = null;
    this.#connection.end('welcome-timeout');
  }
}
