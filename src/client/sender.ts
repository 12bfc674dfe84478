import type { TimerHandle } from '../core/clock.ts';
import type { FlushResult, SendResult } from '../core/connection.ts';
import type { DropReason } from '../core/events.ts';
import { flag, must, type Rule, resolved } from '../core/option-rules.ts';
import { byteLength, ownCopy } from '../core/text.ts';
import type { Deadline, DeadlineOwner } from '../core/timer-wheel.ts';
import { TokenBucket } from '../core/token-bucket.ts';
import type { ClientDependencies } from './client-runtime.ts';
import type { ClientSendOptions } from './client-types.ts';
import type { Dialer } from './dialer.ts';
import { OfflineQueue, type Unsent, type Waiting } from './offline-queue.ts';
import type { Headed, OutboundOutbox, Outgoing } from './outbound-outbox.ts';

/** When the pace is used up, sending pauses until this many milliseconds' worth of messages may leave. */
const PACE_MS = 50;

/** Sends messages, and queues them in order while there is no connection, or no room in its socket. */
export class Sender<In, Out> implements DeadlineOwner {
  readonly #parts: Pick<ClientDependencies<In, Out>, 'runtime' | 'streams' | 'charts'>;
  readonly #dialer: Pick<Dialer<In, Out>, 'outbox' | 'exchange' | 'isReadingPaused'>;
  /** Whether there will be no further connection. */
  readonly #isOver: () => boolean;
  /** Made for the first message that has to wait. */
  #queue: OfflineQueue | null = null;
  #expiry: Deadline | null = null;
  /** By when the peer must have greeted, if a message with a heading waits for that. */
  #greeting: Deadline | null = null;
  /** Whether the peer has not greeted in time. */
  #isUngreeted = false;
  /** How many messages have waited for the connection and must leave at a pace. */
  #backlog = 0;
  #pace: TokenBucket | null = null;
  #paceTimer: TimerHandle | null = null;

  constructor(
    parts: Pick<ClientDependencies<In, Out>, 'runtime' | 'streams' | 'charts'>,
    dialer: Pick<Dialer<In, Out>, 'outbox' | 'exchange' | 'isReadingPaused'>,
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
    return this.#sendOrKeep(this.#unsent(message, undefined), options);
  }

  sendAndFlush(message: Out, options: ClientSendOptions): Promise<FlushResult> {
    return new Promise((settle) => {
      if (this.#sendOrKeep(this.#unsent(message, settle), options) === 'refused') settle('refused');
    });
  }

  #unsent(message: Out, settle: Outgoing['settle']): Unsent {
    const payload = this.#parts.runtime.contract.payload(message);
    return { message, payload, bytes: byteLength(payload), settle };
  }

  /**
   * The connection accepts messages. Messages that have waited for it leave at a pace, because a server may limit the
   * rate.
   */
  connected(): void {
    const { options, context } = this.#parts.runtime;
    const { queueFlushPerSecond: perSecond } = options;
    this.#forgetGreeting();
    this.#isUngreeted = false;
    this.#stopPace();
    this.#backlog = this.queued;
    this.#pace = new TokenBucket({ perSecond, burst: 2 * perSecond }, context.clock.now());
    this.sendQueued();
  }

  /** Sends queued messages while the socket has room. */
  sendQueued(): void {
    for (let first = this.#first(); first; first = this.#first()) {
      const { bytes, payload } = first;
      // Read each time, because a subscriber that receives an event may end the connection.
      const { outbox } = this.#dialer;
      if (outbox === null) return;
      if (!outbox.hasRoom(bytes)) {
        outbox.awaitRoom(true);
        return;
      }
      if (!this.#mayLead(first.headed) || !this.#mayLeave()) return;
      // Before it is sent, because a subscriber that receives an event may clear the queue.
      this.#queue?.shift();
      if (first.headed !== undefined) this.#sendHeaded(first.headed, payload);
      else if (outbox.send(payload, first) === 'refused') {
        this.#putBack(first);
        return;
      }
    }
    this.#backlog = 0;
    this.#dialer.outbox?.awaitRoom(false);
  }

  /** Whether it is known if the peer is Mooring, in case that matters. */
  #mayLead(headed: Headed | undefined): boolean {
    if (headed === undefined || this.#isPeerKnown) return true;
    // The peer may be another one, which never greets.
    const { wheel, heartbeat } = this.#parts.runtime.context;
    this.#greeting ??= wheel.schedule(heartbeat.graceMs, this, 'greeting');
    return false;
  }

  get #isPeerKnown(): boolean {
    return this.#isUngreeted || this.#dialer.exchange !== undefined;
  }

  #sendHeaded(headed: Headed, payload: string | Uint8Array): void {
    const { exchange } = this.#dialer;
    if (exchange) headed.sendOn(exchange, payload);
    else headed.drop('not-mooring');
  }

  /** Sends a request or a message with a receipt, or queues it. */
  sendHeaded(
    headed: Headed,
    payload: string | Uint8Array,
    options: ClientSendOptions = usual,
  ): void {
    const unsent = { message: undefined, payload, bytes: byteLength(payload), settle: undefined };
    if (this.#sendOrKeep({ ...unsent, headed }, options) === 'refused') headed.drop('refused');
  }

  /** Puts back a request whose connection has ended: it is the first that leaves on the next one. */
  resend(headed: Headed, payload: string | Uint8Array): void {
    const bytes = byteLength(payload);
    const unsent = { message: undefined, settle: undefined, payload, bytes, headed };
    if (this.#isOver()) headed.drop('stopped');
    else this.#queued.putBack({ ...unsent, expiresAtMs: Number.POSITIVE_INFINITY });
  }

  /** Removes a request that is given up. */
  withdraw(headed: Headed): void {
    this.#queue?.remove(headed);
    this.sendQueued();
  }

  get #queued(): OfflineQueue {
    const { options } = this.#parts.runtime;
    this.#queue ??= new OfflineQueue(options, (waiting, reason) => this.dropped(waiting, reason));
    return this.#queue;
  }

  #putBack(first: Waiting): void {
    if (this.#isOver()) this.dropped(first, 'stopped');
    else this.#queue?.putBack(first);
  }

  clear(reason: DropReason): void {
    this.#expiry = this.#parts.runtime.context.wheel.cancel(this.#expiry);
    this.#forgetGreeting();
    this.#stopPace();
    this.#queue?.clear(reason);
  }

  deadlinePassed(name: string): void {
    if (name === 'greeting') {
      this.#greeting = null;
      // If this side does not read, it waits on. It may also have lost the connection since.
      this.#isUngreeted = this.#dialer.outbox !== null && !this.#dialer.isReadingPaused;
      this.sendQueued();
      return;
    }
    this.#expiry = null;
    if (this.#queue === null) return;
    this.#expire(this.#queue);
    this.sendQueued();
  }

  #sendOrKeep(unsent: Unsent, options: ClientSendOptions): SendResult {
    const ttlMs = checkedTtl(options);
    // A message must not overtake older messages in the queue.
    const outbox = this.queued === 0 ? this.#dialer.outbox : null;
    if (outbox?.hasRoom(unsent.bytes)) {
      const result = this.#sendNow(unsent, outbox);
      if (result !== 'refused') return result;
    }
    if (options.queue === false || this.#isOver()) return 'refused';
    const result = this.#keep(unsent, ttlMs);
    // This watches for room, so that the message leaves as soon as there is some.
    if (outbox !== null) this.sendQueued();
    return result;
  }

  #sendNow({ headed, ...unsent }: Unsent, outbox: OutboundOutbox): SendResult {
    if (headed === undefined) return outbox.send(unsent.payload, unsent);
    if (!this.#isPeerKnown) return 'refused';
    this.#sendHeaded(headed, unsent.payload);
    return 'queued';
  }

  /**
   * Queues a message. Bytes are copied, because the application may overwrite them while they wait.
   */
  #keep({ payload, ...unsent }: Unsent, ttlMs: number): SendResult {
    const { runtime, charts } = this.#parts;
    const { context, options } = runtime;
    if (unsent.bytes > options.queueBytesMax) return 'refused';
    const nowMs = context.clock.now();
    const queue = this.#queued;
    // A subscriber that receives the dropped messages may send others, which must come after this one.
    charts.notifications.during(() => {
      queue.purge(nowMs);
      queue.push({
        ...unsent,
        payload: ownCopy(payload),
        expiresAtMs: nowMs + ttlMs,
      });
      this.#expire(queue);
    });
    return 'queued';
  }

  /** Reports that a message is dropped. */
  dropped(
    { message, settle, headed }: Outgoing & Pick<Unsent, 'headed'>,
    reason: DropReason,
  ): void {
    const { charts, streams } = this.#parts;
    if (headed !== undefined) {
      headed.drop(reason);
      return;
    }
    settle?.('lost');
    charts.notifications.add(() => streams.emit({ type: 'message.dropped', message, reason }));
  }

  #first() {
    return this.#queue?.first(this.#parts.runtime.context.clock.now());
  }

  /** Whether the pace allows the next message to leave. If not, it leaves later. */
  #mayLeave(): boolean {
    if (this.#backlog === 0 || this.#pace === null) return true;
    const { clock } = this.#parts.runtime.context;
    if (this.#paceTimer === null && this.#pace.take(clock.now())) {
      this.#backlog -= 1;
      return true;
    }
    // Rounded up, because a timer for the rest of a rounding error would fire at once.
    const waitMs = Math.ceil(this.#pace.msUntil(PACE_MS, clock.now()));
    this.#paceTimer ??= clock.setTimer(waitMs, () => {
      this.#paceTimer = null;
      this.sendQueued();
    });
    return false;
  }

  #forgetGreeting(): void {
    this.#greeting = this.#parts.runtime.context.wheel.cancel(this.#greeting);
  }

  #stopPace(): void {
    if (this.#paceTimer !== null) this.#parts.runtime.context.clock.clearTimer(this.#paceTimer);
    this.#paceTimer = null;
  }

  /** Drops expired messages, and schedules the expiry of the next one. */
  #expire(queue: OfflineQueue): void {
    const { clock, wheel } = this.#parts.runtime.context;
    const nowMs = clock.now();
    const nextMs = queue.purge(nowMs);
    this.#expiry = wheel.cancel(this.#expiry);
    if (nextMs < Number.POSITIVE_INFINITY) {
      this.#expiry = wheel.schedule(nextMs - nowMs, this);
    }
  }
}

/** The options of a message that is sent without options. */
export const usual: ClientSendOptions = /* @__PURE__ */ Object.freeze({});

const rules = /* @__PURE__ */ (() =>
  ({
    queue: flag(true),
    receipt: flag(false),
    ttlMs: must(
      Number.POSITIVE_INFINITY,
      (given) => typeof given === 'number' && given >= 0,
      'must be a number of milliseconds >= 0',
    ),
  }) satisfies Record<keyof ClientSendOptions, Rule<unknown>>)();

/**
 * Checks the options of a message. Returns how long it may wait, in milliseconds.
 * @throws MooringError `invalid-options`
 */
function checkedTtl(options: ClientSendOptions): number {
  return options === usual ? Number.POSITIVE_INFINITY : resolved(options, rules).ttlMs;
}
