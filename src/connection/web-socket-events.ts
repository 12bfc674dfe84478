import type { PageSocketObserver } from '../transport/transport.ts';
import type { ManagedConnection } from './managed-connection.ts';

/** Translates what the WebSocket of a page reports, which is little. In Node.js, `SocketEvents` does. */
export class WebSocketEvents implements PageSocketObserver {
  readonly connection: ManagedConnection;

  constructor(connection: ManagedConnection) {
    this.connection = connection;
  }

  opened(): void {
    this.connection.send('socket.opened');
  }

  overflowed(): void {
    this.connection.end('handler-stalled');
  }

  socketClosed(): void {
    this.connection.quarantine();
    this.connection.send('socket.closed');
  }

  closeReceived(code: number, reason: string): void {
    const { record, transport } = this.connection;
    const received = { code, reason };
    record.noteCloseFrame(received, transport);
    if (this.connection.quarantine()) record.notePeerClosing(received);
    this.connection.send('peer.closing');
  }
}
