import type { CloseFrame } from '../core/close-code.ts';
import type { AttemptEvidence, FailureDescription } from '../core/failure.ts';
import type { Classification, Evidence, RefusedMessage } from '../core/verdict.ts';

/**
 * What a connection runs over: a WebSocket and, except in a page, the raw socket below it.
 *
 * After {@link Transport.release} every method still works, and the transport holds nothing.
 */
export interface Transport {
  /** The subprotocol agreed on, or an empty string. */
  readonly subprotocol: string;
  /** Whether a write can still leave. */
  readonly isWritable: boolean;
  /** Bytes received since it was bound. */
  readonly bytesIn: number;
  /** Bytes written to it since it was bound. */
  readonly bytesOut: number;
  /** Bytes that wait in this process. */
  readonly bufferedBytes: number;
  /** A number that changes whenever bytes of a backlog leave this process. */
  readonly flushMark: number;
  readonly isPaused: boolean;

  pause(): void;
  resume(): void;
  /** Whether it can ping. A page cannot. */
  readonly canPing: boolean;
  ping(): void;
  /** Sends a close frame. Returns the frame that was sent, or `null` when it is too late to send one. */
  sendClose(frame: CloseFrame): CloseFrame | null;
  /** Calls `closed` when the WebSocket has ended. `clean` is `true` if both close frames were exchanged. */
  watchClose(closed: (clean: boolean) => void): void;
  destroy(): void;
  release(): void;
  /** Classifies how the connection ended, from the evidence and from what this transport can know. */
  classify(evidence: Evidence): Classification;
}

/** A transport over a raw socket, which other code in this process can also reach. A page has none. */
export interface SocketTransport extends Transport {
  /** Whether the WebSocket has opened. */
  readonly isBound: boolean;
  /** Counts bytes that this side writes. If more bytes leave, other code has written to the socket. */
  noteWritten(bytes: number): void;
  /**
   * Whether another part of this process wrote to the socket, ended it or destroyed it. It must be called before this
   * side ends the socket.
   *
   * @param sign - the error that the socket reported, or `'closed'` when it closed without one.
   */
  isTakenAway(sign?: Error | 'closed'): boolean;
  /** Answers the peer's close frame, or ends TCP if that of this side has already left. Returns whether an answer has left. */
  answerClose(code: number, reason?: Uint8Array): boolean;
}

/** What a raw socket reports to the connection that owns it. */
export interface RawSocketObserver {
  socketErrored(error: Error): void;
  sendErrored(error: Error): void;
  writeThrew(error: Error): void;
  socketEnded(): void;
  /** @param errored - whether an error closed it. */
  socketClosed(errored: boolean): void;
}

/** Why this side refuses the rest of a message, and the close frame for it. */
export interface MessageRefusal {
  readonly cause: RefusedMessage;
  readonly code: number;
  /** Names the option, for the peer and for the error. */
  readonly problem: string;
}

/** Receives the messages of a WebSocket. */
export interface MessageReceiver {
  receive(payload: Uint8Array, isBinary: boolean): void;
  /** A ping or a pong arrived. */
  heard(): void;
}

/** What a supervised WebSocket reports to the connection that owns it. Every call comes from inside ws. */
export interface SocketObserver {
  /** Messages and signs of life go directly to the connection. */
  readonly connection: MessageReceiver;
  /** ws is about to answer a ping, with a frame of this many bytes. */
  pongDue(bytes: number): void;
  /** The peer's close frame arrived; ws waits for `answerClose`. */
  closeReceived(code: number, reason: Uint8Array | undefined): void;
  /** The peer broke the protocol, or exceeded a limit; ws waits for `answerClose` and reports the error next. */
  violationFound(frame: CloseFrame): void;
  /** @param refused - the limit that the peer exceeded, if the bytes follow the protocol. */
  protocolErrored(error: Error, refused?: RefusedMessage): void;
  /** This side refuses the rest of a message and reads nothing more. TCP ends next. */
  messageRefused(refusal: MessageRefusal): void;
  /** ws could not write an answer. */
  sendErrored(error: Error): void;
  /** ws terminates the socket because of too many pings. */
  pingFlooded(): void;
}

/** What to dial. */
export interface DialTarget {
  readonly url: string;
  readonly subprotocols: readonly string[];
  /** In Node.js only: a page cannot set headers. */
  readonly headers?: Readonly<Record<string, string>>;
  /** In Node.js only: how to connect. */
  readonly connect?: object;
}

/** What a transport that dials with ws reports to its connection. */
export interface DialObserver extends RawSocketObserver, SocketObserver {
  /** The handshake is done. */
  opened(): void;
  /** An HTTP answer other than 101 has been read. */
  rejected(): void;
}

/** What the WebSocket of a page reports to its connection. */
export interface PageSocketObserver extends Pick<SocketObserver, 'connection' | 'messageRefused'> {
  opened(): void;
  /** More messages wait than the transport may hold: a page cannot stop its browser from reading. */
  overflowed(): void;
  /** The WebSocket failed to open, or ended without a close frame. */
  socketClosed(): void;
  closeReceived(code: number, reason: string): void;
}

/** A transport that this side dials: ws in Node.js, the native WebSocket in a browser. */
export interface OutboundTransport extends Transport {
  /**
   * Begins to dial.
   *
   * @throws Error when the target itself is wrong. In this case, nothing was dialed.
   */
  dial(target: DialTarget): void;
  /**
   * How long it may take until a close frame that came with the 101 is read, in milliseconds; 0 if one turn of the
   * event loop is enough.
   */
  readonly turnMs: number;
  /** Notes that the peer answers beats. A transport that cannot ping uses them instead. */
  beatHeard(): void;
  /** Describes why the connection never opened, from the evidence and from what this transport can know. */
  describeFailure(evidence: AttemptEvidence): FailureDescription;
  /**
   * Sends one message, which may wait in this process. Returns the error if the write failed at once.
   *
   * @param bytes - the length of the payload, if the caller knows it.
   */
  send(payload: string | Uint8Array, bytes?: number): Error | null;
  /** Lets several messages leave in one write, if the host can do that. */
  together(write: () => void): void;
  /** How many of the bytes written since it was bound have certainly left this process, even after its end. */
  readonly leftBytes: number;
  /** Calls `progressed` when messages that waited may have left, or are lost. */
  watchWrites(progressed: () => void): void;
}
