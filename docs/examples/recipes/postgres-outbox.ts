import { setTimeout as sleep } from 'node:timers/promises';
import type { Topic } from 'mooring';
import { Client, type ClientConfig, type Pool } from 'pg';

const POLL_MS = 1_000;
const BATCH_ROWS = 100;
const BATCH_MS = 10_000;

/** Keeps what somebody says in a room, and tells the members: both, or neither. */
export async function say(pool: Pool, room: string, text: string): Promise<void> {
  const client = await pool.connect();
  try {
    await client.query('BEGIN');
    const insert = 'INSERT INTO messages (room, text) VALUES ($1, $2) RETURNING id';
    const { rows } = await client.query<{ id: string }>(insert, [room, text]);
    const said = JSON.stringify({ type: 'said', id: rows[0]?.id, text });
    await client.query('SELECT append_on_commit($1, $2)', [`room/${room}`, said]);
    await client.query('COMMIT');
    client.release();
  } catch (error) {
    client.release(true); // closes the connection, which rolls the transaction back
    throw error;
  }
}

interface Row {
  readonly place: string;
  readonly id: string;
  readonly topic: string;
  readonly message: unknown;
}

/** A supervisor, as far as a relay needs one. */
export interface Topics {
  topic(name: string): Pick<Topic, 'append'>;
}

/**
 * Appends the rows of the outbox to their topics, until the signal aborts. Resolves when the rows
 * under way are done. Never rejects: it reports errors, and tries again.
 */
export async function relayOutbox(
  topics: Topics,
  config: ClientConfig,
  signal: AbortSignal,
  report: (error: unknown) => void,
): Promise<void> {
  while (!signal.aborted) {
    const relay = new Relay(topics, config, report);
    signal.addEventListener('abort', relay.stop);
    await relay.run().catch(report);
    signal.removeEventListener('abort', relay.stop);
    await nap(signal);
  }
}

/** Relays over one connection to the database, until that is lost. */
class Relay {
  readonly #topics: Topics;
  readonly #client: Client;
  readonly #report: (error: unknown) => void;
  /** Topics for whose first row `append` has thrown. They wait before it is tried again. */
  readonly #blocked = new Set<string>();
  #nap = new AbortController();
  #isOver = false;
  #hasLock = false;

  constructor(topics: Topics, config: ClientConfig, report: (error: unknown) => void) {
    this.#topics = topics;
    this.#client = new Client({
      connectionTimeoutMillis: 10_000,
      query_timeout: 10_000,
      ...config,
    });
    this.#report = report;
  }

  readonly stop = (): void => {
    this.#isOver = true;
    this.#nap.abort();
  };

  async run(): Promise<void> {
    this.#client.on('notification', () => this.#nap.abort());
    this.#client.on('error', (error) => {
      this.#report(error);
      this.stop();
    });
    try {
      await this.#client.connect();
      // Frees the lock if this process is frozen or out of reach. It is longer than a batch.
      await this.#client.query("SET idle_session_timeout = '30s'");
      while (!this.#isOver) {
        this.#nap = new AbortController();
        const isFull = (await this.#isChosen()) && (await this.#relayBatch());
        if (!isFull) await nap(this.#nap.signal);
      }
    } finally {
      await this.#client.end();
    }
  }

  /** One process at a time relays, to spare the others the work. */
  async #isChosen(): Promise<boolean> {
    if (this.#hasLock) return true;
    const lock = "SELECT pg_try_advisory_lock('outbox'::regclass::oid::bigint) AS taken";
    const { rows } = await this.#client.query<{ taken: boolean }>(lock);
    this.#hasLock = rows[0]?.taken === true;
    if (this.#hasLock) await this.#client.query('LISTEN outbox');
    return this.#hasLock;
  }

  /** Returns whether there may be more rows. */
  async #relayBatch(): Promise<boolean> {
    const { rows } = await this.#client.query<Row>(
      'SELECT * FROM outbox WHERE topic <> ALL ($1) ORDER BY place LIMIT $2',
      [[...this.#blocked], BATCH_ROWS],
    );
    const untilMs = performance.now() + BATCH_MS;
    const topics = new Set(rows.map(({ topic }) => topic));
    const appending = Array.from(topics, (name) => {
      const ofTopic = rows.filter(({ topic }) => topic === name);
      return this.#append(name, ofTopic, untilMs);
    });
    const kept = (await Promise.all(appending)).flat();
    if (kept.length > 0)
      await this.#client.query('DELETE FROM outbox WHERE place = ANY ($1)', [kept]);
    return rows.length === BATCH_ROWS;
  }

  /** Appends rows of one topic in order. Returns the places of those that the bus has. */
  async #append(topic: string, rows: readonly Row[], untilMs: number): Promise<string[]> {
    const kept: string[] = [];
    try {
      for (const { place, id, message } of rows) {
        if (this.#isOver || performance.now() > untilMs) break;
        const { outcome } = await this.#topics.topic(topic).append(message, { id });
        // The bus may be out of reach for this process alone, so another one gets the lock.
        if (outcome === 'unconfirmed') this.stop();
        else kept.push(place);
      }
    } catch (error) {
      this.#report(error);
      this.#blocked.add(topic);
      setTimeout(() => this.#blocked.delete(topic), POLL_MS).unref();
    }
    return kept;
  }
}

/** Waits for the next poll, or until the signal aborts. */
async function nap(signal: AbortSignal): Promise<void> {
  await sleep(POLL_MS, undefined, { signal }).catch(() => {});
}
