import type { ConnectionCore } from '../../src/connection/connection-core.ts';
import { type SocketCore, SocketEvents } from '../../src/connection/socket-events.ts';
import type { CloseFrame } from '../../src/core/close-code.ts';
import {
  type AttemptEvidence,
  describeDialFailure,
  type FailureDescription,
} from '../../src/core/failure.ts';
import { classifyClose } from '../../src/core/verdict.ts';
import type { VirtualClock } from '../../src/testing/virtual-clock.ts';
import type {
  DialObserver,
  OutboundTransport,
  SocketTransport,
} from '../../src/transport/transport.ts';

/** How long a dial takes, in milliseconds of virtual time. */
const LATENCY_MS = 5;

/** A server on virtual time that accepts every client, or is down and refuses. */
export class VirtualServer {
  isUp = true;
  /** The times of dials, in virtual milliseconds. */
  readonly dialedAtMs: number[] = [];

  /** All messages that have arrived, from any client. */
  readonly received: unknown[] = [];

  readonly #clock: VirtualClock;
  readonly #open = new Set<VirtualTransport>();

  constructor(clock: VirtualClock) {
    this.#clock = clock;
  }

  get connections(): number {
    return this.#open.size;
  }

  transport(connection: ConnectionCore): OutboundTransport {
    return new VirtualTransport(this, new SocketEvents(connection as SocketCore));
  }

  /** A client dials. */
  dialed(transport: VirtualTransport): void {
    this.dialedAtMs.push(this.#clock.now());
    this.#clock.setTimer(LATENCY_MS, () => {
      if (this.isUp) this.#open.add(transport);
      transport.answered(this.isUp);
    });
  }

  left(transport: VirtualTransport): void {
    this.#open.delete(transport);
  }

  /** Goes down: every client gets this close frame, or a reset if there is none. */
  goDown(frame?: CloseFrame): void {
    this.isUp = false;
    for (const transport of [...this.#open]) transport.lose(frame);
  }
}

/** A transport to a {@link VirtualServer}. */
class VirtualTransport implements OutboundTransport, SocketTransport {
  readonly turnMs = 0;
  readonly classify = classifyClose;
  isBound = false;
  readonly subprotocol = '';
  readonly canPing = false;
  readonly isPaused = false;
  readonly bytesIn = 0;
  readonly bytesOut = 0;
  readonly bufferedBytes = 0;
  readonly flushMark = 0;
  readonly leftBytes = 0;
  readonly #server: VirtualServer;
  readonly #observer: DialObserver;
  #whenClosed: ((clean: boolean) => void) | null = null;

  constructor(server: VirtualServer, observer: DialObserver) {
    this.#server = server;
    this.#observer = observer;
  }

  get isWritable(): boolean {
    return this.isBound;
  }

  dial(): void {
    this.#server.dialed(this);
  }

  answered(isAccepted: boolean): void {
    this.isBound = isAccepted;
    if (isAccepted) this.#observer.opened();
    else
      this.#observer.socketErrored(Object.assign(new Error('refused'), { code: 'ECONNREFUSED' }));
  }

  lose(frame: CloseFrame | undefined): void {
    const reset = Object.assign(new Error('reset'), { code: 'ECONNRESET' });
    if (frame === undefined) this.#observer.socketErrored(reset);
    else this.#observer.closeReceived(frame.code, Buffer.from(frame.reason));
    this.#observer.socketClosed(false);
    this.#whenClosed?.(frame !== undefined);
  }

  watchClose(closed: (clean: boolean) => void): void {
    this.#whenClosed = closed;
  }

  destroy(): void {
    const whenClosed = this.#whenClosed;
    this.release();
    whenClosed?.(false);
  }

  release(): void {
    this.#server.left(this);
    this.#whenClosed = null;
  }

  describeFailure(evidence: AttemptEvidence): FailureDescription {
    return describeDialFailure({ ...evidence, phase: 'tcp' });
  }
  noteWritten(): void {}
  isTakenAway(): boolean {
    return false;
  }
  send(payload: string | Uint8Array): null {
    this.#server.received.push(payload);
    return null;
  }
  together(write: () => void): void {
    write();
  }
  watchWrites(): void {}
  sendClose(): null {
    return null;
  }
  beatHeard(): void {}
  answerClose(): boolean {
    return false;
  }
  pause(): void {}
  resume(): void {}
  ping(): null {
    return null;
  }
}
