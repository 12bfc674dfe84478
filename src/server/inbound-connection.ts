import type { ConnectionHost } from '../connection/connection-host.ts';
import { takenAway } from '../connection/ending-record.ts';
import { ManagedConnection } from '../connection/managed-connection.ts';
import { Outbox, type OutboxRuntime, type WrittenSide, writeChunks } from '../connection/outbox.ts';
import { SocketEvents } from '../connection/socket-events.ts';
import type { FrameBatch } from '../connection/write-batcher.ts';
import { beatAnswer, beatKind } from '../core/beat.ts';
import type { SendResult } from '../core/connection.ts';
import {
  type AnswerHeaders,
  describeFailure,
  type FailureDescription,
  type RefusalAnswer,
} from '../core/failure.ts';
import { messageFrame } from '../core/frame.ts';
import { headingText, isHeading, takeHeading } from '../core/heading.ts';
import { HELD_MESSAGE_BYTES } from '../core/limits.ts';
import { agreesOnMooring } from '../core/subprotocol.ts';
import type { Deadline, DeadlineOwner } from '../core/timer-wheel.ts';
import { NodeTransport, type WebSocketFace } from '../transport/node-transport.ts';
import { handshakeTimeoutAnswer, type Upgrade } from '../transport/upgrade.ts';
import { AppHeartbeat } from './app-heartbeat.ts';
import type { DurableTopics } from './durable/durable-topics.ts';
import type { Positions } from './durable/positions.ts';
import { inboundWords } from './inbound-headings.ts';

/** An upgrade request, and what is known about its client. */
export interface UpgradeRequest extends Upgrade {
  readonly address: string;
  /** The path of the request, without its query. */
  readonly path: string;
  /** Additional headers of the 101. */
  readonly answerHeaders?: AnswerHeaders | undefined;
  /** The upgrade is completed only to be closed. A subprotocol is then named even if none is agreed on. */
  readonly isRefused?: boolean;
}

/** What `authenticate` and `key` have returned. */
export interface Grant {
  readonly peer: unknown;
  readonly key: string | undefined;
  /** Additional headers of the 101. */
  readonly headers: AnswerHeaders | undefined;
}

/**
 * The result of an admitted upgrade request: usually a WebSocket. It is a refusal if ws found a fault, an error if another
 * part of the process has upgraded the socket, and `null` if the socket is gone.
 */
export type UpgradeResult = WebSocketFace | RefusalAnswer | Error | null;

/** The frames that members of audiences share until the end of the turn. */
export interface Sharing {
  /** Moves the frames that a connection shares with others into its outbox. */
  claim(connection: InboundConnection): void;
  /** Claims its frames and gives it further publications one by one, until nothing of its own waits. */
  setApart(connection: InboundConnection): void;
  /** Bytes of the frames that a connection shares with others. */
  sharedBytesOf(connection: InboundConnection): number;
  /** The connection has left all its audiences. */
  forget(connection: InboundConnection): void;
}

/** What an inbound connection needs from its supervisor. */
export interface InboundHost extends ConnectionHost {
  readonly context: OutboxRuntime;
  readonly sharing: Sharing;
  /** `null` without durable topics. */
  readonly durable: DurableTopics | null;
  /** Writes 101 and binds a WebSocket. */
  completeUpgrade(upgrade: UpgradeRequest): UpgradeResult;
}

const answer = messageFrame(beatAnswer);
const goFrame = messageFrame(headingText('go'));

/** A connection that the supervisor accepts, from the upgrade request on. */
export type InboundConnection = ManagedConnection<Inbound>;

/** Takes over the socket of an upgrade request. This leads to exactly one report. */
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

/** Messages that are held back. */
interface Held {
  readonly messages: { readonly deliver: () => unknown; readonly bytes: number }[];
  /** What all of them cost, delivered or not. */
  bytes: number;
}

/** The accepting side of a connection: its upgrade request, its peer and its outbox. */
export class Inbound implements WrittenSide, DeadlineOwner {
  readonly transport = new NodeTransport();
  readonly socketEvents: SocketEvents;
  /** What `authenticate` returned. */
  peer: unknown;
  key: string | undefined;
  /** The topics that it is, or was, a member of. `Topics` maintains it. */
  topics: Set<string> | null = null;
  /** Where the peer was in durable topics. `DurableTopics` maintains it. */
  positions: Positions | null = null;
  /** Topics that it has left and was not told of yet. */
  untoldOffs: Set<string> | null = null;
  /** Publications that it missed because its outbox was above the high mark or its socket was gone. */
  dropped = 0;

  readonly #connection: InboundConnection;
  readonly #host: InboundHost;
  #upgrade: UpgradeRequest | null;
  #refusal: RefusalAnswer | undefined;
  #outbox: Outbox | null = null;
  #welcome: Deadline | null = null;
  /** Made when `onOpen` waits for an answer of the peer, and other messages come first. */
  #held: Held | null = null;
  /** Only between two Mooring peers. */
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
      connection.record.noteTaken(new Error('the socket is already supervised'));
      connection.chart.send('admission.refused');
    }
    // The socket may have emitted its last event already.
    else if (socket.closed) this.disown(takenAway());
  }

  /**
   * The outbox, made for the first message of its own; `null` if messages can no longer leave. Frames that it shares
   * with others are in it, so that the next one leaves after them.
   */
  get outbox(): Outbox | null {
    this.#host.sharing.claim(this.#connection);
    return this.#openOutbox();
  }

  #openOutbox(): Outbox | null {
    const connection = this.#connection;
    if (!connection.isOpen || !(this.#outbox?.hasBatch || this.transport.isWritable)) return null;
    this.#outbox ??= new Outbox(this.transport.socket, connection, this.#host.context);
    return this.#outbox;
  }

  /** Takes over frames that it has shared with others. */
  adopt(batch: FrameBatch): void {
    this.#openOutbox()?.adopt(batch);
  }

  /** Whether the peer is a Mooring client, which gets headings. */
  get isMooring(): boolean {
    return this.#appHeartbeat !== null;
  }

  /** Tells a Mooring client that another process takes its place. */
  sendOn(): void {
    if (this.isMooring) this.outbox?.publish(goFrame);
  }

  ownFramesWait(): void {
    this.#host.sharing.setApart(this.#connection);
  }

  spaceFound(): void {
    this.#host.durable?.flows(this.#connection);
  }

  /** Whether nothing of its own waits, and it can be written to. */
  get isIdle(): boolean {
    const { transport } = this;
    return this.#outbox?.isIdle !== false && transport.bufferedBytes === 0 && transport.isWritable;
  }

  /**
   * Writes frames that it shares with others, at most as many bytes as the high mark. Nothing of its own waits.
   *
   * @returns whether all have left. If the socket is gone, they are lost, as all that it has accepted.
   */
  writeShared({ chunks, bytes }: FrameBatch): boolean {
    const { transport } = this;
    if (!this.#connection.isOpen || !transport.isWritable) return false;
    transport.noteWritten(bytes);
    const error = writeChunks(transport.socket, chunks);
    if (error !== null) this.socketEvents.sendErrored(error);
    return transport.bufferedBytes === 0;
  }

  /** Drops the kept frames of a topic that it has left. */
  forgetTopic(name: string): void {
    this.#outbox?.forget(name);
  }

  /** Bytes that wait for the end of the turn, or until the socket has drained. */
  get pendingBytes(): number {
    return (this.#outbox?.pendingBytes ?? 0) + this.#host.sharing.sharedBytesOf(this.#connection);
  }

  /** Whether the outbox is above its high mark. */
  get isCongested(): boolean {
    return this.#outbox?.isCongested === true;
  }

  /**
   * Holds back messages until {@link settleWelcome}, for `welcomeMs` at most. They are not even read, unless `onOpen` waits for an
   * answer of the peer.
   */
  awaitWelcome(): void {
    if (!this.#connection.isOpen) return;
    if (!this.#awaitsAnswers) this.transport.pause();
    const { wheel, timeouts } = this.#host.context;
    this.#welcome = wheel.schedule(timeouts.welcomeMs, this, 'welcome');
  }

  settleWelcome(): void {
    this.#forgetWelcome();
    this.#connection.chart.send('welcome.settled');
    if (this.#held === null) return;
    this.#connection.intake.resume('handlers');
    this.readingResumed();
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
    this.#connection.chart.send('admission.granted');
  }

  refuse(answer: RefusalAnswer): void {
    this.#refusal ??= answer;
    this.#connection.chart.send(
      answer.closeFrame === undefined ? 'admission.refused' : 'admission.denied',
    );
  }

  /** Leaves a socket alone that another part of the process uses, without an answer. */
  disown(error: Error): void {
    const { socket } = this.transport;
    const { timeouts, wheel } = this.#host.context;
    this.#connection.record.noteTaken(error);
    this.transport.release();
    this.#connection.chart.send('admission.refused');
    if (socket.destroyed || socket.readableFlowing !== null) return;
    // If no code reads the socket, it never closes when its client leaves, so it is destroyed after a while.
    const destroyUnread = () => void (socket.readableFlowing === null && socket.destroy());
    wheel.schedule(timeouts.handshakeMs, { deadlinePassed: destroyUnread }, 'disown');
  }

  upgrade(): void {
    if (this.#upgrade !== null && this.#complete(this.#upgrade))
      this.#connection.chart.send('socket.opened');
  }

  refuseWithClose(): void {
    const upgrade = this.#upgrade;
    const refusal = this.#refusal;
    if (upgrade === null || refusal?.closeFrame === undefined) return;
    // If the upgrade itself fails, that failure is reported instead of this refusal.
    this.#refusal = undefined;
    const { socket } = this.transport;
    // In one packet, so that a client that sends as soon as it opens has received the close frame already.
    socket.cork();
    const isUpgraded = this.#complete({ ...upgrade, isRefused: true });
    if (isUpgraded && this.transport.sendClose(refusal.closeFrame) !== null)
      this.#refusal = refusal;
    socket.uncork();
  }

  /** Writes the 101 and binds the WebSocket. Returns `false` if that failed. */
  #complete(upgrade: UpgradeRequest): boolean {
    if (this.transport.isTakenAway()) {
      this.disown(takenAway());
      return false;
    }
    const result = this.#host.completeUpgrade(upgrade);
    // The socket has just been destroyed. The events that follow show the cause.
    if (result === null) return false;
    if (result instanceof Error) this.disown(result);
    else if ('cause' in result) this.refuse(result);
    else {
      this.transport.bind(result, this.socketEvents, this.#host.context.reads);
      return true;
    }
    return false;
  }

  /** Does nothing after a 101, because no HTTP answer can follow it. */
  refuseUpgrade(): void {
    if (this.#refusal === undefined || this.transport.isBound) return;
    this.transport.refuse(this.#refusal, this.#host.context.wheel);
  }

  /** Never ordered: the peer has dialed. */
  dial(): void {}

  opened(): void {
    this.#upgrade = null;
    if (!agreesOnMooring(this.transport.subprotocol)) return;
    this.#appHeartbeat = new AppHeartbeat(this.#connection, this.#host.context);
    this.#host.durable?.opened(this.#connection);
    this.#appHeartbeat.ask();
  }

  messageHeard(): void {
    if (this.#connection.isOpen) this.#appHeartbeat?.heard();
  }

  takeOwn(payload: Uint8Array, isBinary: boolean): boolean {
    if (this.#appHeartbeat === null) return false;
    const kind = beatKind(payload, isBinary);
    if (kind === 'request') this.outbox?.send(answer);
    if (kind === 'answer') this.#host.durable?.beatAnswered(this.#connection);
    if (kind !== null) return true;
    if (!isHeading(payload, isBinary)) return false;
    takeHeading(inboundWords, this.#connection, payload);
    return true;
  }

  get isGreeted(): boolean {
    return this.isMooring;
  }

  write(heading: string, payload?: string | Uint8Array): SendResult {
    const frame = messageFrame(heading);
    const whole = payload === undefined ? frame : Buffer.concat([frame, messageFrame(payload)]);
    return this.outbox?.send(whole) ?? 'refused';
  }

  get holdsMessages(): boolean {
    return this.#welcome !== null;
  }

  get holdsRequests(): boolean {
    return this.#welcome !== null;
  }

  /** If too much is held back, reading pauses until `onOpen` settles, even if that keeps it from its answer. */
  hold(deliver: () => unknown, bytes: number): void {
    this.#held ??= { messages: [], bytes: 0 };
    this.#held.messages.push({ deliver, bytes });
    this.#held.bytes += bytes + HELD_MESSAGE_BYTES;
    if (this.#held.bytes >= this.#host.context.limits.inFlightBytesMax)
      this.#connection.intake.pause('handlers');
  }

  get #awaitsAnswers(): boolean {
    return this.#connection.exchangeMade?.awaitsAnswers === true;
  }

  answersAwaited(): void {
    if (this.#welcome === null || this.#connection.intake.isPaused) return;
    if (this.#awaitsAnswers) this.transport.resume();
    else this.transport.pause();
  }

  /** Delivers the messages that were held back, until something pauses reading. */
  readingResumed(): void {
    if (this.#welcome !== null) {
      this.answersAwaited();
      return;
    }
    const { intake } = this.#connection;
    while (this.#held !== null && this.#connection.isOpen && !intake.isPaused) {
      const next = this.#held.messages.shift();
      if (next === undefined) this.#held = null;
      else intake.track(next.deliver(), next.bytes);
    }
  }

  /** The peer has told where it was in durable topics. */
  positionsTold(positions: unknown): void {
    this.#host.durable?.positionsTold(this.#connection, positions);
  }

  flush(): void {
    this.outbox?.flush();
  }

  stopSending(): void {
    this.#forgetWelcome();
    this.#appHeartbeat?.stop();
    this.#host.sharing.claim(this.#connection);
    this.#outbox?.stop();
  }

  /** Does nothing: the callbacks of its writes report each result. */
  endSending(): void {}

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
    this.#held = null;
    this.#appHeartbeat = null;
    this.transport.release();
  }
}
