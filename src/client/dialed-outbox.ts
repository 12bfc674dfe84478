import type { Port } from '../connection/port.ts';
import type { PortContext } from '../connection/port-host.ts';
import type { FlushResult, SendResult } from '../core/connection.ts';
import type { Deadline, DeadlineOwner } from '../core/timer-wheel.ts';
import type { DialedWire } from './dialed-wire.ts';

/** How often a backlog is looked at, in milliseconds: a browser has no event for its end. */
const LOOK_MS = 50;

/** Somebody who wants to know what became of a message. */
interface Waiter {
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
export class DialedOutbox implements DeadlineOwner {
  readonly #wire: DialedWire;
  readonly #port: Port;
  readonly #context: PortContext;
  #isCongested = false;
  #isStopped = false;
  #waiters: Waiter[] = [];
  #look: Deadline | null = null;
  #markAtProgress = 0;
  /** In the time of `readingMs`: a peer that waits for us to read may not read either. */
  #progressAtMs = 0;

  constructor(wire: DialedWire, port: Port, context: PortContext) {
    this.#wire = wire;
    this.#port = port;
    this.#context = context;
  }

  get isCongested(): boolean {
    return this.#isCongested;
  }

  send(payload: string | Uint8Array): SendResult {
    if (this.#isStopped || this.#isCongested || !this.#wire.isWritable) return 'refused';
    if (this.#wire.send(payload) !== null) return 'refused';
    const { bufferedBytes } = this.#wire;
    if (bufferedBytes === 0) return 'sent';
    if (bufferedBytes > this.#context.limits.outboxHighBytes) this.#fill();
    return 'queued';
  }

  /** Sends, and tells `settle` in the end what became of the message, unless it is refused. */
  sendFor(payload: string | Uint8Array, settle: (result: FlushResult) => void): SendResult {
    const result = this.send(payload);
    if (result === 'sent') settle('sent');
    if (result === 'queued') {
      this.#waiters.push({ mark: this.#wire.bytesOut, settle });
      this.#watch();
    }
    return result;
  }

  /** Accepts nothing more; what still waits is lost unless it has left by now. */
  stop(): void {
    this.#isStopped = true;
    this.#look = this.#context.wheel.cancel(this.#look);
    // A write that failed is counted as done by Node.js.
    if (this.#wire.isWritable) this.#settleFlushed();
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
    this.#port.tell('outbox.filled');
  }

  #lookAtBacklog(): void {
    const { limits, timeouts } = this.#context;
    if (this.#wire.flushMark !== this.#markAtProgress) this.#noteProgress();
    else if (this.#port.readingMs - this.#progressAtMs >= timeouts.stalledMs) {
      this.#port.end('slow-consumer');
      return;
    }
    if (this.#wire.bufferedBytes > limits.outboxLowBytes) return;
    this.#isCongested = false;
    this.#port.tell('outbox.drained');
  }

  #noteProgress(): void {
    this.#markAtProgress = this.#wire.flushMark;
    this.#progressAtMs = this.#port.readingMs;
  }

  #settleFlushed(): void {
    const leftBytes = this.#wire.bytesOut - this.#wire.bufferedBytes;
    const flushed = this.#waiters.filter(({ mark }) => mark <= leftBytes);
    this.#waiters = this.#waiters.filter(({ mark }) => mark > leftBytes);
    for (const { settle } of flushed) settle('sent');
  }

  #watch(): void {
    this.#look ??= this.#context.wheel.schedule(LOOK_MS, this, 'backlog');
  }
}
