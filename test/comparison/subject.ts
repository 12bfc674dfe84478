import type { Server } from 'node:http';

/** Records one event that a library emits to its user, by the library's own name for it. */
export type Log = (event: string, detail?: string) => void;

/** A connection, or an attempt, in the hands of its user. */
export interface Dialed {
  isOpen(): boolean;
  /** What the library returns for one message. */
  send(text: string): Promise<string>;
  close(): void;
}

/** A library in the comparison. */
export interface Subject {
  /** The name of its package. */
  readonly name: string;
  /** What differs from its defaults, and which of its events are observed. For the page. */
  readonly setup: string;
  /** The events that report a failed attempt or the end of a connection. */
  readonly endings: readonly string[];
  /** Adds the peer that this library is made for. */
  attach(server: Server): void;
  dial(url: string, log: Log): Dialed;
}

/** The value of every timeout that a library lets its user choose. */
export const TIMEOUT_MS = 400;

/** The heartbeat interval. It takes two intervals to find a dead peer. */
export const HEARTBEAT_MS = 200;

/** No second attempt during the observation of the first. */
export const RECONNECT_MS = 60_000;

/** The code of an error, which is the same for every port and language, or its text if it has none. */
export function errorText(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  return code ?? message;
}
