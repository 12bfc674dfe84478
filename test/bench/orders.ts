import type { EngineName } from './engines/engine.ts';
import type { Figures } from './profile-page.ts';

/** Which server a subject is. */
export type Program = 'mooring' | 'ws' | 'bare' | 'socket.io' | 'bun';

/** What a server does with a message: nothing, count it, send it back, or publish an answer to everybody. */
export type Handler = 'ignore' | 'count' | 'echo' | 'answer';

/** How many topics there are, and in how many of them each connection is. */
export interface Memberships {
  readonly topics: number;
  readonly each: number;
}

/** How a server is set up. */
export interface Setup {
  readonly program: Program;
  /** @default 'ignore' */
  readonly handler?: Handler;
  /** Whether the topics are durable, so that what is published is appended. @default false */
  readonly isDurable?: boolean;
  /** Whether the clients speak `mooring.v1`. @default false */
  readonly isHeaded?: boolean;
  /** Whether connections belong to a topic. @default true */
  readonly isMember?: boolean;
  /** The topics of connections. Every message is published to each of the topics. @default one for all */
  readonly memberships?: Memberships;
  /** How many of the first connections belong to the topic. @default all */
  readonly membersMax?: number;
  /** Whether the server can also write to the sockets themselves, as {@link Stream.isBare} asks for. @default false */
  readonly hasBare?: boolean;
  /** When connections get their actors. @default what the program itself does */
  readonly actors?: 'eager' | 'on-demand';
  /** Whether messages are checked against a schema. @default false */
  readonly isChecked?: boolean;
  /** Time between pings. 0 disables the pings of both sides. @default what the program itself does */
  readonly heartbeatMs?: number;
  /** Which client dials, where clients are measured. */
  readonly dialer?: 'mooring' | 'ws';
  /** The engine that several servers share. @default none: each is alone */
  readonly bus?: EngineName;
  /** Where that engine listens, once it runs. */
  readonly busUrl?: string;
}

/** The next connection leaves the topic and joins it again, or a publication asks each member and reaches none. */
export type Work = 'join' | 'where';

/** A steady stream of messages to all connections. */
export interface Stream {
  readonly perTick: number;
  readonly ticks: number;
  /** Pause after the work of a tick. */
  readonly pauseMs: number;
  /** Least time from tick to tick. @default none */
  readonly everyMs?: number;
  /** Whether each message begins with the time it was published. @default false */
  readonly isStamped?: boolean;
  /** Whether the messages of a tick are joined beforehand and written to the sockets themselves. @default false */
  readonly isBare?: boolean;
}

/** Messages that are appended as fast as they are kept. */
export interface Appends {
  readonly count: number;
  /** How many wait for the engine at the same time. */
  readonly inFlight: number;
}

/** The orders for a server. */
export interface ServerOrders {
  /** Listens, for the first time or again. Returns the port. */
  listen(port?: number): Promise<number>;
  /** Destroys all connections and stops listening, as if the process had ended. */
  leave(): void;
  untilOpen(count: number): Promise<void>;
  /** Waits until no more than this many are left, in any state. */
  untilPresent(count: number): Promise<void>;
  /** CPU used by this process so far, in microseconds. */
  cpuMicros(): number;
  /** Collects garbage, so that earlier work is not charged to what follows. */
  collect(): void;
  /** Live bytes in the heap and outside it. */
  liveBytes(): number;
  /** Resident memory of the process after garbage collection, in bytes. */
  residentBytes(): number;
  /** Every connection joins further topics, until it is in this many. */
  joinTopics(count: number): void;
  /** Every connection joins this many topics that nobody else is in. Waits until all of them are joined. */
  joinOwnTopics(count: number): Promise<void>;
  /** Repeats a piece of work. Returns the CPU of one, in microseconds. */
  workMicros(plan: { work: Work; forMs: number }): Promise<number>;
  publish(stream: Stream): Promise<void>;
  /** Appends messages. Returns how long it took until all of them were kept, in milliseconds. */
  append(plan: Appends): Promise<number>;
  /** Waits until the handler has counted this many messages. */
  untilReceived(count: number): Promise<void>;
  /** The longest time for which the event loop did not turn, in milliseconds. */
  longestPauseMs(withinMs: number): Promise<number>;
  /** Starts to watch for pauses of the event loop, at almost no cost and with a precision of 10 ms. */
  watchPauses(): void;
  /** The longest since then, in milliseconds. */
  watchedPauseMs(): number;
  /** Starts to profile the process. */
  profile(): Promise<void>;
  /** Where it has spent its time since then. */
  profiled(): Promise<Figures>;
  /** Starts to watch the resident memory. */
  watchMemory(): void;
  /** The maximum growth since then, in bytes. */
  grownBytes(): number;
}

/** How connections end. */
export type EndStyle = 'close' | 'reset';

/** A closed loop: each of several connections sends its next request when the answer to the last has arrived. */
export interface Loop {
  readonly clients: number;
  readonly trips: number;
  readonly payload: string;
}

/** Clients that come and go. */
export interface Churn {
  readonly perSecond: number;
  readonly forMs: number;
}

/** Round trips in microseconds. */
export interface Percentiles {
  readonly p50: number;
  readonly p99: number;
}

/** The orders for a crowd of readers. */
export interface ReaderOrders {
  connect(target: {
    port: number;
    count: number;
    isEngineIo: boolean;
    from?: { position: string };
  }): Promise<void>;
  /** Waits until this many messages have arrived, over all connections since they began. */
  untilDelivered(count: number): Promise<void>;
  delivered(): number;
  /** Where the oldest connection is in the topic of all, once it is told. */
  position(): Promise<string>;
  /** Ends the newest connections and waits until they are gone. */
  end(plan: { count: number; style: EndStyle }): Promise<void>;
  loop(plan: Loop): Promise<Percentiles>;
  /** Every connection sends the same message this often, as fast as it can. Returns how many were ever sent so. */
  flood(plan: { each: number; payload: string }): Promise<number>;
  /** Further clients connect, and close as soon as they are open. Waits until the last one has gone. */
  churn(plan: Churn & { port: number }): Promise<void>;
  /** Every connection sends a message in each period, evenly spread over it. 0 stops that. */
  chatter(periodMs: number): void;
  /** The oldest connection stops reading. */
  stopReading(): void;
  /** From publishing to reading, for stamped messages since the last call. */
  delays(): Percentiles;
}

/** How long a crowd took to be open again, in milliseconds. */
export interface Comeback {
  /** Until half of it was open. */
  readonly halfMs: number;
  readonly allMs: number;
}

/** The orders for a process that dials. */
export interface DialerOrders {
  /** Creates more clients and waits until every one is open. */
  dial(target: { port: number; count: number }): Promise<void>;
  /** Waits until all clients are open. Times begin now. */
  untilBack(): Promise<Comeback>;
  collect(): void;
  liveBytes(): number;
}

/** Clients that move from one server to another and back, one after the other. */
export interface Moves {
  readonly ports: readonly [number, number];
  readonly clients: number;
  readonly moves: number;
  /** Time from one move to the next. */
  readonly everyMs: number;
  /** How long a client is away before it dials the other server. */
  readonly awayMs: number;
}

/** What a crowd has after its server was killed. */
export interface Survival {
  /** How many were told that they have missed nothing. */
  readonly recovered: number;
  /** Messages that never came, and messages that came again, over all clients. */
  readonly missed: number;
  readonly doubled: number;
}

/** The orders for a process whose clients come back. */
export interface ReturnOrders {
  /** Times from dialing until a client has what it has missed. */
  move(plan: Moves): Promise<Percentiles>;
  /** Lets clients dial this server through a balancer. Waits until all are open. */
  gather(target: { port: number; count: number }): Promise<void>;
  /** The balancer gives all further connections to another server. */
  divert(port: number): void;
  /** Waits until all are open again and nothing more comes. */
  survived(published: number): Promise<Survival>;
}
