import type { Msg, NatsConnection, Subscription } from '@nats-io/transport-node';
import type { BusHost, Interest } from '../../core/bus.ts';
import type { TimerHandle } from '../../core/clock.ts';
import { toError } from '../../core/errors.ts';
import { slim } from './slim.ts';

/** The pause after a refusal. nats.js looks through all subscriptions for each, and a server logs it. */
const REFUSED_MS = 30_000;

/** What an interest needs of its link. */
export interface InterestLink {
  readonly host: BusHost;
  /** Resolves when the server has everything that was sent before, or the connection is lost. */
  confirmed(): Promise<void>;
  forget(interest: NatsInterest): void;
  /** Does not report an error that nats.js is about to report. */
  ignore(error: Error): void;
}

/** The interest of a link in one channel: a subscription, and a new one for each connection. */
export class NatsInterest implements Interest {
  readonly channel: string;
  readonly #link: InterestLink;
  readonly #heard: (message: Msg) => void;
  #nats: NatsConnection | null = null;
  #subscription: Subscription | null = null;
  #hasEnded = false;
  #refusedAtMs = Number.NEGATIVE_INFINITY;
  /** Will subscribe again after a refusal. */
  #timer: TimerHandle | null = null;

  constructor(link: InterestLink, channel: string, heard: (message: Msg) => void) {
    this.#link = link;
    this.channel = channel;
    this.#heard = heard;
  }

  get ready(): Promise<void> {
    return this.#link.confirmed();
  }

  /** Subscribes, unless it has on this connection. */
  subscribe(nats: NatsConnection, subject: string): void {
    if (this.#nats === nats || nats.isClosed()) return;
    this.#nats = nats;
    this.#refusedAtMs = Number.NEGATIVE_INFINITY;
    this.#clearTimer();
    this.#subscribe(nats, subject);
  }

  #subscribe(nats: NatsConnection, subject: string): void {
    const subscription = nats.subscribe(subject, {
      callback: (error, message) => {
        if (error === null) this.#hear(message);
        else this.#refused(error, nats, subject);
      },
    });
    this.#subscription = slim(subscription);
  }

  /** The error has ended the subscription. The permissions of a server may be corrected while it runs. */
  #refused(error: Error, nats: NatsConnection, subject: string): void {
    if (this.#hasEnded) return;
    const { clock } = this.#link.host;
    const nowMs = clock.now();
    if (nowMs - this.#refusedAtMs < 2 * REFUSED_MS) this.#link.ignore(error);
    this.#refusedAtMs = nowMs;
    this.#timer = clock.setTimer(REFUSED_MS, () => {
      this.#timer = null;
      if (!nats.isClosed()) this.#subscribe(nats, subject);
    });
  }

  #clearTimer(): void {
    if (this.#timer !== null) this.#link.host.clock.clearTimer(this.#timer);
    this.#timer = null;
  }

  /** An error must not reach nats.js, which would stop reading. */
  #hear(message: Msg): void {
    if (this.#hasEnded) return;
    try {
      this.#heard(message);
    } catch (thrown) {
      this.#link.host.errored(toError(thrown));
    }
  }

  end(): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#clearTimer();
    this.#link.forget(this);
    if (this.#nats?.isClosed() === false) this.#subscription?.unsubscribe();
  }
}
