import type { ConnectionHost } from '../connection/connection-host.ts';
import { takenAway } from '../connection/ending-record.ts';
import { type ConnectionSide, ManagedConnection } from '../connection/managed-connection.ts';
import { Outbox, type OutboxRuntime } from '../connection/outbox.ts';
import { SocketEvents } from '../connection/socket-events.ts';
import { agreesOnBeat, beatAnswer, beatKind } from '../core/beat.ts';
import {
  type AnswerHeaders,
  describeFailure,
  type FailureDescription,
  type RefusalAnswer,
} from '../core/failure.ts';
import { messageFrame } from '../core/frame.ts';
import type { Deadline, DeadlineOwner } from '../core/timer-wheel.ts';
import type { WebSocketFace } from '../transport/node-transport.ts';
import { NodeTransport } from '../transport/node-transport.ts';
import { handshakeTimeoutAnswer, type Upgrade } from '../transport/upgrade.ts';
import { AppHeartbeat } from './app-heartbeat.ts';

/** An upgrade request and what is known of who made it. */
export interface UpgradeRequest extends Upgrade {
  readonly address: string;
  /** The path asked for, without its query. */
  readonly path: string;
  /** Further headers of the 101. */
  readonly answerHeaders?: AnswerHeaders | undefined;
  /** It is completed only to be closed: a subprotocol is named even where none is agreed on. */
  readonly isRefused?: boolean;
}

/** Who somebody is, as `authenticate` and `key` have said. */
export interface Grant {
  readonly peer: unknown;
  readonly key: string | undefined;
  /** Further headers of the 101. */
  readonly headers: AnswerHeaders | undefined;
}

/**
 * What came of an admitted upgrade request: a WebSocket, a refusal when ws found a fault, an error when
 * somebody else has upgraded the socket, `null` when the socket has died.
 */
export type UpgradeResult = WebSocketFace | RefusalAnswer | Error | null;

/** What an inbound connection needs of the supervisor it belongs to. */
export interface InboundHost extends ConnectionHost {
  readonly context: OutboxRuntime;
  /** Writes 101 and binds a WebSocket. */
  completeUpgrade(upgrade: UpgradeRequest): UpgradeResult;
}

const answer = messageFrame(beatAnswer);

/** A connection whose peer has come to us: admitted or refused, then upgraded. */
export type InboundConnection = ManagedConnection<Inbound>;

/** Takes over the socket of an upgrade request. What it sees from now on ends in exactly one report. */
export function inboundConnection(
  host: InboundHost,
  id: string,
  upgrade: UpgradeRequest,
): InboundConnection {
  const connection = new ManagedConnection(
    host,
    id,
    upgrade,
    (made: InboundConnection) => new Inbound(made, host, upgrade),
  );
  connection.side.begin(upgrade);
  return connection;
}

/** What accepting adds to a connection: its upgrade request, and what the supervisor knows of its peer. */
export class Inbound implements ConnectionSide, DeadlineOwner {
  readonly transport = new NodeTransport();
  readonly socketEvents: SocketEvents;
  /** What `authenticate` returned. */
  peer: unknown;
  key: string | undefined;
  /** The topics it is, or was, a member of; kept by the topics themselves. */
  topics: Set<string> | null = null;
  /** Publications that it did not get because its outbox was full. */
  dropped = 0;

  readonly #connection: InboundConnection;
  readonly #host: InboundHost;
  #upgrade: UpgradeRequest | null;
  #refusal: RefusalAnswer | undefined;
  #outbox: Outbox | null = null;
  #welcome: Deadline | null = null;
  /** Where the beat was agreed on. */
  #appHeartbeat: AppHeartbeat | null = null;

  constructor(connection: InboundConnection, host: InboundHost, upgrade: UpgradeRequest) {
    this.socketEvents = new SocketEvents(connection);
    this.#connection = connection;
    this.#host = host;
    this.#upgrade = upgrade;
  }

  begin({ socket }: UpgradeRequest): void {
    const connection = this.#connection;
    const isOurs = this.transport.watch(socket, this.socketEvents);
    connection.begin();
    if (connection.isOver) return;
    if (!isOurs) {
      connection.record.noteTaken(new Error('the socket is supervised already'));
      connection.send('admission.refused');
    }
    // Its own events may be over.
    else if (socket.closed) this.disown(takenAway());
  }

  /** Where messages for the peer go, while they can still leave; made for the first of them. */
  get outbox(): Outbox | null {
    const connection = this.#connection;
    if (!connection.isOpen || !(this.#outbox?.hasBatch || this.transport.isWritable)) return null;
    this.#outbox ??= new Outbox(this.transport.socket, connection, this.#host.context);
    return this.#outbox;
  }

  /** Whether the peer takes less than it is sent. */
  get isCongested(): boolean {
    return this.#outbox?.isCongested === true;
  }

  /** Holds messages back until {@link settleWelcome}, for `welcomeMs` at most. */
  awaitWelcome(): void {
    if (!this.#connection.isOpen) return;
    this.transport.pause();
    const { wheel, timeouts } = this.#host.context;
    this.#welcome = wheel.schedule(timeouts.welcomeMs, this, 'welcome');
  }

  settleWelcome(): void {
    this.#forgetWelcome();
    this.#connection.send('welcome.settled');
  }

  deadlinePassed(): void {
    this.#connection.end('welcome-timeout');
  }

  #forgetWelcome(): void {
    this.#welcome = this.#host.context.wheel.cancel(this.#welcome);
  }

  grant({ peer, key, headers }: Grant): void {
    this.peer = peer;
    this.key = key;
    if (this.#upgrade !== null && headers !== undefined) {
      this.#upgrade = { ...this.#upgrade, answerHeaders: headers };
    }
    this.#connection.send('admission.granted');
  }

  refuse(answer: RefusalAnswer): void {
    this.#refusal ??= answer;
    this.#connection.send(
      answer.closeFrame === undefined ? 'admission.refused' : 'admission.denied',
    );
  }

  /** The socket is somebody else's: it is left to them, unanswered and unharmed. */
  disown(error: Error): void {
    const { socket } = this.transport;
    const { timeouts, wheel } = this.#host.context;
    this.#connection.record.noteTaken(error);
    this.transport.release();
    this.#connection.send('admission.refused');
    if (socket.destroyed || socket.readableFlowing !== null) return;
    // A socket that nobody reads does not notice that its client has left.
    const destroyUnread = () => void (socket.readableFlowing === null && socket.destroy());
    wheel.schedule(timeouts.handshakeMs, { deadlinePassed: destroyUnread }, 'disown');
  }

  upgrade(): void {
    if (this.#upgrade !== null && this.#complete(this.#upgrade))
      this.#connection.send('socket.opened');
  }

  refuseWithClose(): void {
    const upgrade = this.#upgrade;
    const refusal = this.#refusal;
    if (upgrade === null || refusal?.closeFrame === undefined) return;
    // The upgrade itself may fail; then that failure is reported, and not this refusal.
    this.#refusal = undefined;
    const { socket } = this.transport;
    // In one packet: a client that sends at open then finds the close frame there already.
    socket.cork();
    const isUpgraded = this.#complete({ ...upgrade, isRefused: true });
    if (isUpgraded && this.transport.sendClose(refusal.closeFrame) !== null)
      this.#refusal = refusal;
    socket.uncork();
  }

  /** Writes the 101 and binds the WebSocket, or says why not. Returns whether it did. */
  #complete(upgrade: UpgradeRequest): boolean {
    if (this.transport.isTakenAway()) {
      this.disown(takenAway());
      return false;
    }
    const result = this.#host.completeUpgrade(upgrade);
    // The socket was destroyed a moment ago; its own events are still to come, and say by whom.
    if (result === null) return false;
    if (result instanceof Error) this.disown(result);
    else if ('cause' in result) this.refuse(result);
    else {
      this.transport.bind(result, this.socketEvents, this.#host.context.reads);
      return true;
    }
    return false;
  }

  /** Behind a 101 no HTTP answer can be given any more. */
  refuseUpgrade(): void {
    if (this.#refusal === undefined || this.transport.isBound) return;
    this.transport.refuse(this.#refusal, this.#host.context.wheel);
  }

  /** Its chart does not order it: the peer has dialed. */
  dial(): void {}

  opened(): void {
    this.#upgrade = null;
    if (agreesOnBeat(this.transport.subprotocol))
      this.#appHeartbeat = new AppHeartbeat(this.#connection, this.#host.context);
  }

  messageHeard(): void {
    if (this.#connection.isOpen) this.#appHeartbeat?.heard();
  }

  takesBeat(payload: Uint8Array, isBinary: boolean): boolean {
    const kind = this.#appHeartbeat === null ? null : beatKind(payload, isBinary);
    if (kind === 'request') this.outbox?.send(answer);
    return kind !== null;
  }

  flush(): void {
    this.outbox?.flush();
  }

  stopSending(): void {
    this.#forgetWelcome();
    this.#appHeartbeat?.stop();
    this.#outbox?.stop();
  }

  handshakeExpired(): void {
    this.#refusal ??= handshakeTimeoutAnswer;
  }

  describeFailure(): FailureDescription {
    const { address, path, record } = this.#connection;
    const { socketError, taken, handlerError: crash } = record.evidence;
    return describeFailure({ refusal: this.#refusal, socketError, taken, crash, address, path });
  }

  letGo(): void {
    this.#upgrade = null;
    this.#outbox = null;
    this.#appHeartbeat = null;
    this.transport.release();
  }
}
