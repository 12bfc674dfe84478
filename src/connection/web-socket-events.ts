import type { MessageRefusal, PageSocketObserver } from '../transport/transport.ts';
import type { ConnectionCore } from './connection-core.ts';

/** Translates the events of the WebSocket of a page into facts. In Node.js, `SocketEvents` does this. */
export class WebSocketEvents implements PageSocketObserver {
  readonly connection: ConnectionCore;

  constructor(connection: ConnectionCore) {
    this.connection = connection;
  }

  opened(): void {
    this.connection.chart.send('socket.opened');
  }

  overflowed(): void {
    this.connection.end('reader-too-slow');
  }

  /** A connection that is already closing keeps its cause. */
  messageRefused({ cause, code, problem }: MessageRefusal): void {
    if (!this.connection.isOpen) return;
    const { record, transport } = this.connection;
    record.noteViolation(new Error(problem), cause);
    this.connection.quarantine();
    const sent = transport.sendClose({ code, reason: problem });
    if (sent !== null) record.note({ sent });
    this.connection.chart.send('protocol.violated');
  }

  socketClosed(): void {
    this.connection.quarantine();
    this.connection.chart.send('socket.closed');
  }

  closeReceived(code: number, reason: string): void {
    const { record, transport } = this.connection;
    const received = { code, reason };
    record.noteCloseFrame(received, transport);
    if (this.connection.quarantine()) record.closeFrame = received;
    this.connection.chart.send('peer.closing');
  }
}
