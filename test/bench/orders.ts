/** Which server a subject is. */
export type Program = 'mooring' | 'ws' | 'bare' | 'socket.io' | 'bun';

/** What a server does with a message: nothing, send it back, or publish an answer to everybody. */
export type Handler = 'ignore' | 'echo' | 'answer';

/** How a server is set up. */
export interface Setup {
  readonly program: Program;
  /** @default 'ignore' */
  readonly handler?: Handler;
  /** Whether connections belong to a topic. @default true */
  readonly isMember?: boolean;
  /** When connections get their actors. @default what the program itself does */
  readonly actors?: 'eager' | 'on-demand';
  /** Whether messages are checked against a schema. @default false */
  readonly isChecked?: boolean;
  /** Time between pings; 0 is none at all, of either side. @default what the program itself does */
  readonly heartbeatMs?: number;
  /** Who dials, where that is what is measured. */
  readonly dialer?: 'mooring' | 'ws';
}

/** A steady stream of messages to everybody. */
export interface Stream {
  readonly perTick: number;
  readonly ticks: number;
  /** Pause after the work of a tick. */
  readonly pauseMs: number;
  /** Least time from tick to tick. @default none */
  readonly everyMs?: number;
  /** Whether each message begins with the time it was published. @default false */
  readonly isStamped?: boolean;
}

/** What a server can be asked. */
export interface ServerOrders {
  /** Listens, for the first time or again; returns the port. */
  listen(port?: number): Promise<number>;
  /** Destroys all connections and listens no longer, as if the process had ended. */
  leave(): void;
  untilOpen(count: number): Promise<void>;
  /** Until no more than this many are left, in whatever state. */
  untilPresent(count: number): Promise<void>;
  /** CPU used by this process so far, in microseconds. */
  cpuMicros(): number;
  /** Collects garbage, so that what was before is not charged to what follows. */
  collect(): void;
  /** Bytes that are alive in the heap and outside of it. */
  liveBytes(): number;
  publish(stream: Stream): Promise<void>;
  /** The longest time for which the event loop did not turn, in milliseconds. */
  longestPauseMs(withinMs: number): Promise<number>;
  /** Starts to watch for pauses of the event loop, at next to no cost and to 10 ms. */
  watchPauses(): void;
  /** The longest since then, in milliseconds. */
  watchedPauseMs(): number;
  /** Starts to watch the resident memory. */
  watchMemory(): void;
  /** By how many bytes it has grown at most since then. */
  grownBytes(): number;
}

/** How connections end. */
export type EndStyle = 'close' | 'reset';

/** A closed loop: each of some connections sends its next request when the answer to the last has come. */
export interface Loop {
  readonly clients: number;
  readonly trips: number;
  readonly payload: string;
}

/** Round trips in microseconds. */
export interface Percentiles {
  readonly p50: number;
  readonly p99: number;
}

/** What a crowd of readers can be asked. */
export interface ReaderOrders {
  connect(target: { port: number; count: number; isEngineIo: boolean }): Promise<void>;
  /** Until this many messages have arrived, over all connections since they began. */
  untilDelivered(count: number): Promise<void>;
  delivered(): number;
  /** Ends the newest connections and waits until they are gone. */
  end(plan: { count: number; style: EndStyle }): Promise<void>;
  loop(plan: Loop): Promise<Percentiles>;
  /** Every connection sends a message in each period, evenly spread over it; 0 stops that. */
  chatter(periodMs: number): void;
  /** The oldest connection stops reading. */
  stopReading(): void;
  /** From publishing to reading, for stamped messages since the last time this was asked. */
  delays(): Percentiles;
}

/** How long a crowd took to be open again, in milliseconds. */
export interface Comeback {
  /** Half of it. */
  readonly halfMs: number;
  readonly allMs: number;
}

/** What a process that dials can be asked. */
export interface DialerOrders {
  /** Makes more clients and waits until every one is open. */
  dial(target: { port: number; count: number }): Promise<void>;
  /** Until all clients are open; times begin now. */
  untilBack(): Promise<Comeback>;
  collect(): void;
  liveBytes(): number;
}
