/** Reports changes of the host to a client. A call that comes after the client has stopped to watch does nothing. */
export interface HostSigns {
  /** There is no network. A client that waits dials rarely. */
  offline(): void;
  /** There is a network again. The client dials, or asks its open connection for a sign of life. */
  online(): void;
  /** It was asleep. The client dials within `backoff.minMs`, or asks its open connection for a sign of life. */
  woke(): void;
}

/** Begins to watch a host. What it returns, if it is a function, ends this. */
export type WatchSigns = ((host: HostSigns) => () => void) | ((host: HostSigns) => void);
