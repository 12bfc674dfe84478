import type { CloseFrame } from '../core/close-code.ts';
import { textOf } from '../core/text.ts';
import type { RefusedMessage } from '../core/verdict.ts';
import type { DialObserver, MessageRefusal, SocketTransport } from '../transport/transport.ts';
import type { ConnectionCore } from './connection-core.ts';
import { takenAway } from './ending-record.ts';

/** A connection in Node.js, accepted or dialed. */
export interface SocketCore extends ConnectionCore {
  readonly transport: SocketTransport;
}

/**
 * Translates the events of the raw socket and of ws into facts. In a page, `WebSocketEvents` does this.
 *
 * A method that reports an end notes it in the record and shuts the gate before it sends the fact.
 */
export class SocketEvents implements DialObserver {
  readonly connection: SocketCore;

  constructor(connection: SocketCore) {
    this.connection = connection;
  }

  socketErrored(error: NodeJS.ErrnoException): void {
    if (error.syscall === 'write') this.sendErrored(error);
    this.#blameOthers(error);
    this.connection.record.noteSocketError(error);
    this.connection.backlogLost();
    this.connection.quarantine();
    this.connection.chart.send('socket.errored');
  }

  socketEnded(): void {
    this.#blameOthers();
    this.connection.record.note({ ended: true });
    this.connection.quarantine();
    this.connection.chart.send(
      this.connection.transport.isBound ? 'socket.ended' : 'peer.abandoned',
    );
  }

  socketClosed(errored = false): void {
    const { ended, socketError } = this.connection.record.evidence;
    this.#blameOthers(ended || socketError || errored ? undefined : 'closed');
    this.connection.quarantine();
    this.connection.chart.send('socket.closed');
  }

  opened(): void {
    this.connection.chart.send('socket.opened');
  }

  rejected(): void {
    this.connection.chart.send('admission.refused');
  }

  /** Messages that were accepted before a ping leave before the answer to it. */
  pongDue(bytes: number): void {
    this.connection.side.flush();
    this.connection.transport.noteWritten(bytes);
  }

  closeReceived(code: number, reason: Uint8Array | undefined): void {
    this.#blameOthers();
    const { record, transport } = this.connection;
    const received = { code, reason: reason === undefined ? '' : textOf(reason) };
    record.noteCloseFrame(received, transport);
    if (this.connection.quarantine()) record.closeFrame = received;
    if (transport.answerClose(code, reason)) record.note({ sent: received });
    this.connection.chart.send('peer.closing');
  }

  violationFound(frame: CloseFrame): void {
    this.connection.quarantine();
    const { record, transport } = this.connection;
    const sent = transport.sendClose(frame);
    if (sent !== null) record.note({ sent });
    else transport.answerClose(frame.code);
  }

  /** Before the connection is open, every error of ws is a failed attempt. */
  protocolErrored(error: Error, refused?: RefusedMessage): void {
    if (!this.connection.transport.isBound) {
      this.socketErrored(error);
      return;
    }
    this.connection.record.noteViolation(error, refused);
    this.connection.quarantine();
    this.connection.chart.send('protocol.violated');
  }

  /** A connection that is already closing keeps its cause. */
  messageRefused({ cause, code, problem }: MessageRefusal): void {
    if (!this.connection.isOpen) return;
    this.connection.record.noteViolation(new Error(problem), cause);
    this.violationFound({ code, reason: problem });
    this.connection.chart.send('protocol.violated');
  }

  pingFlooded(): void {
    this.connection.end('ping-flood');
  }

  /**
   * Code that wraps the socket threw. The error is noted even for a close frame, which leaves after the gate has shut.
   */
  writeThrew(error: Error): void {
    this.connection.record.noteSendError(error);
    this.sendErrored(error);
  }

  /** A write failed. This is often the first sign of a broken connection, before the socket itself reports an error. */
  sendErrored(error: Error): void {
    this.#blameOthers();
    if (!this.connection.quarantine()) return;
    this.connection.record.noteSendError(error);
    this.connection.chart.send('send.errored');
  }

  /** Checks only at the first sign of an end: after it, this side and ws end the socket themselves. */
  #blameOthers(sign?: Error | 'closed'): void {
    const { isOpen, state, transport } = this.connection;
    // Not for a connection that is refused after a 101: ws writes to its socket, and ends it.
    const isOurs = isOpen || (state === 'handshaking' && !transport.isBound);
    if (isOurs && transport.isTakenAway(sign)) this.connection.record.noteTaken(takenAway());
  }
}
