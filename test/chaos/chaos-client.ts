import { type Client, createClient } from '../../src/client/index.ts';
import type { Account, Ledger } from './ledger.ts';

interface Message {
  readonly topic: string;
  readonly id: string;
}

const backoff = { minMs: 50, maxMs: 1_000, stableMs: 500 };
const heartbeat = { intervalMs: 500, graceMs: 500 };
const timeouts = { handshakeMs: 2_000, closeMs: 500 };

/** A client that comes back to any node, now and then sleeps, and enters all that it gets. */
export class ChaosClient {
  readonly #accounts: ReadonlyMap<string, Account>;
  readonly #url: () => string;
  #client: Client<Message>;
  #positions: Readonly<Record<string, string>> = {};
  #isAsleep = false;

  /** @param anyPort - the port of a node that is up. */
  constructor(topics: readonly string[], ledger: Ledger, anyPort: () => number) {
    this.#accounts = new Map(topics.map((topic) => [topic, ledger.open(topic)]));
    const query = topics.map((topic) => `topic=${topic}`).join('&');
    this.#url = () => `ws://127.0.0.1:${anyPort()}/ws?${query}`;
    this.#client = this.#dial();
  }

  get isAsleep(): boolean {
    return this.#isAsleep;
  }

  get isUp(): boolean {
    return this.#client.status.state === 'up';
  }

  #dial(): Client<Message> {
    const client: Client<Message> = createClient<Message>(this.#url, {
      ...{ mooring: true, positions: this.#positions, backoff, heartbeat, timeouts },
      ...{ restarts: { max: 100_000 }, dial: 'at-once' },
    });
    client.recoveries$.subscribe((recovery) => {
      const { topic } = recovery;
      this.#accounts.get(topic)?.recovered(recovery, client.positions[topic]);
    });
    client.messages$.subscribe(({ topic, id }) => {
      this.#accounts.get(topic)?.got(id, client.positions[topic]);
    });
    return client;
  }

  /** Closes, as a page that is discarded. */
  async leave(): Promise<void> {
    this.#isAsleep = true;
    await this.#client.close();
    this.#positions = this.#client.positions;
  }

  comeBack(): void {
    this.#isAsleep = false;
    this.#client = this.#dial();
  }

  /** Reads nothing, as a phone that sleeps. */
  doze(): void {
    this.#isAsleep = true;
    this.#client.pause();
  }

  wake(): void {
    this.#isAsleep = false;
    this.#client.resume();
  }

  async stop(): Promise<void> {
    await this.#client.close();
  }
}
