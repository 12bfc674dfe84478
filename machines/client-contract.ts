/** Facts about a client, each with its meaning. A fact is named in the past tense and has no payload. */
export const clientFacts = {
  'dial.requested': 'The application asks for a connection now.',
  'welcome.awaited': 'The attempt has opened, and an async `onOpen` is running.',
  'connection.opened': 'The attempt has opened, and `onOpen` has settled.',
  'heartbeat.missed': 'Half of the grace has passed without a sign of life from the peer.',
  'heartbeat.answered': 'A suspect peer has given a sign of life.',
  'connection.ending': 'The connection accepts no more messages. Its end follows.',
  'ended.now': 'The attempt failed, or its connection closed. The next attempt may begin at once.',
  'ended.backoff': 'The attempt failed, or its connection closed. The next attempt waits.',
  'ended.slow': 'The attempt failed, or its connection closed, for a reason that may last a while.',
  'ended.deferred': 'The peer ended the attempt or the connection, and asked for a delay.',
  'ended.never':
    'The attempt failed, or its connection closed, for a reason that another attempt cannot fix.',
  'restarts.exceeded': 'More attempts and connections have ended than `restarts` allows.',
  'demand.ended': 'The connection has not been used for `idleMs`.',
  'deadline.passed': 'The deadline of the current state has passed.',
  'network.lost': 'The host reports that it is offline.',
  'network.returned': 'The host reports that it is online again.',
  'wake.noticed': 'The host has woken from sleep, or the page is visible again.',
  'stop.requested': 'The application, the option `signal` or the parent stops the client.',
} as const;

/** A fact about a client. */
export type ClientFact = { readonly type: keyof typeof clientFacts };

/** The delays that a client measures for its chart. */
export type DelayName = 'stable' | 'now' | 'backoff' | 'slow' | 'deferred' | 'awake' | 'offline';

/** Orders that the chart gives to its client. They are synchronous and run no user code except the option `random`. */
export interface ClientOrders {
  /** Begins one attempt: one connection with a chart of its own. */
  dial(): void;
  /** Starts the idle time of a client that dials on demand. */
  announceUp(): void;
  /** Forgets the failures so far: the connection has proved to be stable. */
  resetBackoff(): void;
  /** Starts the delay of the new state, and cancels the previous delay. */
  startDelay(params: { name: DelayName }): void;
  /** Asks the open connection for a sign of life at once. */
  probe(): void;
  /** Stops dialing, drops queued messages and lets the process end. */
  giveUp(): void;
  /** Cancels the delay, stops watching the host and lets the process end. */
  rest(): void;
  /** Closes the connection, or gives up the attempt. */
  endConnection(): void;
  /** Releases everything, and drops queued messages. */
  finish(): void;
}
