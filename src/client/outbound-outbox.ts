import type { SharedRuntime } from '../connection/connection-host.ts';
import type { ManagedConnection } from '../connection/managed-connection.ts';
import type { FlushResult, SendResult } from '../core/connection.ts';
import type { Deadline, DeadlineOwner } from '../core/timer-wheel.ts';
import type { OutboundTransport } from '../transport/transport.ts';

/** How often a backlog is looked at, in milliseconds: a browser has no event for its end. */
const LOOK_MS = 50;

/** Somebody who wants to know what became of a message. */
interface MarkWaiter {
  /** How many bytes will have left when the message has. */
  readonly mark: number;
  readonly settle: (result: FlushResult) => void;
}

/**
 * What one dialed connection has to send.
 *
 * Above the high mark nothing more is accepted until the backlog is below the low mark; a peer that takes nothing
 * at all for `stalledMs` is given up.
 */
export class OutboundOutbox implements DeadlineOwner {
  readonly #transport: OutboundTransport;
  readonly #connection: ManagedConnection;
  readonly #context: SharedRuntime;
  #isCongested = false;
  #isStopped = false;
  #waiters: MarkWaiter[] = [];
  #look: Deadline | null = null;
  #markAtProgress = 0;
  /** In the time of `readingMs`: a peer that waits for us to read may not read either. */
  #progressAtMs = 0;

  constructor(transport: OutboundTransport, connection: ManagedConnection, context: SharedRuntime) {
    this.#transport = transport;
    this.#connection = connection;
    this.#context = context;
  }

  get isCongested(): boolean {
    return this.#isCongested;
  }

  send(payload: string | Uint8Array): SendResult {
    if (this.#isStopped || this.#isCongested || !this.#transport.isWritable) return 'refused';
    if (this.#transport.send(payload) !== null) return 'refused';
    const { bufferedBytes } = this.#transport;
    if (bufferedBytes === 0) return 'sent';
    if (bufferedBytes > this.#context.limits.outboxHighBytes) this.#fill();
    return 'queued';
  }

  /** Sends, and tells `settle` in the end what became of the message, unless it is refused. */
  sendFor(payload: string | Uint8Array, settle: (result: FlushResult) => void): SendResult {
    const result = this.send(payload);
    if (result === 'sent') settle('sent');
    if (result === 'queued') {
      this.#waiters.push({ mark: this.#transport.bytesOut, settle });
      this.#watch();
    }
    return result;
  }

  /** Accepts nothing more; what still waits is lost unless it has left by now. */
  stop(): void {
    this.#isStopped = true;
    this.#look = this.#context.wheel.cancel(this.#look);
    // A write that failed is counted as done by Node.js.
    if (this.#transport.isWritable) this.#settleFlushed();
    const lost = this.#waiters;
    this.#waiters = [];
    for (const { settle } of lost) settle('lost');
  }

  deadlinePassed(): void {
    this.#look = null;
    this.#settleFlushed();
    if (this.#isCongested) this.#lookAtBacklog();
    if (!this.#isStopped && (this.#isCongested || this.#waiters.length > 0)) this.#watch();
  }

  #fill(): void {
    this.#isCongested = true;
    this.#noteProgress();
    this.#watch();
    this.#connection.send('outbox.filled');
  }

  #lookAtBacklog(): void {
    const { limits, timeouts } = this.#context;
    if (this.#transport.flushMark !== this.#markAtProgress) this.#noteProgress();
    else if (this.#connection.readingMs - this.#progressAtMs >= timeouts.stalledMs) {
      this.#connection.end('slow-consumer');
      return;
    }
    if (this.#transport.bufferedBytes > limits.outboxLowBytes) return;
    this.#isCongested = false;
    this.#connection.send('outbox.drained');
  }

  #noteProgress(): void {
    this.#markAtProgress = this.#transport.flushMark;
    this.#progressAtMs = this.#connection.readingMs;
  }

  #settleFlushed(): void {
    const leftBytes = this.#transport.bytesOut - this.#transport.bufferedBytes;
    const flushed = this.#waiters.filter(({ mark }) => mark <= leftBytes);
    this.#waiters = this.#waiters.filter(({ mark }) => mark > leftBytes);
    for (const { settle } of flushed) settle('sent');
  }

  #watch(): void {
    this.#look ??= this.#context.wheel.schedule(LOOK_MS, this, 'backlog');
  }
}
