import type { RefusedMessage } from '../core/verdict.ts';
import type { ReadTurns } from './read-turns.ts';
import type { UnfinishedMessages } from './unfinished-messages.ts';

/** Why this side does not wait for the rest of a message, and the close frame that says so. */
export interface MessageRefusal {
  readonly cause: RefusedMessage;
  readonly code: number;
  /** Names the option, for the peer and for the error. */
  readonly problem: string;
}

/** What a supervised WebSocket reports to the connection that owns it. Every call comes from inside ws. */
export interface SocketObserver {
  messageReceived(payload: Uint8Array, isBinary: boolean): void;
  /** A ping or a pong arrived. */
  controlReceived(): void;
  /** ws is about to answer a ping, with a frame of so many bytes. */
  pongDue(bytes: number): void;
  /** The peer's close frame arrived; ws waits for `answerClose`. */
  closeReceived(code: number, reason: Uint8Array | undefined): void;
  /** The peer broke the protocol; ws waits for `answerClose` and reports the error next. */
  violationFound(code: number): void;
  protocolErrored(error: Error): void;
  /** The unfinished messages of all sockets that belong together. */
  readonly unfinished: UnfinishedMessages;
  readonly readTurns: ReadTurns;
  /** A frame has more chunks than allowed; ws reports the fault next. */
  chunksExceeded(): void;
  /** This side does not wait for the rest of a message, and reads nothing more. TCP ends next. */
  messageRefused(refusal: MessageRefusal): void;
  /** ws gave the socket up because of too many pings. */
  pingFlooded(): void;
}

/**
 * What a transport needs of the WebSocket that it owns.
 *
 * The one of ws is `SupervisedSocket`; whatever else has this face can be supervised as well.
 */
export interface WebSocketFace {
  /** Who is told; nobody before the connection has taken over and after it has let go. */
  observer: SocketObserver | null;
  readonly readyState: number;
  readonly OPEN: number;
  readonly protocol: string;
  readonly isPaused: boolean;
  /** Reports to the observer from now on. Called when the WebSocket has opened, before anything has been read. */
  supervise(observer: SocketObserver): void;
  /** Reports nothing more. */
  release(): void;
  pause(): void;
  resume(): void;
  /** Sends a close frame, or completes the handshake when the peer has sent its own already. */
  answerClose(code?: number, reason?: string | Buffer): void;
  addEventListener(type: 'close', listener: (event: { readonly wasClean: boolean }) => void): void;
}
