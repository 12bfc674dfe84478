import type { Deadline, DeadlineOwner } from '../core/timer-wheel.ts';
import type { OutboundConnection } from './outbound-connection.ts';

/**
 * An async `onOpen` at work: the time between open and usable, for `timeouts.welcomeMs` at most. It holds messages back
 * until {@link release}.
 */
export class Welcome implements DeadlineOwner {
  readonly #connection: OutboundConnection;
  readonly #released: Promise<void>;
  #release: () => void = () => {};
  #deadline: Deadline | null;

  /** @param settled - called when `onOpen` has done its work, unless the connection has ended. */
  constructor(connection: OutboundConnection, work: Promise<unknown>, settled: () => void) {
    const { wheel, timeouts } = connection.context;
    this.#connection = connection;
    this.#deadline = wheel.schedule(timeouts.welcomeMs, this, 'welcome');
    this.#released = new Promise((resolve) => {
      this.#release = resolve;
    });
    // A rejection is reported, and ends the connection.
    work.then(
      () => this.#end(settled),
      () => this.stop(),
    );
  }

  #end(settled: () => void): void {
    const isAwaited = this.#deadline !== null;
    this.stop();
    if (isAwaited) settled();
  }

  /** Calls `run` after the release, in the order of the calls, unless the connection is not open then. */
  after(run: () => unknown): Promise<unknown> {
    return this.#released.then(() => (this.#connection.isOpen ? run() : undefined));
  }

  /** Resolves when everything that was held back has run. */
  release(): Promise<void> {
    this.#release();
    return this.#released.then(() => {});
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
