/** Facts about a pool, with what each means. Past tense, no payload. */
export const poolFacts = {
  'pool.filled': 'Every member has an open connection.',
  'pool.thinned': 'A member has lost its connection, or could not get one.',
  'drain.requested': 'The application wants its connections closed, and no others.',
  'pool.emptied': 'No member is left.',
  'deadline.passed': 'The time of the current state is up.',
} as const;

/** A fact about a pool. */
export type PoolFact = { readonly type: keyof typeof poolFacts };

/** Orders of the chart to its pool. Imperative, synchronous, and never user code. */
export interface PoolOrders {
  /** Closes every connection, gives up every attempt, and dials no more. */
  beginDrain(): void;
  /** Destroys the connections that have not closed. */
  expireAll(): void;
  /** Releases everything. The report of the drain follows. */
  finish(): void;
}
