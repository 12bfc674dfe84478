import type { Clock } from '../core/clock.ts';
import type { FlushResult, SendResult } from '../core/connection.ts';
import type { Contract } from '../core/contract.ts';
import { SupervisorError } from '../core/errors.ts';
import type { Deadline, DeadlineOwner, TimerWheel } from '../core/timer-wheel.ts';
import type { ClientSendOptions, DropReason } from './client-types.ts';
import type { DialedOutbox } from './dialed-outbox.ts';
import { OfflineQueue, type Waiting } from './offline-queue.ts';

/** What a sender is made of. */
export interface SenderParts<Out> {
  readonly contract: Pick<Contract<unknown, Out>, 'payload'>;
  readonly queueMax: number;
  readonly clock: Clock;
  readonly wheel: TimerWheel;
  /** Whether there will be no further connection. */
  readonly isOver: () => boolean;
  /** Where messages go right now; `null` between two connections. */
  readonly outbox: () => DialedOutbox | null;
  readonly dropped: (message: unknown, reason: DropReason) => void;
}

type Unsent = Omit<Waiting, 'expiresAtMs'>;

/** Sends what can be sent, and keeps the rest in order for when the connection takes it, or for the next one. */
export class Sender<Out> implements DeadlineOwner {
  readonly #parts: SenderParts<Out>;
  readonly #queue: OfflineQueue;
  #expiry: Deadline | null = null;

  constructor(parts: SenderParts<Out>) {
    this.#parts = parts;
    this.#queue = new OfflineQueue(parts.queueMax, ({ message }, reason) =>
      parts.dropped(message, reason),
    );
  }

  get queued(): number {
    return this.#queue.size;
  }

  send(message: Out, options: ClientSendOptions): SendResult {
    const payload = this.#parts.contract.payload(message);
    return this.#sendOrKeep({ message, payload, settle: undefined }, options);
  }

  sendAndFlush(message: Out, options: ClientSendOptions): Promise<FlushResult> {
    const payload = this.#parts.contract.payload(message);
    return new Promise((settle) => {
      if (this.#sendOrKeep({ message, payload, settle }, options) === 'refused') settle('refused');
    });
  }

  /** Sends what has waited, as far as the connection takes it. */
  sendQueued(): void {
    const outbox = this.#parts.outbox();
    if (outbox === null) return;
    for (let first = this.#first(); first !== undefined; first = this.#first()) {
      if (send(outbox, first) === 'refused') return;
      this.#queue.shift();
    }
  }

  /** Gives everything up. */
  clear(): void {
    this.#expiry = this.#parts.wheel.cancel(this.#expiry);
    this.#queue.clear();
  }

  deadlinePassed(): void {
    this.#expiry = null;
    this.#expire();
  }

  #first(): Waiting | undefined {
    return this.#queue.peek(this.#parts.clock.now());
  }

  #sendOrKeep(unsent: Unsent, options: ClientSendOptions): SendResult {
    const ttlMs = checkedTtl(options.ttlMs);
    // Not past what is older.
    const outbox = this.#queue.size === 0 ? this.#parts.outbox() : null;
    const result = outbox === null ? 'refused' : send(outbox, unsent);
    if (result !== 'refused' || options.queue === false || this.#parts.isOver()) return result;
    this.#keep(unsent, ttlMs);
    return 'queued';
  }

  /** Bytes are copied: whoever sent them may write over them while they wait. */
  #keep({ payload, ...unsent }: Unsent, ttlMs: number): void {
    const nowMs = this.#parts.clock.now();
    this.#queue.purge(nowMs);
    this.#queue.push({
      ...unsent,
      payload: typeof payload === 'string' ? payload : payload.slice(),
      expiresAtMs: nowMs + ttlMs,
    });
    this.#expire();
  }

  /** Drops what has expired, and looks again when the next one does. */
  #expire(): void {
    const { clock, wheel } = this.#parts;
    const nowMs = clock.now();
    const nextMs = this.#queue.purge(nowMs);
    this.#expiry = wheel.cancel(this.#expiry);
    if (nextMs < Number.POSITIVE_INFINITY) {
      this.#expiry = wheel.schedule(nextMs - nowMs, this, 'expiry');
    }
  }
}

function send(outbox: DialedOutbox, { payload, settle }: Unsent): SendResult {
  return settle === undefined ? outbox.send(payload) : outbox.sendFor(payload, settle);
}

function checkedTtl(ttlMs = Number.POSITIVE_INFINITY): number {
  if (ttlMs >= 0) return ttlMs;
  throw new SupervisorError('invalid-options', `options.ttlMs: must be milliseconds, not ${ttlMs}`);
}
