import { Backpressure } from '../connection/back-pressure.ts';
import type { ManagedConnection } from '../connection/managed-connection.ts';
import type { SharedRuntime } from '../connection/shared-runtime.ts';
import type { FlushResult, SendResult } from '../core/connection.ts';
import type { Deadline, DeadlineOwner } from '../core/timer-wheel.ts';
import type { OutboundTransport } from '../transport/transport.ts';

/** How often a backlog is checked, in milliseconds: a browser has no event for its end. */
const LOOK_MS = 50;

/** Gets the result of a message. */
interface MarkWaiter {
  /** The number of bytes that have left when this message has left. */
  readonly mark: number;
  readonly settle: (result: FlushResult) => void;
}

/** Passes the messages of one dialed connection to its transport, which buffers what cannot leave yet. */
export class OutboundOutbox implements DeadlineOwner {
  readonly #transport: OutboundTransport;
  readonly #context: SharedRuntime;
  readonly #backpressure: Backpressure;
  #waiters: MarkWaiter[] = [];
  #look: Deadline | null = null;

  constructor(transport: OutboundTransport, connection: ManagedConnection, context: SharedRuntime) {
    this.#transport = transport;
    this.#context = context;
    this.#backpressure = new Backpressure(connection);
  }

  get isCongested(): boolean {
    return this.#backpressure.isCongested;
  }

  /** Sends a message. Calls `settle` with the final result, unless the message is refused. */
  send(payload: string | Uint8Array, settle?: (result: FlushResult) => void): SendResult {
    const { isStopped, isCongested } = this.#backpressure;
    if (isStopped || isCongested || !this.#transport.isWritable) return 'refused';
    if (this.#transport.send(payload) !== null) return 'refused';
    const { bufferedBytes, bytesOut } = this.#transport;
    if (bufferedBytes === 0) {
      settle?.('sent');
      return 'sent';
    }
    // Before a subscriber gets `connection.congested`: it may end the connection, which settles the waiters.
    if (settle !== undefined) this.#waiters.push({ mark: bytesOut, settle });
    this.#backpressure.backlogGrew(bufferedBytes);
    this.#watch();
    return 'queued';
  }

  /** Accepts nothing more. Messages that have not left by now are lost. */
  stop(): void {
    this.#backpressure.stop();
    this.#look = this.#context.wheel.cancel(this.#look);
    // Node.js counts a failed write as done, so the numbers are valid only while the transport is writable.
    if (this.#transport.isWritable) this.#settleFlushed();
    const lost = this.#waiters;
    this.#waiters = [];
    for (const { settle } of lost) settle('lost');
  }

  deadlinePassed(): void {
    this.#look = null;
    this.#settleFlushed();
    this.#backpressure.backlogShrank();
    this.#watch();
  }

  #settleFlushed(): void {
    const leftBytes = this.#transport.bytesOut - this.#transport.bufferedBytes;
    const flushed = this.#waiters.filter(({ mark }) => mark <= leftBytes);
    this.#waiters = this.#waiters.filter(({ mark }) => mark > leftBytes);
    for (const { settle } of flushed) settle('sent');
  }

  #watch(): void {
    const { isStopped, isCongested } = this.#backpressure;
    if (isStopped || (!isCongested && this.#waiters.length === 0)) return;
    this.#look ??= this.#context.wheel.schedule(LOOK_MS, this, 'backlog');
  }
}
