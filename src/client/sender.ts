import type { Clock } from '../core/clock.ts';
import type { FlushResult, SendResult } from '../core/connection.ts';
import type { Contract } from '../core/contract.ts';
import type { ClientSendOptions, DropReason } from './client-types.ts';
import type { DialedOutbox } from './dialed-outbox.ts';
import { OfflineQueue, type Waiting } from './offline-queue.ts';

/** What a sender is made of. */
export interface SenderParts<Out> {
  readonly contract: Pick<Contract<unknown, Out>, 'payload'>;
  readonly queueMax: number;
  readonly clock: Clock;
  /** Whether there will be no further connection. */
  readonly isOver: () => boolean;
  /** Where messages go right now; `null` between two connections. */
  readonly outbox: () => DialedOutbox | null;
  readonly dropped: (message: unknown, reason: DropReason) => void;
}

/** Sends what can be sent, and keeps the rest in order for the next connection. */
export class Sender<Out> {
  readonly #parts: SenderParts<Out>;
  readonly #queue: OfflineQueue;

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
    const outbox = this.#free();
    return outbox?.send(payload) ?? this.#keep({ message, payload, settle: undefined }, options);
  }

  sendAndFlush(message: Out, options: ClientSendOptions): Promise<FlushResult> {
    const payload = this.#parts.contract.payload(message);
    const outbox = this.#free();
    if (outbox !== null) return outbox.sendAndFlush(payload);
    return new Promise((settle) => {
      if (this.#keep({ message, payload, settle }, options) === 'refused') settle('refused');
    });
  }

  /** Sends what has waited, as far as the connection takes it. */
  sendQueued(): void {
    const outbox = this.#parts.outbox();
    if (outbox === null) return;
    for (;;) {
      const first = this.#queue.peek(this.#parts.clock.now());
      if (first === undefined || outbox.isCongested) return;
      this.#queue.shift();
      if (first.settle === undefined) outbox.send(first.payload);
      else void outbox.sendAndFlush(first.payload).then(first.settle);
    }
  }

  /** Gives everything up. */
  clear(): void {
    this.#queue.clear();
  }

  /** The outbox, unless older messages wait for it. */
  #free(): DialedOutbox | null {
    return this.#queue.size === 0 ? this.#parts.outbox() : null;
  }

  #keep(unsent: Omit<Waiting, 'expiresAtMs'>, { queue, ttlMs }: ClientSendOptions): SendResult {
    const { clock, isOver } = this.#parts;
    if (isOver() || queue === false) return 'refused';
    const expiresAtMs = clock.now() + (ttlMs ?? Number.POSITIVE_INFINITY);
    this.#queue.push({ ...unsent, expiresAtMs });
    return 'queued';
  }
}
