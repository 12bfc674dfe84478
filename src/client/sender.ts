import type { FlushResult, SendResult } from '../core/connection.ts';
import { runAll, runEach } from '../core/guard.ts';
import { flag, must, type Rule, resolved } from '../core/option-rules.ts';
import type { Deadline, DeadlineOwner } from '../core/timer-wheel.ts';
import type { ClientDependencies } from './client-runtime.ts';
import type { ClientSendOptions, DropReason } from './client-types.ts';
import type { Dialer } from './dialer.ts';

type Unsent = Omit<Waiting, 'expiresAtMs'>;

/** Sends messages, and queues them in order while there is no connection or the connection is congested. */
export class Sender<In, Out> implements DeadlineOwner {
  readonly #parts: Pick<ClientDependencies<In, Out>, 'runtime' | 'streams' | 'charts'>;
  readonly #dialer: Pick<Dialer<In, Out>, 'outbox'>;
  /** Whether there will be no further connection. */
  readonly #isOver: () => boolean;
  /** Made for the first message that has to wait. */
  #queue: OfflineQueue | null = null;
  #expiry: Deadline | null = null;

  constructor(
    parts: Pick<ClientDependencies<In, Out>, 'runtime' | 'streams' | 'charts'>,
    dialer: Pick<Dialer<In, Out>, 'outbox'>,
    isOver: () => boolean,
  ) {
    this.#parts = parts;
    this.#dialer = dialer;
    this.#isOver = isOver;
  }

  get queued(): number {
    return this.#queue?.size ?? 0;
  }

  send(message: Out, options: ClientSendOptions): SendResult {
    const payload = this.#parts.runtime.contract.payload(message);
    return this.#sendOrKeep({ message, payload, settle: undefined }, options);
  }

  sendAndFlush(message: Out, options: ClientSendOptions): Promise<FlushResult> {
    return new Promise((settle) => {
      const payload = this.#parts.runtime.contract.payload(message);
      if (this.#sendOrKeep({ message, payload, settle }, options) === 'refused') settle('refused');
    });
  }

  /** Sends queued messages until the connection refuses one. */
  sendQueued(): void {
    const queue = this.#queue;
    const outbox = queue === null ? null : this.#dialer.outbox;
    if (queue === null || outbox === null) return;
    const { clock } = this.#parts.runtime.context;
    for (let first = queue.take(clock.now()); first; first = queue.take(clock.now())) {
      if (outbox.send(first.payload, first.settle) !== 'refused') continue;
      queue.putBack(first);
      return;
    }
  }

  /** Drops all queued messages. */
  clear(): void {
    this.#expiry = this.#parts.runtime.context.wheel.cancel(this.#expiry);
    this.#queue?.clear();
  }

  deadlinePassed(): void {
    this.#expiry = null;
    if (this.#queue !== null) this.#expire(this.#queue);
  }

  #sendOrKeep(unsent: Unsent, options: ClientSendOptions): SendResult {
    const ttlMs = checkedTtl(options);
    // Not past older messages in the queue.
    const outbox = this.queued === 0 ? this.#dialer.outbox : null;
    const result = outbox?.send(unsent.payload, unsent.settle) ?? 'refused';
    if (result !== 'refused' || options.queue === false || this.#isOver()) return result;
    return this.#keep(unsent, ttlMs);
  }

  /** Queues a message. Bytes are copied, because the application may overwrite them while they wait. */
  #keep({ payload, ...unsent }: Unsent, ttlMs: number): SendResult {
    const { context, options } = this.#parts.runtime;
    const nowMs = context.clock.now();
    this.#queue ??= new OfflineQueue(options.queueMax, ({ message }, reason) =>
      this.#parts.charts.notifications.add(() =>
        this.#parts.streams.events.next({ type: 'message.dropped', message, reason }),
      ),
    );
    this.#queue.purge(nowMs);
    // A subscriber that got the dropped messages may have closed the client.
    if (this.#isOver()) return 'refused';
    this.#queue.push({
      ...unsent,
      payload: typeof payload === 'string' ? payload : payload.slice(),
      expiresAtMs: nowMs + ttlMs,
    });
    this.#expire(this.#queue);
    return 'queued';
  }

  /** Drops expired messages, and schedules this for the next one that expires. */
  #expire(queue: OfflineQueue): void {
    const { clock, wheel } = this.#parts.runtime.context;
    const nowMs = clock.now();
    const nextMs = queue.purge(nowMs);
    this.#expiry = wheel.cancel(this.#expiry);
    if (nextMs < Number.POSITIVE_INFINITY) {
      this.#expiry = wheel.schedule(nextMs - nowMs, this, 'expiry');
    }
  }
}

/** The options of a message that is sent without options. */
export const usual: ClientSendOptions = /* @__PURE__ */ Object.freeze({});

const rules = /* @__PURE__ */ (() =>
  ({
    queue: flag(true),
    ttlMs: must(
      Number.POSITIVE_INFINITY,
      (given) => typeof given === 'number' && given >= 0,
      'must be a number of milliseconds',
    ),
  }) satisfies Record<keyof ClientSendOptions, Rule<unknown>>)();

/** Checks the options of a message, and says how long it may wait. @throws MooringError `invalid-options` */
function checkedTtl(options: ClientSendOptions): number {
  return options === usual ? Number.POSITIVE_INFINITY : resolved(options, rules).ttlMs;
}

/** A message that waits for a connection. */
export interface Waiting {
  readonly message: unknown;
  readonly payload: string | Uint8Array;
  /** In the clock's time, in milliseconds. */
  readonly expiresAtMs: number;
  readonly settle: ((result: FlushResult) => void) | undefined;
}

/** Messages that wait for a connection, in order and up to a maximum. At the maximum, the oldest is dropped. */
export class OfflineQueue {
  readonly #max: number;
  readonly #dropped: (waiting: Waiting, reason: DropReason) => void;
  #waiting: Waiting[] = [];
  /** No message expires earlier, so most calls of `purge` need not look at the messages. */
  #nextExpiryMs = Number.POSITIVE_INFINITY;

  constructor(max: number, dropped: (waiting: Waiting, reason: DropReason) => void) {
    this.#max = max;
    this.#dropped = dropped;
  }

  get size(): number {
    return this.#waiting.length;
  }

  push(waiting: Waiting): void {
    this.#waiting.push(waiting);
    this.#nextExpiryMs = Math.min(this.#nextExpiryMs, waiting.expiresAtMs);
    const dropped = this.#waiting.length > this.#max ? this.#waiting.shift() : undefined;
    if (dropped !== undefined) this.#reportDropped(dropped, 'queue-full');
  }

  /** Drops all expired messages. Returns when the next one expires, in the clock's time. */
  purge(nowMs: number): number {
    if (nowMs < this.#nextExpiryMs) return this.#nextExpiryMs;
    const expired = this.#waiting.filter(({ expiresAtMs }) => expiresAtMs <= nowMs);
    this.#waiting = this.#waiting.filter(({ expiresAtMs }) => expiresAtMs > nowMs);
    this.#nextExpiryMs = this.#waiting.reduce(
      (earliest, { expiresAtMs }) => Math.min(earliest, expiresAtMs),
      Number.POSITIVE_INFINITY,
    );
    runEach(expired, (waiting) => this.#reportDropped(waiting, 'expired'));
    return this.#nextExpiryMs;
  }

  /** Takes the first message that has not expired. Sending it may run code that sends others. */
  take(nowMs: number): Waiting | undefined {
    this.purge(nowMs);
    return this.#waiting.shift();
  }

  /** Puts a message back that could not be sent. */
  putBack(first: Waiting): void {
    this.#waiting.unshift(first);
    this.#nextExpiryMs = Math.min(this.#nextExpiryMs, first.expiresAtMs);
  }

  /** Drops everything. */
  clear(): void {
    this.#nextExpiryMs = Number.POSITIVE_INFINITY;
    runAll(
      () => this.#waiting.shift(),
      (dropped) => this.#reportDropped(dropped, 'stopped'),
    );
  }

  #reportDropped(waiting: Waiting, reason: DropReason): void {
    waiting.settle?.('lost');
    this.#dropped(waiting, reason);
  }
}
