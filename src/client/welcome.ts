import type { Deadline, DeadlineOwner } from '../core/timer-wheel.ts';
import type { OutboundConnection } from './outbound-connection.ts';

/** A running async `onOpen`: the time between open and usable, for at most `timeouts.welcomeMs`. */
export class Welcome implements DeadlineOwner {
  readonly #connection: OutboundConnection;
  readonly #readBefore: number;
  #deadline: Deadline | null;

  /** @param settled - called when `onOpen` has fulfilled, unless the connection has ended. */
  constructor(connection: OutboundConnection, work: Promise<unknown>, settled: () => void) {
    const { wheel, timeouts } = connection.context;
    this.#connection = connection;
    this.#readBefore = connection.transport.bytesIn;
    this.#deadline = wheel.schedule(timeouts.welcomeMs, this);
    // A rejection is reported, and ends the connection.
    work.then(
      () => this.#end(settled),
      () => this.stop(),
    );
  }

  /** How many bytes have arrived since `onOpen` began. */
  get arrivedBytes(): number {
    return this.#connection.transport.bytesIn - this.#readBefore;
  }

  #end(settled: () => void): void {
    const isAwaited = this.#deadline !== null;
    this.stop();
    if (isAwaited) settled();
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
