/** Reports changes of the host to a client. A call does nothing after the client has stopped watching. */
export interface HostSigns {
  /** The host is offline. A client that waits then dials only every `backoff.maxMs`. */
  offline(): void;
  /** The host is online again. The client dials, or asks its open connection for a sign of life. */
  online(): void;
  /** The host was asleep. The client dials within `backoff.minMs`, or asks its open connection for a sign of life. */
  woke(): void;
}

/** Starts watching the host. If it returns a function, that function stops the watching. */
export type WatchSigns = ((host: HostSigns) => () => void) | ((host: HostSigns) => void);
