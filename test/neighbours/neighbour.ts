import type { Server } from 'node:http';

/** What a client of a neighbour requests, sends first, and receives when it is served. */
export interface Visit {
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly says?: string;
  readonly hears: RegExp;
}

/** How an upgrade request for an unserved path ends. */
export interface Unserved {
  readonly by: 'neighbour' | 'mooring';
  /** The status of the answer. 0: closed without an answer. */
  readonly status: number;
  /** When Mooring answers, in milliseconds: later if the neighbour touches foreign requests. */
  readonly afterMs?: number;
}

/** Waits before a client is served if its URL contains `slow`. */
export type Check = (url: string | undefined) => Promise<void>;

/** Another package that serves WebSockets on the same HTTP server. */
export interface Neighbour {
  readonly name: string;
  readonly visit: Visit;
  readonly unserved: Unserved;
  /** Whether it can check a client before it serves it. */
  readonly hasCheck: boolean;
  /** Whether its `close` closes the HTTP server, too. */
  readonly closesServer: boolean;
  /** Starts it on a server, as its documentation shows, and returns its own close function. */
  start(server: Server, check: Check): Promise<() => Promise<unknown>>;
}
