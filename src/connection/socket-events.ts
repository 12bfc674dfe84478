import { type CloseFrame, NO_STATUS } from '../core/close-code.ts';
import type { DialAnswer } from '../core/failure.ts';
import type { Limits } from '../core/limits.ts';
import { textOf } from '../core/text.ts';
import {
  type CloseVerdict,
  classifyClose,
  type Evidence,
  type Mutable,
  type RefusedMessage,
} from '../core/verdict.ts';
import type { ReadTurns } from '../transport/read-turns.ts';
import type {
  MessageRefusal,
  RawSocketObserver,
  SocketObserver,
  Transport,
} from '../transport/transport.ts';
import type { UnfinishedMessages } from '../transport/unfinished-messages.ts';
import type { ManagedConnection } from './managed-connection.ts';

/** The error code of ws for a message in too many fragments. */
const TOO_MANY_PARTS = 'WS_ERR_TOO_MANY_BUFFERED_PARTS';

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

  violationFound(code: number): void {
    this.#connection.quarantine();
    const { refused, protocolError } = this.evidence;
    const reason = refused && protocolError?.message;
    const frame = {
      code,
      reason: reason ?? violationReason(code, this.#connection.context.limits),
    };
    const sent = this.#connection.transport.sendClose(frame);
    if (sent !== null) this.evidence.sent = sent;
    else this.#connection.transport.answerClose(code);
  }

  /** Before it opened, whatever ws reports is an attempt that failed. */
  protocolErrored(error: Error): void {
    if (!this.#connection.transport.isBound) {
      this.socketErrored(error);
      return;
    }
    this.#noteViolation(error);
    this.#connection.quarantine();
    this.#connection.send('protocol.violated');
  }

  #noteViolation(error: NodeJS.ErrnoException): void {
    if (error.code !== TOO_MANY_PARTS) this.evidence.protocolError ??= error;
    else this.#noteRefusal('message-limit', violationReason(1008, this.#connection.context.limits));
  }

  chunksExceeded(): void {
    const { bufferedChunksMax } = this.#connection.context.limits;
    const problem = `message in over ${bufferedChunksMax} chunks (limits.bufferedChunksMax)`;
    this.#noteRefusal('message-limit', problem);
  }

  /** A connection that is already closing keeps its cause. */
  messageRefused({ cause, code, problem }: MessageRefusal): void {
    if (!this.#connection.isOpen) return;
    this.#noteRefusal(cause, problem);
    this.violationFound(code);
    this.#connection.send('protocol.violated');
  }

  #noteRefusal(cause: RefusedMessage, problem: string): void {
    const { evidence } = this;
    if (evidence.protocolError !== undefined) return;
    evidence.refused = cause;
    evidence.protocolError = refusalError(cause, problem);
  }

  get unfinished(): UnfinishedMessages {
    return this.#connection.context.unfinished;
  }

  get readTurns(): ReadTurns {
    return this.#connection.context.readTurns;
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
  verdict({ bytesIn, bytesOut }: Transport, openMs: number): CloseVerdict {
    const verdict = classifyClose(this.evidence) as Mutable<CloseVerdict>;
    verdict.openMs = openMs;
    verdict.bytesIn = bytesIn;
    verdict.bytesOut = bytesOut;
    return verdict;
  }
}

/** Names the option that a message has passed. For too many pieces, the error has the code of ws. */
function refusalError(cause: RefusedMessage, problem: string): Error {
  const error = new Error(problem);
  return cause === 'message-limit' ? Object.assign(error, { code: TOO_MANY_PARTS }) : error;
}

/** The error of a socket that this process has in two hands. */
export function takenAway(): Error {
  return new Error('another part of this process wrote to the socket, ended it or destroyed it');
}

/** What a peer hears of the limit that it has passed. A code alone would not tell which. */
function violationReason(code: number, limits: Readonly<Limits>): string {
  switch (code) {
    case 1007:
      return 'text that is not UTF-8';
    case 1008:
      return `message in over ${limits.fragmentsMax} fragments (limits.fragmentsMax)`;
    case 1009:
      return `message over ${limits.payloadBytesMax} bytes (limits.payloadBytesMax)`;
    default:
      return '';
  }
}
