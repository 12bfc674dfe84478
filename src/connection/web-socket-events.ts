import type { PageSocketObserver } from '../transport/transport.ts';
import type { ConnectionCore } from './connection-core.ts';

/** Translates what the WebSocket of a page reports, which is little. In Node.js, `SocketEvents` does. */
export class WebSocketEvents implements PageSocketObserver {
  readonly connection: ConnectionCore;

  constructor(connection: ConnectionCore) {
    this.connection = connection;
  }

  opened(): void {
    this.connection.chart.send('socket.opened');
  }

  overflowed(): void {
    this.connection.end('handler-stalled');
  }

  socketClosed(): void {
    this.connection.quarantine();
    this.connection.chart.send('socket.closed');
  }

  closeReceived(code: number, reason: string): void {
    const { record, transport } = this.connection;
    const received = { code, reason };
    record.noteCloseFrame(received, transport);
    if (this.connection.quarantine()) record.notePeerClosing(received);
    this.connection.chart.send('peer.closing');
  }
}
