/** Which server the nodes of a service share. */
export type EngineName = 'nats-server' | 'jetstream' | 'redis-server';

/** A real server that the nodes of a service share, on loopback. */
export interface Engine {
  readonly url: string;
  /** CPU that it has used so far, in microseconds. For those that are measured themselves. */
  cpuMicros?(): number;
  /** Ends it at once, as a crash does. */
  kill(): Promise<void>;
}
