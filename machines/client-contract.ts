/** Facts about a client, with what each means. Past tense, no payload. */
export const clientFacts = {
  'dial.requested': 'The application wants a connection, now.',
  'welcome.awaited': 'The attempt has opened, and an async `onOpen` is at work.',
  'connection.opened': 'The attempt has opened, and `onOpen` has settled.',
  'heartbeat.missed': 'The peer owes the connection a sign of life.',
  'heartbeat.answered': 'Something was heard from a suspect peer.',
  'connection.ending': 'The connection takes no more messages. Its end follows.',
  'ended.now': 'The attempt failed, or its connection closed. The next attempt may begin at once.',
  'ended.backoff': 'The attempt failed, or its connection closed. The next attempt waits.',
  'ended.slow':
    'The attempt failed, or its connection closed, for a reason that may stay for a while.',
  'ended.deferred': 'The peer ended the connection or the attempt, and said when to come back.',
  'ended.never':
    'The attempt failed, or its connection closed, for a reason that no further attempt can mend.',
  'restarts.exceeded': 'Connections end faster than the restart intensity allows.',
  'demand.ended': 'Nobody has needed the connection for `idleMs`.',
  'deadline.passed': 'The time of the current state is up.',
  'network.lost': 'The host says that there is no network.',
  'network.returned': 'The host says that there is a network again.',
  'wake.noticed': 'The process slept, or the page was hidden, and is back.',
  'stop.requested': 'The application wants no connection any more.',
} as const;

/** A fact about a client. */
export type ClientFact = { readonly type: keyof typeof clientFacts };

/** The delays that a client keeps for its chart. */
export type DelayName = 'stable' | 'now' | 'backoff' | 'slow' | 'deferred' | 'awake' | 'offline';

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
  /** Dials no more by itself, and lets the process end. */
  giveUp(): void;
  /** Lets go of everything that a client needs to dial. */
  rest(): void;
  /** Ends the connection or the attempt. */
  endConnection(): void;
  /** Releases everything. */
  finish(): void;
}
