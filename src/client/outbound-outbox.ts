import { Backpressure } from '../connection/back-pressure.ts';
import type { Exchange } from '../connection/exchange.ts';
import type { ManagedConnection } from '../connection/managed-connection.ts';
import type { FlushResult, SendResult } from '../core/connection.ts';
import type { DropReason } from '../core/events.ts';
import type { OutboundTransport } from '../transport/transport.ts';

/** A message on its way out, with the caller that waits for its result. */
export interface Outgoing {
  readonly message: unknown;
  readonly settle: ((result: FlushResult) => void) | undefined;
  /** The length of its payload in bytes, as far as it was measured already. */
  readonly bytes?: number;
}

/** A request, or a message with a receipt, that waits until it may leave with a heading. */
export interface Headed {
  /** Sends it on a connection between two Mooring peers, which accounts for it from now on. */
  sendOn(exchange: Exchange, payload: string | Uint8Array): void;
  /** It will not be sent. */
  drop(reason: DropReason | 'not-mooring' | 'refused'): void;
}

/** What an outbox needs of its connection's dialer. */
export interface OutboxHost {
  /** A message that the socket had accepted has not left this process, and never will. */
  messageLost(outgoing: Outgoing): void;
  /** There is room again for a message that waits. */
  roomFound(): void;
}

/** How much a client hands to its socket at once, in bytes. What the socket has cannot be taken back. */
const WINDOW_BYTES = 65_536;

/** A message that the transport has, and that has not left yet. */
interface InFlight {
  readonly outgoing: Outgoing;
  /** The number of bytes that have left when this message has left. */
  readonly mark: number;
}

/**
 * Passes the messages of one dialed connection to its transport, which buffers what cannot leave yet, and accounts for
 * each: it has left this process, or it is lost.
 */
export class OutboundOutbox {
  readonly #transport: OutboundTransport;
  readonly #host: OutboxHost;
  readonly #backpressure: Backpressure;
  #inFlight: InFlight[] = [];

  constructor(transport: OutboundTransport, connection: ManagedConnection, host: OutboxHost) {
    this.#transport = transport;
    this.#host = host;
    this.#backpressure = new Backpressure(connection);
    transport.watchWrites(() => this.#progressed());
  }

  get isCongested(): boolean {
    return this.#backpressure.isCongested;
  }

  /** Whether a message of this length is accepted now. One message may be larger than the window. */
  hasRoom(bytes: number): boolean {
    if (!this.#isAccepting) return false;
    return this.#inFlight.length === 0 || this.#transport.bufferedBytes + bytes <= WINDOW_BYTES;
  }

  get #isAccepting(): boolean {
    const { isStopped, isCongested } = this.#backpressure;
    return !isStopped && !isCongested && this.#transport.isWritable;
  }

  /** Whether messages have not left yet. */
  get isSending(): boolean {
    return this.#inFlight.length > 0;
  }

  /** Notes whether a message waits for room. While one waits, a peer that takes nothing is stalled. */
  awaitRoom(isAwaited: boolean): void {
    this.#backpressure.awaitRoom(isAwaited);
  }

  /**
   * Sends a message. Unless the message is refused, its final result is reported later. It is also refused if the write
   * fails at once, because then nothing of it has left.
   *
   * @param outgoing - `undefined` for a message of Mooring itself, whose loss is not reported.
   */
  send(payload: string | Uint8Array, outgoing?: Outgoing): SendResult {
    if (!this.#isAccepting || this.#transport.send(payload, outgoing?.bytes) !== null)
      return 'refused';
    if (outgoing !== undefined) this.#inFlight.push({ outgoing, mark: this.#transport.bytesOut });
    const { bufferedBytes } = this.#transport;
    if (bufferedBytes === 0) {
      this.#settleLeft();
      return 'sent';
    }
    this.#backpressure.backlogGrew(bufferedBytes);
    return 'queued';
  }

  /** Sends a heading, and the message that belongs to it, in one write if the transport can. */
  sendHeaded(heading: string, payload: string | Uint8Array | undefined): SendResult {
    if (!this.#isAccepting) return 'refused';
    let result: SendResult = 'refused';
    this.#transport.together(() => {
      const isSent = this.#transport.send(heading) === null;
      result = isSent && payload !== undefined ? this.send(payload) : this.#sent(isSent);
    });
    return result;
  }

  #sent(isSent: boolean): SendResult {
    if (isSent) this.#backpressure.backlogGrew(this.#transport.bufferedBytes);
    return isSent ? 'queued' : 'refused';
  }

  /** Accepts nothing more. Messages that the transport has may still leave before the end. */
  stop(): void {
    this.#backpressure.stop();
    this.#settleLeft();
  }

  /** The connection has ended: messages that have not left are lost. */
  end(): void {
    this.stop();
    const lost = this.#inFlight;
    this.#inFlight = [];
    for (const { outgoing } of lost) this.#host.messageLost(outgoing);
  }

  #progressed(): void {
    this.#settleLeft();
    // A failed write also empties the backlog.
    if (this.#backpressure.isStopped || !this.#transport.isWritable) return;
    this.#backpressure.backlogShrank();
    if (this.#backpressure.isAwaited) this.#host.roomFound();
  }

  #settleLeft(): void {
    const { leftBytes } = this.#transport;
    let count = 0;
    for (const { mark } of this.#inFlight) {
      if (mark > leftBytes) break;
      count += 1;
    }
    if (count === 0) return;
    for (const { outgoing } of this.#inFlight.splice(0, count)) outgoing.settle?.('sent');
  }
}
