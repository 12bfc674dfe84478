import type { RawSocketObserver } from '../connection/raw-socket.ts';
import type { Wire } from '../connection/wire.ts';
import type { SocketObserver } from '../connection/wire-socket.ts';
import type { DialAnswer } from '../core/dial-failure.ts';
import type { FailurePhase } from '../core/failure.ts';
import type { DialTarget } from './target.ts';

/** What a wire that dials tells its port. */
export interface DialObserver extends RawSocketObserver, SocketObserver {
  /** The handshake is done. */
  opened(): void;
  /** An HTTP answer other than 101 came. */
  rejected(answer: DialAnswer): void;
  /** More came while it was paused than it may hold. */
  overflowed(): void;
}

/** A wire that this side dials: ws in Node.js, the native WebSocket in a browser. */
export interface DialedWire extends Wire {
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
