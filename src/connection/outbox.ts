import type { Socket } from 'node:net';
import type { SendResult } from '../core/connection.ts';
import type { Frame } from '../core/frame.ts';
import type { Deadline, DeadlineOwner } from '../core/timer-wheel.ts';
import type { Port } from './port.ts';
import type { PortContext } from './port-host.ts';

/**
 * The one place that writes messages to a socket.
 *
 * Frames go straight to the raw socket; ws writes only control frames, each whole and at once, so the two
 * never interleave within a frame. Above the high mark nothing more is accepted until the socket has
 * drained.
 */
export class Outbox implements DeadlineOwner {
  readonly #socket: Socket;
  readonly #port: Port;
  readonly #context: PortContext;
  readonly #written: (error?: Error | null) => void;
  #congested = false;
  #stall: Deadline | null = null;
  #markAtLook = 0;

  constructor(socket: Socket, port: Port, context: PortContext) {
    this.#socket = socket;
    this.#port = port;
    this.#context = context;
    this.#written = (error) => {
      if (error) port.witness.sendErrored(error);
      // Node.js 20 calls the write that a destroyed socket never finished a success.
      else if (socket.destroyed) port.witness.sendErrored(new Error('the socket was destroyed'));
      else if (this.#congested) this.#drain();
    };
  }

  /** Writes a frame, or refuses it whole. */
  write(frame: Frame): SendResult {
    const socket = this.#socket;
    if (this.#congested || !socket.writable) return 'refused';
    socket.write(frame, this.#written);
    // A write that fails at once is known here before the socket, or its callback, reports it.
    if (socket.errored) return 'refused';
    const bufferedBytes = socket.writableLength;
    if (bufferedBytes > this.#context.limits.outboxHighBytes) this.#fill();
    return bufferedBytes === 0 ? 'sent' : 'queued';
  }

  stop(): void {
    this.#context.wheel.cancel(this.#stall);
    this.#stall = null;
  }

  /** Stalled means that not one byte left during the whole time, not that the backlog is long. */
  deadlinePassed(): void {
    this.#stall = null;
    if (this.#port.wire.flushMark === this.#markAtLook) this.#port.end('slow-consumer');
    else this.#watch();
  }

  #fill(): void {
    this.#congested = true;
    this.#watch();
    this.#port.tell('outbox.filled');
  }

  /** The socket's own `drain` comes only when its buffer is empty, and never below its own mark. */
  #drain(): void {
    if (this.#socket.writableLength > this.#context.limits.outboxLowBytes) return;
    this.#congested = false;
    this.stop();
    this.#port.tell('outbox.drained');
  }

  #watch(): void {
    this.#markAtLook = this.#port.wire.flushMark;
    this.#stall = this.#context.wheel.schedule(this.#context.timeouts.stalledMs, this, 'stalled');
  }
}
