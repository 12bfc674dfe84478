import { interval, type Subscription, take, takeWhile } from 'rxjs';
import type { LobbyConnection, LobbySupervisor, Outbound } from './contract.ts';

const TOPIC = 'heavy-feed';
const PADDING_BYTES = 65_536;
const INTERVAL_MS = 20;
/** The feed ends by itself, so that no client can keep the lobby busy. */
const MESSAGES_MAX = 500;

const message: Outbound = { type: 'padding', padding: '#'.repeat(PADDING_BYTES) };

/** A feed that fills the outbox of a connection that stops reading. It runs while its topic has members. */
export class HeavyFeed {
  readonly #supervisor: LobbySupervisor;
  #subscription: Subscription | undefined;

  constructor(supervisor: LobbySupervisor) {
    this.#supervisor = supervisor;
  }

  /** Adds a connection to the topic and starts the feed again from the beginning. */
  start(connection: LobbyConnection): void {
    connection.join(TOPIC);
    const topic = this.#supervisor.topic(TOPIC);
    this.#subscription?.unsubscribe();
    this.#subscription = interval(INTERVAL_MS)
      .pipe(
        take(MESSAGES_MAX),
        takeWhile(() => topic.size > 0),
      )
      // Each process feeds its own members.
      .subscribe(() => topic.publish(message, { local: true }));
  }
}
