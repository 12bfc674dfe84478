import type { DialAnswer, FailurePhase } from '../core/failure.ts';
import type { RawSocketObserver, SocketObserver, Transport } from './transport.ts';

/** What to dial. */
export interface DialTarget {
  readonly url: string;
  readonly subprotocols: readonly string[];
  readonly headers: Readonly<Record<string, string>>;
}

/** What a transport that dials reports to its connection. */
export interface DialObserver extends RawSocketObserver, SocketObserver {
  /** The handshake is done. */
  opened(): void;
  /** An HTTP answer other than 101 came. */
  rejected(answer: DialAnswer): void;
  /** More came while it was paused than it may hold. */
  overflowed(): void;
}

/** A transport that this side dials: ws in Node.js, the native WebSocket in a browser. */
export interface OutboundTransport extends Transport {
  /** How far it has come. */
  readonly phase: FailurePhase;
  /**
   * Begins to dial.
   *
   * @throws Error when the target itself is wrong; nothing has been dialed then.
   */
  dial(target: DialTarget): void;
  /**
   * How long a close frame that came with the 101 may take to be seen, in milliseconds; 0 where one turn of the event
   * loop is enough.
   */
  readonly turnMs: number;
  /** The peer answers beats: they may stand in for pings where there are none. */
  beatHeard(): void;
  /** Sends one message; what cannot leave yet waits in this process. Returns what kept it from being written at once. */
  send(payload: string | Uint8Array): Error | null;
}
