/** Facts about a client, with what each means. Past tense, no payload. */
export const clientFacts = {
  'dial.requested': 'The application wants a connection, now.',
  'connection.opened': 'The attempt under way has opened.',
  'connection.ended': 'The attempt failed, or its connection closed, and another may follow.',
  'connection.refused':
    'The attempt failed, or its connection closed, for a reason that no further one can mend.',
  'restarts.exceeded': 'Connections end faster than the restart intensity allows.',
  'deadline.passed': 'The time of the current state is up.',
  'network.lost': 'The host says that there is no network.',
  'network.returned': 'The host says that there is a network again.',
  'wake.noticed': 'The process slept, or the page was hidden, and is back.',
  'stop.requested': 'The application wants no connection any more.',
} as const;

/** A fact about a client. */
export type ClientFact = { readonly type: keyof typeof clientFacts };

/** The delays that a client keeps for its chart. */
export type DelayName = 'stable' | 'backoff' | 'offline';

/** Orders of the chart to its client. Imperative, synchronous, and never user code. */
export interface ClientOrders {
  /** Begins one attempt: one connection with a chart of its own. */
  dial(): void;
  /** Notes that the connection is open: the client no longer has to keep the process alive. */
  announceUp(): void;
  /** Forgets the failures so far: the connection has proved to be stable. */
  resetBackoff(): void;
  /** Starts the delay of the state being entered; it replaces the one before. */
  startDelay(params: { name: DelayName }): void;
  /** Asks the open connection for a sign of life at once. */
  probe(): void;
  /** Ends the connection or the attempt. */
  endConnection(): void;
  /** Releases everything and says why there will be no further attempt. */
  finish(): void;
}
