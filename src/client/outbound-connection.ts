import type { ConnectionHost } from '../connection/connection-host.ts';
import { type ConnectionSide, ManagedConnection } from '../connection/managed-connection.ts';
import { agreesOnBeat, beatAnswer, beatKind } from '../core/beat.ts';
import { toError } from '../core/errors.ts';
import type { FailureDescription } from '../core/failure.ts';
import { isThenable } from '../core/guard.ts';
import type { OutboundTransport } from '../transport/transport.ts';
import { OutboundOutbox } from './outbound-outbox.ts';
import type { Destination, Route } from './reconnect/route.ts';

/** What a connection that dials needs of whoever it dials for. */
export interface OutboundHost extends ConnectionHost {
  /** Where this attempt goes. */
  readonly route: Route;
  /** Where it dialed last. */
  url: string;
  makeTransport(connection: ManagedConnection): OutboundTransport;
  /** The peer has asked for a beat: it has let this side in. */
  peerWelcomes(connection: OutboundConnection): void;
}

/** A connection that goes to its peer: one attempt, and the connection that comes of it. */
export type OutboundConnection = ManagedConnection<Outbound>;

/** Begins an attempt. */
export function outboundConnection(host: OutboundHost, id: string): OutboundConnection {
  const connection = new ManagedConnection(
    host,
    id,
    { address: '', path: '' },
    (made: OutboundConnection) => new Outbound(made, host),
  );
  connection.begin();
  connection.send('dial.requested');
  return connection;
}

/** What dialing adds to a connection: its target, and messages that leave masked. */
export class Outbound implements ConnectionSide {
  readonly transport: OutboundTransport;

  readonly #connection: OutboundConnection;
  readonly #host: OutboundHost;
  #outbox: OutboundOutbox | null = null;
  #hasBeat = false;
  /** What kept it from opening, where no socket can tell. */
  #failureReason: 'late' | 'targetless' | null = null;

  constructor(connection: OutboundConnection, host: OutboundHost) {
    this.#connection = connection;
    this.#host = host;
    this.transport = host.makeTransport(connection);
  }

  /** Where messages for the peer go, while they can still leave; made for the first of them. */
  get outbox(): OutboundOutbox | null {
    if (!this.#connection.isOpen) return null;
    this.#outbox ??= new OutboundOutbox(this.transport, this.#connection, this.#host.context);
    return this.#outbox;
  }

  /** Gives the attempt up. Returns whether there was one under way. */
  abort(): boolean {
    if (this.#connection.state !== 'handshaking') return false;
    this.#connection.record.noteIntent('close');
    this.#connection.send('close.requested');
    return true;
  }

  /** Asks for a sign of life at once. */
  probe(): void {
    if (this.#connection.isOpen) this.#connection.heartbeat?.probe();
  }

  dial(): void {
    const fail = (thrown: unknown) => {
      this.#failureReason = 'targetless';
      this.#notDialed(thrown);
    };
    try {
      const target = this.#host.route.target();
      if (isThenable(target)) target.then((known) => this.#dialTo(known), fail);
      else this.#dialTo(target);
    } catch (thrown) {
      fail(thrown);
    }
  }

  #dialTo(target: Destination): void {
    // It may have taken longer than the attempt was given.
    if (this.#connection.isOver) return;
    const { url, address, path } = target;
    Object.assign(this.#connection, { address, path });
    this.#host.url = url;
    try {
      this.transport.dial(target);
    } catch (thrown) {
      this.#notDialed(thrown);
    }
  }

  /** There is no socket that could report it. */
  #notDialed(thrown: unknown): void {
    this.#connection.record.noteSocketError(toError(thrown));
    this.#connection.send('socket.errored');
  }

  /** Its chart orders none of these: there is no upgrade request to answer. */
  upgrade(): void {}
  refuseUpgrade(): void {}
  refuseWithClose(): void {}

  opened(): void {
    this.#hasBeat = agreesOnBeat(this.transport.subprotocol);
    this.#connection.send('welcome.settled');
  }

  messageHeard(): void {}

  takesBeat(payload: Uint8Array, isBinary: boolean): boolean {
    const kind = this.#hasBeat ? beatKind(payload, isBinary) : null;
    if (kind === 'request') this.#answerBeat();
    return kind !== null;
  }

  /** Only a peer that has asked is ever asked: another may merely have echoed what it was offered. */
  #answerBeat(): void {
    this.transport.beatHeard();
    this.#host.peerWelcomes(this.#connection);
    this.#connection.startHeartbeat();
    this.outbox?.send(beatAnswer);
  }

  /** Nothing is collected: each message goes to its WebSocket at once. */
  flush(): void {}

  stopSending(): void {
    this.#outbox?.stop();
  }

  handshakeExpired(): void {
    this.#failureReason = 'late';
  }

  describeFailure(): FailureDescription {
    const { record, address, path } = this.#connection;
    const { socketError, answer, intent, handlerError } = record.evidence;
    return this.transport.describeFailure({
      error: socketError,
      answer,
      isAborted: intent === 'close',
      isLate: this.#failureReason === 'late',
      isTargetless: this.#failureReason === 'targetless',
      crash: handlerError,
      address,
      path,
    });
  }

  letGo(): void {
    this.#outbox = null;
    this.transport.release();
  }
}
