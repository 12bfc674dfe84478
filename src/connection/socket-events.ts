import type { CloseFrame } from '../core/close-code.ts';
import type { DialAnswer } from '../core/failure.ts';
import { textOf } from '../core/text.ts';
import type { RefusedMessage } from '../core/verdict.ts';
import type { MessageRefusal, RawSocketObserver, SocketObserver } from '../transport/transport.ts';
import type { ConnectionCore } from './connection-core.ts';
import { takenAway } from './ending-record.ts';

/**
 * Translates what the two sockets of a connection report.
 *
 * Each method follows the same order: note what happened, shut the gate, then give the chart its fact.
 */
export class SocketEvents implements RawSocketObserver, SocketObserver {
  readonly connection: ConnectionCore;

  constructor(connection: ConnectionCore) {
    this.connection = connection;
  }

  socketErrored(error: NodeJS.ErrnoException): void {
    if (error.syscall === 'write') this.sendErrored(error);
    this.#blameOthers(error);
    this.connection.record.noteSocketError(error);
    this.backlogLost();
    this.connection.quarantine();
    this.connection.chart.send('socket.errored');
  }

  socketEnded(): void {
    this.#blameOthers();
    this.connection.record.noteSocketEnd();
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

  rejected(answer: DialAnswer): void {
    this.connection.record.noteAnswer(answer);
    this.connection.chart.send('admission.refused');
  }

  /** In a page, more arrived during a pause than may be held: a browser cannot be kept from reading. */
  overflowed(): void {
    this.connection.end('handler-stalled');
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
    this.connection.chart.send('peer.closing');
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

  websocketClosed(isClean: boolean): void {
    this.connection.record.noteWebSocketEnd(isClean);
    this.connection.chart.send('websocket.closed');
  }

  /** A write failed: often the first sign of death, before the socket itself reports an error. */
  sendErrored(error: Error): void {
    this.#blameOthers();
    if (!this.connection.quarantine()) return;
    this.connection.record.noteSendError(error);
    this.connection.chart.send('send.errored');
  }

  /** What waits in this process is lost, and with it a close frame of ours that waits behind it. */
  backlogLost(): void {
    if (this.connection.transport.bufferedBytes > 0) this.connection.record.noteBacklogLost();
  }

  /** The first sign of an end counts: afterwards this side, and ws, end the socket themselves. */
  #blameOthers(sign?: Error | 'closed'): void {
    const { isOpen, state, transport } = this.connection;
    // One that is refused behind a 101 has been written to, and is ended by ws as well.
    const isOurs = isOpen || (state === 'handshaking' && !transport.isBound);
    if (isOurs && transport.isTakenAway(sign)) this.connection.record.noteTaken(takenAway());
  }
}
