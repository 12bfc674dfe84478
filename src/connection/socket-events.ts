import { type CloseFrame, NO_STATUS } from '../core/close-code.ts';
import type { DialAnswer } from '../core/failure.ts';
import { textOf } from '../core/text.ts';
import type { Trail } from '../core/trail.ts';
import {
  type CloseVerdict,
  classifyClose,
  type Evidence,
  type Mutable,
  type RefusedMessage,
} from '../core/verdict.ts';
import type {
  MessageRefusal,
  RawSocketObserver,
  SocketObserver,
  Transport,
} from '../transport/transport.ts';
import type { ManagedConnection } from './managed-connection.ts';

/**
 * Sees everything that the two sockets of a connection do, keeps the evidence, and tells the connection.
 *
 * Each method follows the same order: note what happened, shut the gate, then give the chart its fact.
 */
export class SocketEvents implements RawSocketObserver, SocketObserver {
  readonly #connection: ManagedConnection;
  #evidence: Evidence | null = null;

  constructor(connection: ManagedConnection) {
    this.#connection = connection;
  }

  /** What is known; nothing for most of a life. */
  get evidence(): Evidence {
    this.#evidence ??= {};
    return this.#evidence;
  }

  socketErrored(error: NodeJS.ErrnoException): void {
    if (error.syscall === 'write') this.sendErrored(error);
    this.#blameOthers(error);
    this.evidence.socketError ??= error;
    this.backlogLost();
    this.#connection.quarantine();
    this.#connection.send('socket.errored');
  }

  socketEnded(): void {
    this.#blameOthers();
    this.evidence.ended = true;
    this.#connection.quarantine();
    this.#connection.send(this.#connection.transport.isBound ? 'socket.ended' : 'peer.abandoned');
  }

  socketClosed(errored = false): void {
    const { ended, socketError } = this.evidence;
    this.#blameOthers(ended || socketError || errored ? undefined : 'closed');
    this.#connection.quarantine();
    this.#connection.send('socket.closed');
  }

  opened(): void {
    this.#connection.send('socket.opened');
  }

  rejected(answer: DialAnswer): void {
    this.evidence.answer = answer;
    this.#connection.send('admission.refused');
  }

  /** In a page, more arrived during a pause than may be held: a browser cannot be kept from reading. */
  overflowed(): void {
    this.#connection.end('handler-stalled');
  }

  messageReceived(payload: Uint8Array, isBinary: boolean): void {
    this.#connection.receive(payload, isBinary);
  }

  controlReceived(): void {
    this.#connection.heard();
  }

  /** What was accepted before a ping leaves before its answer does. */
  pongDue(bytes: number): void {
    this.#connection.outbox?.flush();
    this.#connection.transport.noteWritten(bytes);
  }

  closeReceived(code: number, reason: Uint8Array | undefined): void {
    this.#blameOthers();
    const { evidence } = this;
    const received = { code, reason: reason === undefined ? '' : textOf(reason) };
    evidence.received ??= received;
    if (evidence.sent !== undefined && !this.#mayAnswer(code)) evidence.simultaneous = true;
    if (this.#connection.quarantine()) this.#connection.closeFrame = received;
    if (this.#connection.transport.answerClose(code, reason)) evidence.sent = received;
    this.#connection.send('peer.closing');
  }

  /**
   * Whether a close frame of the peer may be its answer to ours: peers answer with the same code, with none, or, against
   * RFC 6455 §5.5.1, with one of their own. It cannot be one when ours has not left, or when it had been read before.
   */
  #mayAnswer(code: number): boolean {
    const { sent, sentAtBytesIn } = this.evidence;
    const { transport } = this.#connection;
    if (code === sent?.code || code === NO_STATUS) return true;
    return transport.bufferedBytes === 0 && transport.bytesIn !== sentAtBytesIn;
  }

  /** A close frame of ours has been given to the socket. */
  closeSent(frame: CloseFrame): void {
    this.evidence.sent = frame;
    this.evidence.sentAtBytesIn = this.#connection.transport.bytesIn;
  }

  violationFound(frame: CloseFrame): void {
    this.#connection.quarantine();
    const sent = this.#connection.transport.sendClose(frame);
    if (sent !== null) this.evidence.sent = sent;
    else this.#connection.transport.answerClose(frame.code);
  }

  /** Before it opened, whatever ws reports is an attempt that failed. */
  protocolErrored(error: Error, refused?: RefusedMessage): void {
    if (!this.#connection.transport.isBound) {
      this.socketErrored(error);
      return;
    }
    this.#noteViolation(error, refused);
    this.#connection.quarantine();
    this.#connection.send('protocol.violated');
  }

  /** A connection that is already closing keeps its cause. */
  messageRefused({ cause, code, problem }: MessageRefusal): void {
    if (!this.#connection.isOpen) return;
    this.#noteViolation(new Error(problem), cause);
    this.violationFound({ code, reason: problem });
    this.#connection.send('protocol.violated');
  }

  #noteViolation(error: Error, refused: RefusedMessage | undefined): void {
    const { evidence } = this;
    if (evidence.protocolError !== undefined) return;
    evidence.protocolError = error;
    evidence.refused = refused;
  }

  pingFlooded(): void {
    this.#connection.end('ping-flood');
  }

  /** ws reports the end; `clean` when both close frames were exchanged (RFC 6455 §7.1.4). */
  websocketClosed(clean: boolean): void {
    this.evidence.clean = clean;
    this.#connection.send('websocket.closed');
  }

  /** A write failed: often the first sign of death, before the socket itself reports an error. */
  sendErrored(error: Error): void {
    this.#blameOthers();
    if (!this.#connection.quarantine()) return;
    this.evidence.sendError = error;
    this.#connection.send('send.errored');
  }

  /** A close frame that still waits behind a backlog has not been sent, and dies with the socket. */
  backlogLost(): void {
    if (this.#connection.transport.bufferedBytes > 0) this.evidence.sent = undefined;
  }

  /** The first sign of an end counts: afterwards this side, and ws, end the socket themselves. */
  #blameOthers(sign?: Error | 'closed'): void {
    const { isOpen, state, transport } = this.#connection;
    // One that is refused behind a 101 has been written to, and is ended by ws as well.
    const isOurs = isOpen || (state === 'handshaking' && !transport.isBound);
    if (!isOurs || !transport.isTakenAway(sign)) return;
    this.evidence.taken ??= takenAway();
  }

  /** How a connection that was open ended. */
  verdict({ bytesIn, bytesOut }: Transport, openMs: number, trail: Trail): CloseVerdict {
    const verdict = classifyClose(this.evidence) as Mutable<CloseVerdict>;
    verdict.openMs = openMs;
    verdict.bytesIn = bytesIn;
    verdict.bytesOut = bytesOut;
    verdict.trail = trail;
    return verdict;
  }
}

/** The error of a socket that this process has in two hands. */
export function takenAway(): Error {
  return new Error('another part of this process wrote to the socket, ended it or destroyed it');
}
