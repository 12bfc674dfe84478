import type { Ending } from '../../../src/client/client-types.ts';
import type { FlushResult, SendResult } from '../../../src/core/connection.ts';
import type { ClientEvent } from '../../../src/core/events.ts';
import type { SeededRandom } from '../seeded-random.ts';
import type { Ledger } from './line.ts';

/** A message of a simulated application. */
export interface Message {
  readonly i: number;
  readonly pad: string;
}

/** What a message is passed to: a client or a connection. */
export interface Sending {
  send(message: Message): SendResult;
  sendAndFlush(message: Message): Promise<FlushResult>;
}

/** Records that a rule is broken. */
export type Broken = (rule: string, problem: string) => void;

/** The cause that ended an attempt, or its connection. */
export function causeOf(ending: Ending): string {
  return ending.outcome === 'failed'
    ? `failed ${ending.failure.cause}`
    : `closed ${ending.verdict.cause}`;
}

/** The result of each message of a simulated application. */
export class Accounts {
  readonly accepted: number[] = [];
  /** The reason of each message that was dropped. */
  readonly dropped = new Map<number, string>();

  readonly #random: SeededRandom;
  readonly #ledger: Ledger;
  readonly #broken: Broken;
  readonly #results = new Map<number, FlushResult>();
  #numbers = 0;

  constructor(random: SeededRandom, ledger: Ledger, broken: Broken) {
    this.#random = random;
    this.#ledger = ledger;
    this.#broken = broken;
  }

  message(): Message {
    this.#numbers += 1;
    const bytes = this.#random.pick([0, 0, 100, 100, 5_000, 70_000]);
    return { i: this.#numbers, pad: 'x'.repeat(bytes) };
  }

  /** Sends a message. Now and then waits for its result. */
  hand(message: Message, to: Sending): void {
    const { i } = message;
    if (this.#random.chance(0.5)) {
      if (to.send(message) !== 'refused') this.accepted.push(i);
      return;
    }
    void to.sendAndFlush(message).then((result) => {
      this.#results.set(i, result);
      if (result !== 'refused') this.accepted.push(i);
    });
  }

  take(event: ClientEvent): void {
    if (event.type !== 'message.dropped') return;
    const { i } = event.message as Message;
    if (this.dropped.has(i)) this.#broken('reported-once', `${i} ${event.reason}`);
    this.dropped.set(i, event.reason);
  }

  /** What must hold at the end. */
  check(): void {
    this.#checkOnce();
    this.#checkBalance();
  }

  #checkOnce(): void {
    const { written, received } = this.#ledger;
    if (new Set(written).size !== written.length) this.#broken('written-once', '');
    if (new Set(received).size !== received.length) this.#broken('received-once', '');
  }

  /** Accepted = left + reported. A reported message may have left, because the socket may not have reported that. */
  #checkBalance(): void {
    const written = new Set(this.#ledger.written);
    for (const i of this.accepted) this.#checkMessage(i, written.has(i));
    for (const [i, result] of this.#results) {
      const has = { sent: this.#ledger.left.has(i), lost: this.dropped.has(i), refused: true };
      if (!has[result] || (this.dropped.has(i) && result !== 'lost'))
        this.#broken('tells-the-truth', `${i} ${result} ${this.dropped.get(i)}`);
    }
  }

  #checkMessage(i: number, wasWritten: boolean): void {
    const reason = this.dropped.get(i);
    const isAccountedFor = reason === undefined ? this.#ledger.left.has(i) : true;
    const isRightReason = reason === undefined || wasWritten === (reason === 'connection-lost');
    if (!isAccountedFor || !isRightReason)
      this.#broken('accounted-for', `${i} ${wasWritten ? 'written' : 'not written'} ${reason}`);
  }
}
