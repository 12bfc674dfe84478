/** Which server the nodes of a service share. */
export type EngineName = 'nats-server' | 'redis-server';

/** A real server that the nodes of a service share, on loopback. */
export interface Engine {
  readonly url: string;
  /** Ends it at once, as a crash does. */
  kill(): Promise<void>;
}
