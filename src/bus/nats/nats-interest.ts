import type { Msg, NatsConnection, Subscription } from '@nats-io/transport-node';
import type { BusHost, Interest } from '../../core/bus.ts';
import { toError } from '../../core/errors.ts';
import { slim } from './slim.ts';

/** What an interest needs of its link. */
export interface InterestLink {
  readonly host: BusHost;
  /** Resolves when the server has everything that was sent before, or the connection is lost. */
  confirmed(): Promise<void>;
  forget(interest: NatsInterest): void;
}

/** The interest of a link in one channel: a subscription, and a new one for each connection. */
export class NatsInterest implements Interest {
  readonly channel: string;
  readonly #link: InterestLink;
  readonly #heard: (message: Msg) => void;
  #nats: NatsConnection | null = null;
  #subscription: Subscription | null = null;
  #hasEnded = false;

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
    const subscription = nats.subscribe(subject, {
      callback: (error, message) => {
        // The link reports the error, which ends the subscription.
        if (error === null) this.#hear(message);
      },
    });
    this.#subscription = slim(subscription);
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
    this.#link.forget(this);
    if (this.#nats?.isClosed() === false) this.#subscription?.unsubscribe();
  }
}
