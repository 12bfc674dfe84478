/** Facts about a pool, each with its meaning. A fact is named in the past tense and has no payload. */
export const poolFacts = {
  'pool.filled': 'Every member has an open connection.',
  'pool.thinned': 'A member has lost its connection, or failed to open one.',
  'drain.requested': 'The application, the option `signal` or the supervisor stops the pool.',
  'pool.emptied': 'No member is left.',
  'deadline.passed': 'The deadline of the current state has passed.',
} as const;

/** A fact about a pool. */
export type PoolFact = { readonly type: keyof typeof poolFacts };

/** Orders that the chart gives to its pool. They are synchronous and run no user code. */
export interface PoolOrders {
  /** Closes every connection, gives up every attempt, and dials no more. */
  beginDrain(): void;
  /** Destroys the connections that have not closed. */
  expireAll(): void;
  /** Releases everything. The report of the drain follows. */
  finish(): void;
}
