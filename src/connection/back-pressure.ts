import type { Deadline, DeadlineOwner } from '../core/timer-wheel.ts';
import type { ConnectionCore } from './connection-core.ts';

/** Writes kept frames when the backlog has shrunk. */
interface Refilling {
  refill(): void;
}

/**
 * Detects a peer that reads more slowly than this side writes.
 *
 * ```
 * flowing ──(backlog above the high mark)──▶ congested ──(not above the low mark)──▶ flowing
 *                                                └──(no byte leaves for stalledMs)──▶ ended
 * ```
 * An outbox owns it, asks {@link isCongested} before it accepts a message, and reports when its backlog may have grown or
 * shrunk. Stalled means that no byte left during the whole time, not that the backlog is long.
 *
 * While this side does not read, a peer that waits for this side may not read either, so such a pause does not count. If
 * the handlers are the reason for the pause, at most `timeouts.pausedMs` of it are left out.
 */
export class Backpressure implements DeadlineOwner {
  readonly #connection: ConnectionCore;
  readonly #refilling: Refilling | null;
  #isCongested = false;
  /** Whether a message waits for room, even if the backlog is below the high mark. */
  #isAwaited = false;
  #isStopped = false;
  #stall: Deadline | null = null;
  #flushMark = 0;
  /** When bytes last left, in `readingMs`. */
  #progressAtMs = 0;
  #handlersPausedMsAtProgress = 0;

  constructor(connection: ConnectionCore, refilling: Refilling | null = null) {
    this.#connection = connection;
    this.#refilling = refilling;
  }

  get isCongested(): boolean {
    return this.#isCongested;
  }

  /** Whether the connection is ending: nothing is accepted, and the peer is no longer watched. */
  get isStopped(): boolean {
    return this.#isStopped;
  }

  /** Whether a message waits for room. */
  get isAwaited(): boolean {
    return this.#isAwaited;
  }

  /** Notes whether a message waits for room. While one waits, a peer that takes nothing is stalled. */
  awaitRoom(isAwaited: boolean): void {
    if (this.#isAwaited === isAwaited || this.#isStopped) return;
    this.#isAwaited = isAwaited;
    if (this.#isCongested) return;
    if (isAwaited) this.#watch();
    else this.#stall = this.#connection.context.wheel.cancel(this.#stall);
  }

  backlogGrew(bufferedBytes: number): void {
    const { limits } = this.#connection.context;
    if (bufferedBytes <= limits.outboxHighBytes || this.#isCongested || this.#isStopped) return;
    this.#isCongested = true;
    if (!this.#isAwaited) this.#watch();
    this.#connection.chart.send('outbox.filled');
  }

  get #isWatched(): boolean {
    return this.#isCongested || this.#isAwaited;
  }

  #watch(): void {
    this.#noteProgress();
    this.#look(this.#connection.context.timeouts.stalledMs);
  }

  /** If the refill brings the backlog above the high mark again, the peer stays congested. */
  backlogShrank(): void {
    if (!this.#isWatched || this.#isStopped) return;
    const { transport, context } = this.#connection;
    if (transport.flushMark !== this.#flushMark) this.#noteProgress();
    if (!this.#isCongested) return;
    if (transport.bufferedBytes > context.limits.outboxLowBytes) return;
    this.#refilling?.refill();
    if (this.#isStopped || transport.bufferedBytes > context.limits.outboxHighBytes) return;
    this.#isCongested = false;
    if (!this.#isAwaited) this.#stall = context.wheel.cancel(this.#stall);
    this.#connection.chart.send('outbox.drained');
  }

  stop(): void {
    this.#isStopped = true;
    this.#stall = this.#connection.context.wheel.cancel(this.#stall);
  }

  deadlinePassed(): void {
    this.#stall = null;
    // Control frames behind the last message leave without a callback.
    this.backlogShrank();
    if (!this.#isWatched || this.#isStopped) return;
    const leftMs = this.#connection.context.timeouts.stalledMs - this.#stalledForMs;
    if (leftMs > 0) this.#look(leftMs);
    else this.#connection.end('slow-consumer');
  }

  get #stalledForMs(): number {
    const { readingMs, handlersPausedMs, context } = this.#connection;
    const pausedMs = handlersPausedMs - this.#handlersPausedMsAtProgress;
    return readingMs - this.#progressAtMs + Math.max(0, pausedMs - context.timeouts.pausedMs);
  }

  #noteProgress(): void {
    const { transport, readingMs, handlersPausedMs } = this.#connection;
    this.#flushMark = transport.flushMark;
    this.#progressAtMs = readingMs;
    this.#handlersPausedMsAtProgress = handlersPausedMs;
  }

  #look(delayMs: number): void {
    this.#stall = this.#connection.context.wheel.schedule(delayMs, this);
  }
}
