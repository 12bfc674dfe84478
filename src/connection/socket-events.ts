import type { CloseFrame } from '../core/close-code.ts';
import type { DialAnswer } from '../core/failure.ts';
import { textOf } from '../core/text.ts';
import type { RefusedMessage } from '../core/verdict.ts';
import type { DialObserver, MessageRefusal, SocketTransport } from '../transport/transport.ts';
import { takenAway } from './ending-record.ts';
import type { ConnectionSide, ManagedConnection } from './managed-connection.ts';

/** The side of a connection in Node.js, accepted or dialed. */
export interface SocketSide extends ConnectionSide {
  readonly transport: SocketTransport;
}

/**
 * Translates what ws and the raw socket of a connection report. What a page hears is in `WebSocketEvents`.
 *
 * Each method follows the same order: note what happened, shut the gate, then give the chart its fact.
 */
export class SocketEvents implements DialObserver {
  readonly connection: ManagedConnection<SocketSide>;

  constructor(connection: ManagedConnection<SocketSide>) {
    this.connection = connection;
  }

  socketErrored(error: NodeJS.ErrnoException): void {
    if (error.syscall === 'write') this.sendErrored(error);
    this.#blameOthers(error);
    this.connection.record.noteSocketError(error);
    this.connection.backlogLost();
    this.connection.quarantine();
    this.connection.send('socket.errored');
  }

  socketEnded(): void {
    this.#blameOthers();
    this.connection.record.noteSocketEnd();
    this.connection.quarantine();
    this.connection.send(this.connection.transport.isBound ? 'socket.ended' : 'peer.abandoned');
  }

  socketClosed(errored = false): void {
    const { ended, socketError } = this.connection.record.evidence;
    this.#blameOthers(ended || socketError || errored ? undefined : 'closed');
    this.connection.quarantine();
    this.connection.send('socket.closed');
  }

  opened(): void {
    this.connection.send('socket.opened');
  }

  rejected(answer: DialAnswer): void {
    this.connection.record.noteAnswer(answer);
    this.connection.send('admission.refused');
  }

  /** What was accepted before a ping leaves before its answer does. */
  pongDue(bytes: number): void {
    this.connection.side.flush();
    this.connection.transport.noteWritten(bytes);
  }

  closeReceived(code: number, reason: Uint8Array | undefined): void {
    this.#blameOthers();
    const { record, transport } = this.connection;
    const received = { code, reason: reason === undefined ? '' : textOf(reason) };
    record.noteCloseFrame(received, transport);
    if (this.connection.quarantine()) record.notePeerClosing(received);
    if (transport.answerClose(code, reason)) record.noteSent(received);
    this.connection.send('peer.closing');
  }

  violationFound(frame: CloseFrame): void {
    this.connection.quarantine();
    const { record, transport } = this.connection;
    const sent = transport.sendClose(frame);
    if (sent !== null) record.noteSent(sent);
    else transport.answerClose(frame.code);
  }

  /** Before it opened, whatever ws reports is an attempt that failed. */
  protocolErrored(error: Error, refused?: RefusedMessage): void {
    if (!this.connection.transport.isBound) {
      this.socketErrored(error);
      return;
    }
    this.connection.record.noteViolation(error, refused);
    this.connection.quarantine();
    this.connection.send('protocol.violated');
  }

  /** A connection that is already closing keeps its cause. */
  messageRefused({ cause, code, problem }: MessageRefusal): void {
    if (!this.connection.isOpen) return;
    this.connection.record.noteViolation(new Error(problem), cause);
    this.violationFound({ code, reason: problem });
    this.connection.send('protocol.violated');
  }

  pingFlooded(): void {
    this.connection.end('ping-flood');
  }

  /** A write failed: often the first sign of death, before the socket itself reports an error. */
  sendErrored(error: Error): void {
    this.#blameOthers();
    if (!this.connection.quarantine()) return;
    this.connection.record.noteSendError(error);
    this.connection.send('send.errored');
  }

  /** The first sign of an end counts: afterwards this side, and ws, end the socket themselves. */
  #blameOthers(sign?: Error | 'closed'): void {
    const { isOpen, state, transport } = this.connection;
    // One that is refused behind a 101 has been written to, and is ended by ws as well.
    const isOurs = isOpen || (state === 'handshaking' && !transport.isBound);
    if (isOurs && transport.isTakenAway(sign)) this.connection.record.noteTaken(takenAway());
  }
}
