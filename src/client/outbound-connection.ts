import type { ConnectionCore, ConnectionSide } from '../connection/connection-core.ts';
import type { ConnectionHost } from '../connection/connection-host.ts';
import { ManagedConnection } from '../connection/managed-connection.ts';
import { beatAnswer, beatKind } from '../core/beat.ts';
import type { SendResult } from '../core/connection.ts';
import { toError } from '../core/errors.ts';
import type { FailureDescription } from '../core/failure.ts';
import { isThenable } from '../core/guard.ts';
import { isHeading, takeHeading } from '../core/heading.ts';
import { agreesOnMooring } from '../core/subprotocol.ts';
import type { OutboundTransport } from '../transport/transport.ts';
import { outboundWords } from './outbound-headings.ts';
import { OutboundOutbox, type OutboxHost } from './outbound-outbox.ts';
import type { PeerWatch } from './peer-watch.ts';
import type { Positions, Waypoint } from './positions.ts';
import type { Destination, Route } from './reconnect/route.ts';

/** What a dialed connection needs of its dialer. */
export interface OutboundHost extends ConnectionHost, OutboxHost {
  /** Chooses where this attempt goes. */
  readonly route: Route;
  /** The URL that was dialed last. */
  url: string;
  makeTransport(connection: ConnectionCore): OutboundTransport;
  /** The peer has asked for a beat, so it has admitted this side. */
  peerWelcomes(connection: OutboundConnection): void;
  /** Whether `onOpen` has not settled. */
  readonly isWelcoming: boolean;
  /** Delivers a request when `onOpen` has settled. */
  hold(connection: OutboundConnection, deliver: () => unknown): void;
  /** Where this side is in durable topics. */
  readonly positions: Positions;
  /** The peer has told where this side is in a durable topic. */
  passed(connection: OutboundConnection, waypoint: Waypoint): void;
  /** The peer is about to close the connection, and another process takes its place. */
  sentOn(): void;
  /** The messages that were held back may be delivered. */
  readingResumed(connection: OutboundConnection): void;
  /** Makes the watch of the peer of a connection that has opened; `null` if no option asks for it. */
  watchPeer(connection: OutboundConnection): PeerWatch | null;
}

/** A dialed connection: one attempt, and the connection that it opens. */
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
  connection.chart.send('dial.requested');
  return connection;
}

const unsettled = 'a function for the URL, headers, subprotocols or connect did not settle';

/** The dialing side of a connection: its target and its outbox. */
export class Outbound implements ConnectionSide {
  readonly transport: OutboundTransport;

  readonly #connection: OutboundConnection;
  readonly #host: OutboundHost;
  #outbox: OutboundOutbox | null = null;
  #isMooring = false;
  #isGreeted = false;
  /** The headings that have yet to tell the peer where this side was; `null` before the first beat. */
  #untold: string[] | null = null;
  /** Whether the peer waits for the answer to a beat. */
  #owesAnswer = false;
  /** Where this side is when it has the next message. */
  #ahead: Waypoint | null = null;
  #watch: PeerWatch | null = null;
  /** Whether the destination is known. */
  #isRouted = false;
  /** Why the connection did not open, if the reason is not in the record. */
  #failureReason: 'late' | 'target-error' | null = null;

  constructor(connection: OutboundConnection, host: OutboundHost) {
    this.#connection = connection;
    this.#host = host;
    this.transport = host.makeTransport(connection);
  }

  /** The outbox, made for the first message; `null` when messages cannot leave any more. */
  get outbox(): OutboundOutbox | null {
    if (!this.#connection.isOpen) return null;
    this.#outbox ??= new OutboundOutbox(this.transport, this.#connection, this.#host);
    return this.#outbox;
  }

  /** Gives up the attempt. Returns whether it had not opened yet. */
  abort(): boolean {
    if (this.#connection.state !== 'handshaking') return false;
    this.#connection.record.noteIntent('close');
    this.#connection.chart.send('close.requested');
    return true;
  }

  /** Asks for a sign of life at once. */
  probe(): void {
    if (this.#connection.isOpen) this.#connection.heartbeat?.probe();
    // The ping may have failed.
    if (this.#connection.isOpen) this.#watch?.probe();
  }

  /** Finds the target in a notification, because functions of the application may provide it. */
  dial(): void {
    this.#host.charts.notifications.add(() => this.#findTarget());
  }

  #findTarget(): void {
    if (this.#connection.isOver) return;
    const fail = (thrown: unknown) => {
      this.#failureReason = 'target-error';
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
    // The route may have taken longer than the attempt lasted.
    if (this.#connection.isOver) return;
    this.#isRouted = true;
    const { url, address, path } = target;
    Object.assign(this.#connection, { address, path });
    this.#host.url = url;
    try {
      this.transport.dial(target);
    } catch (thrown) {
      this.#notDialed(thrown);
    }
  }

  /** Reports the failure itself, because there is no socket that could. */
  #notDialed(thrown: unknown): void {
    this.#connection.record.noteSocketError(toError(thrown));
    this.#connection.chart.send('socket.errored');
  }

  /** Never ordered, or without effect: there is no upgrade request to answer. */
  upgrade(): void {}
  refuseUpgrade(): void {}
  refuseWithClose(): void {}

  opened(): void {
    this.#isMooring = agreesOnMooring(this.transport.subprotocol);
    this.#watch = this.#host.watchPeer(this.#connection);
    this.#connection.chart.send('welcome.settled');
  }

  /** `onOpen` has settled. */
  welcomed(): void {
    this.#watch?.begin();
  }

  readingResumed(): void {
    this.#host.readingResumed(this.#connection);
  }

  messageHeard(): void {
    this.#watch?.heard();
  }

  takeOwn(payload: Uint8Array, isBinary: boolean): boolean {
    if (this.#isMooring && this.#takeMooring(payload, isBinary)) return true;
    // No request and no answer is a heartbeat, whatever it looks like.
    if (this.#connection.exchangeMade?.isAnnounced) {
      this.#watch?.requestHeard();
      return false;
    }
    if (this.#watch?.handleHeartbeat(payload, isBinary) !== true) return false;
    // Its receipt, if it is to have one.
    this.#connection.exchangeMade?.take();
    return true;
  }

  #takeMooring(payload: Uint8Array, isBinary: boolean): boolean {
    const kind = beatKind(payload, isBinary);
    if (kind === 'request') this.#answerBeat();
    if (kind !== null) return true;
    if (!isHeading(payload, isBinary)) return false;
    takeHeading(outboundWords, this.#connection, payload);
    return true;
  }

  /**
   * Asks for beats only after the peer has asked, because a foreign peer may only have echoed the offered subprotocol.
   */
  #answerBeat(): void {
    this.transport.beatHeard();
    if (!this.#isGreeted) this.#greeted();
    this.#host.peerWelcomes(this.#connection);
    this.#connection.startHeartbeat();
    this.#owesAnswer = true;
    this.#answer();
  }

  /** There is room again for an answer that the outbox has refused: the peer asks only once while it hears other messages. */
  flows(): void {
    if (this.#owesAnswer) this.#answer();
  }

  /** Without its positions, it gives no answer: the peer would take it for a new member. */
  #answer(): void {
    this.#untold ??= [...this.#host.positions.headings];
    for (const heading of [...this.#untold]) {
      if (this.#isRefused(heading)) return;
      this.#untold.shift();
    }
    this.#owesAnswer = this.#isRefused(beatAnswer);
  }

  #isRefused(payload: string): boolean {
    return this.outbox?.send(payload) === 'refused';
  }

  /** Before `peerWelcomes`, which lets queued messages leave: what is sent in `onOpen` comes first. */
  #greeted(): void {
    this.#isGreeted = true;
    this.#connection.exchange?.flush();
  }

  get isMooring(): boolean {
    return this.#isMooring;
  }

  get isGreeted(): boolean {
    return this.#isGreeted;
  }

  write(heading: string, payload?: string | Uint8Array): SendResult {
    if (!this.#isGreeted) return 'refused';
    return this.outbox?.sendHeaded(heading, payload) ?? 'refused';
  }

  /** Always `false`: the dialer holds them back when it has read them. */
  get holdsMessages(): boolean {
    return false;
  }

  get holdsRequests(): boolean {
    return this.#host.isWelcoming;
  }

  hold(deliver: () => unknown): void {
    this.#host.hold(this.#connection, deliver);
  }

  /** Nothing to do: a client reads while `onOpen` runs. */
  answersAwaited(): void {}

  // What a server tells about durable topics.

  passed(waypoint: Waypoint): void {
    this.#ahead = null;
    this.#host.passed(this.#connection, waypoint);
  }

  approaches(waypoint: Waypoint | null): void {
    this.#ahead = waypoint;
  }

  /** The message that just arrived takes this side there; `null` if it is not kept. */
  takeAhead(): Waypoint | null {
    const ahead = this.#ahead;
    this.#ahead = null;
    return ahead;
  }

  sentOn(): void {
    this.#host.sentOn();
  }

  /** Nothing to do: each message goes to the WebSocket at once. */
  flush(): void {}

  stopSending(): void {
    this.#watch?.stop();
    this.#outbox?.stop();
  }

  endSending(): void {
    this.#outbox?.end();
  }

  handshakeExpired(): void {
    this.#failureReason = 'late';
    if (!this.#isRouted) this.#connection.record.noteSocketError(new Error(unsettled));
  }

  describeFailure(): FailureDescription {
    const { record, address, path } = this.#connection;
    const { socketError, intent, handlerError } = record.evidence;
    return this.transport.describeFailure({
      error: socketError,
      isAborted: intent === 'close',
      isLate: this.#failureReason === 'late',
      isTargetError: this.#failureReason === 'target-error',
      crash: handlerError,
      address,
      path,
    });
  }

  letGo(): void {
    this.#outbox = null;
    this.#watch = null;
    this.transport.release();
  }
}
