import { createPool, type Pool } from 'mooring/client';
import { z } from 'zod';

const EARLY_MS = 5_000;

export interface Credential {
  readonly token: string;
  readonly expiresAt: number;
}

/** Shares one token among all attempts, so a pool of eight asks for one token, not for eight. */
export class Credentials {
  readonly #issue: () => Promise<Credential>;
  #token: Promise<string> | undefined;
  #renewAt = 0;

  constructor(issue: () => Promise<Credential>) {
    this.#issue = issue;
  }

  /** Rejects if the issuer fails. That attempt then ends as `target-error`, and the next attempt asks again. */
  token(): Promise<string> {
    if (this.#token !== undefined && Date.now() < this.#renewAt) return this.#token;
    this.#renewAt = Number.POSITIVE_INFINITY; // one request at a time
    this.#token = this.#issue().then(
      ({ token, expiresAt }) => {
        this.#renewAt = expiresAt - EARLY_MS;
        return token;
      },
      (error) => {
        this.#renewAt = 0;
        throw error;
      },
    );
    return this.#token;
  }

  /** Call this when the upstream has refused the token. */
  refused(): void {
    this.#renewAt = 0;
  }
}

const Job = z.object({ id: z.string(), input: z.unknown() });
const Result = z.object({ id: z.string(), output: z.unknown() });
export type Job = z.infer<typeof Job>;
export type Result = z.infer<typeof Result>;

/** Creates a pool that works on the jobs of its upstreams. */
export function createWorker(
  urls: readonly string[],
  credentials: Credentials,
  work: (input: unknown) => Promise<unknown>,
): Pool<Job, Result> {
  const pool = createPool(urls, {
    size: 4,
    messages: Job,
    sends: Result,
    headers: async () => ({ authorization: `Bearer ${await credentials.token()}` }),
    limits: { inFlightMax: 8 },
    async onMessage(connection, { id, input }) {
      connection.send({ id, output: await work(input) });
    },
  });
  pool.endings$.subscribe((ending) => {
    if (ending.outcome === 'failed' && ending.failure.httpStatus === 401) credentials.refused();
  });
  return pool;
}
