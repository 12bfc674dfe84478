import { type SocketCore, SocketEvents } from '../../../src/connection/socket-events.ts';
import type { CloseFrame } from '../../../src/core/close-code.ts';
import type { DialTarget } from '../../../src/transport/transport.ts';
import { DialedSocket } from '../dialed/dialed-socket.ts';
import type { LineParts } from '../dialed/line.ts';
import type { Attempt, Sign } from './attempt.ts';

/** Who learns of a socket first. */
export interface PoolSocketWatcher {
  dialed(attempt: Attempt, target: DialTarget): void;
  opened(attempt: Attempt): void;
  wrote(attempt: Attempt, payload: string | Uint8Array): void;
}

/** A socket of a member. Its reports are recorded before Mooring gets them. */
export class PoolSocket extends DialedSocket {
  readonly #attempt: Attempt;
  readonly #watcher: PoolSocketWatcher;

  constructor(parts: LineParts, attempt: Attempt, watcher: PoolSocketWatcher) {
    super(parts, new NotedEvents(attempt, parts.clock, watcher), attempt.fate);
    this.#attempt = attempt;
    this.#watcher = watcher;
  }

  override dial(target: DialTarget): void {
    this.#watcher.dialed(this.#attempt, target);
    super.dial(target);
  }

  override send(payload: string | Uint8Array): Error | null {
    this.#watcher.wrote(this.#attempt, payload);
    return super.send(payload);
  }
}

class NotedEvents extends SocketEvents {
  readonly #attempt: Attempt;
  readonly #clock: LineParts['clock'];
  readonly #watcher: PoolSocketWatcher;

  constructor(attempt: Attempt, clock: LineParts['clock'], watcher: PoolSocketWatcher) {
    super(attempt.connection as unknown as SocketCore);
    this.#attempt = attempt;
    this.#clock = clock;
    this.#watcher = watcher;
  }

  override opened(): void {
    this.#attempt.openedMs = this.#clock.now();
    this.#attempt.heardMs = this.#clock.now();
    this.#watcher.opened(this.#attempt);
    super.opened();
  }

  override rejected(): void {
    this.#note('rejected');
    super.rejected();
  }

  override socketErrored(error: NodeJS.ErrnoException): void {
    this.#note(error.code === 'ECONNREFUSED' ? 'refused' : 'reset');
    super.socketErrored(error);
  }

  override socketEnded(): void {
    this.#note('fin');
    super.socketEnded();
  }

  override closeReceived(code: number, reason: Uint8Array | undefined): void {
    this.#note('close-frame');
    super.closeReceived(code, reason);
  }

  override violationFound(frame: CloseFrame): void {
    this.#note('violation');
    super.violationFound(frame);
  }

  override socketClosed(errored?: boolean): void {
    this.#note('socket-closed');
    super.socketClosed(errored);
  }

  #note(sign: Sign): void {
    this.#attempt.note(sign, this.#clock.now());
  }
}
