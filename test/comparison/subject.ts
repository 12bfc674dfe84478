import type { Server } from 'node:http';

/** Notes one event that a library tells its user, by the library's own name for it. */
export type Log = (event: string, detail?: string) => void;

/** A connection, or the attempt to make one, in the hands of its user. */
export interface Dialed {
  isOpen(): boolean;
  /** What the library says of one message. */
  send(text: string): Promise<string>;
  close(): void;
}

/** A library that is compared. */
export interface Subject {
  /** The name of its package. */
  readonly name: string;
  /** What differs from its defaults, and which of its events are listened to; for the page. */
  readonly setup: string;
  /** The events that tell that an attempt failed or a connection ended. */
  readonly endings: readonly string[];
  /** Adds the peer that this library is made for. */
  attach(server: Server): void;
  dial(url: string, log: Log): Dialed;
}

/** For every timeout that a library lets its user choose. */
export const TIMEOUT_MS = 400;

/** Heartbeats, which take two of them to find a dead peer. */
export const HEARTBEAT_MS = 200;

/** No second attempt while the first is looked at. */
export const RECONNECT_MS = 60_000;

/** The code of an error, which says the same for every port and language; else its text. */
export function errorText(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  return code ?? message;
}
