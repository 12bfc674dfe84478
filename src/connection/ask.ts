import { MooringError } from '../core/errors.ts';
import type { DropReason } from '../core/events.ts';
import { chanceOf, whenAborted } from '../core/guard.ts';
import type { RequestOptions } from '../core/request.ts';
import { ownCopy } from '../core/text.ts';
import type { Deadline, DeadlineOwner } from '../core/timer-wheel.ts';
import type { SharedRuntime } from './shared-runtime.ts';

/** Why requests and receipts need a Mooring peer. */
export const notMooring = (): MooringError =>
  new MooringError('not-mooring', 'the peer is not Mooring, or the client lacks mooring: true');

export const tooMany = (max: number): MooringError =>
  new MooringError(
    'too-many-requests',
    `${max} requests and receipts are awaited already (limits.requestsMax)`,
  );

/** @param reason - why the client has dropped the request, or why its connection brings no answer. */
export const requestLost = (reason: DropReason | 'refused' = 'connection-lost'): MooringError =>
  new MooringError('request-lost', `the request was not answered: ${reason}`);

/** What an ask is given. */
export interface AskParts {
  readonly payload: string | Uint8Array;
  /** Checked already. */
  readonly options: RequestOptions;
  readonly context: SharedRuntime;
  /** Its connection has ended. @default it is rejected */
  readonly lost?: (ask: Ask) => void;
}

/**
 * One request of this side, until it is answered, refused or given up.
 *
 * It may wait in a queue, and then on one connection after another, under the same id. Wherever it is, that place sets
 * {@link whenOver}, so that an ask that is given up leaves it.
 */
export class Ask implements DeadlineOwner {
  readonly id: string;
  readonly payload: string | Uint8Array;
  readonly answer: Promise<unknown>;
  /** Called once, when it is over. */
  whenOver: () => void = () => {};

  readonly #context: SharedRuntime;
  readonly #lost: ((ask: Ask) => void) | undefined;
  readonly #timeoutMs: number;
  #isOver = false;
  #resolve: (answer: unknown) => void = () => {};
  #reject: (reason: unknown) => void = () => {};
  #deadline: Deadline | null;
  readonly #ignoreSignal: (() => void) | null;

  /** @throws the reason of a signal that has aborted */
  constructor({ payload, options, context, lost }: AskParts) {
    const { timeoutMs = context.timeouts.requestMs, signal } = options;
    if (signal?.aborted) throw signal.reason;
    this.id = nextId(context.random);
    this.payload = ownCopy(payload);
    this.#context = context;
    this.#lost = lost;
    this.#timeoutMs = timeoutMs;
    this.answer = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    this.#deadline = context.wheel.schedule(timeoutMs, this);
    this.#ignoreSignal = signal ? whenAborted(signal, () => this.reject(signal.reason)) : null;
  }

  resolve(answer: unknown): void {
    if (this.#end()) this.#resolve(answer);
  }

  reject(reason: unknown): void {
    if (this.#end()) this.#reject(reason);
  }

  /** The connection that would have brought the answer has ended. */
  lost(): void {
    this.whenOver = () => {};
    if (this.#lost === undefined) this.reject(requestLost());
    else this.#lost(this);
  }

  deadlinePassed(): void {
    this.reject(new MooringError('request-timeout', `no answer came within ${this.#timeoutMs} ms`));
  }

  #end(): boolean {
    if (this.#isOver) return false;
    this.#isOver = true;
    this.#deadline = this.#context.wheel.cancel(this.#deadline);
    this.#ignoreSignal?.();
    this.whenOver();
    return true;
  }
}

const RADIX = 36;
const PREFIX_BYTES = 10;

/** Random for each process or page, so that no two peers have the same ids. */
let prefix = '';
let lastNumber = 0;

function nextId(random: () => number): string {
  prefix ||= randomText(random);
  lastNumber += 1;
  return `${prefix}.${lastNumber.toString(RADIX)}`;
}

/** Not every host has `crypto`. Not `random` alone, because an application may pass one that is the same everywhere. */
function randomText(random: () => number): string {
  const bytes = new Uint8Array(PREFIX_BYTES).map(() => chanceOf(random, () => {}) * 256);
  globalThis.crypto?.getRandomValues(bytes);
  return Array.from(bytes, (byte) => byte.toString(RADIX).padStart(2, '0')).join('');
}
