import type { IncomingMessage } from 'node:http';
import type { ChartSystem } from '../chart/chart-system.ts';
import type { HostedActor } from '../chart/hosted-actor.ts';
import type { ConnectionReport } from '../connection/connection-host.ts';
import type { OutboxRuntime } from '../connection/outbox.ts';
import { sharedRuntime } from '../connection/shared-runtime.ts';
import { WriteBatcher } from '../connection/write-batcher.ts';
import { checkedCloseFrame } from '../core/close-code.ts';
import type {
  Connection,
  ConnectionState,
  DialedConnection,
  RenewOptions,
} from '../core/connection.ts';
import { Contract, faultMessage } from '../core/contract.ts';
import type { InvalidMessage, SupervisorEvent, UntimedEvent } from '../core/events.ts';
import { describeFailure, type Failure } from '../core/failure.ts';
import { type Frame, messageFrame } from '../core/frame.ts';
import type { HandlerName } from '../core/guard.ts';
import { Stream } from '../core/stream.ts';
import { Unheard, type WaysToHear } from '../core/warnings.ts';
import { Reads } from '../transport/reads.ts';
import type { Upgrade } from '../transport/upgrade.ts';
import type { AcceptorSide } from './acceptor.ts';
import { Admission, type AdmissionState, type Paths, requestPath } from './admission.ts';
import { checkRenewal } from './admitted.ts';
import { filterOf } from './audience.ts';
import { Authentication } from './authentication.ts';
import { deliveryOf, fanOut, type PolicyOf, type Publication, publicationOf } from './fan-out.ts';
import { Handlers, type HandlersObserver, type Release } from './handlers.ts';
import {
  type InboundConnection,
  type InboundHost,
  inboundConnection,
  type UpgradeRequest,
  type UpgradeResult,
} from './inbound-connection.ts';
import { InboundHandle, type InboundHandleHost } from './inbound-handle.ts';
import { Leases } from './leases.ts';
import type { ResolvedOptions } from './options.ts';
import { Registry } from './registry.ts';
import { describeReport } from './report.ts';
import type { AudienceOptions } from './supervisor-types.ts';
import type { Delivery } from './topic.ts';
import { type TopicEvent, Topics, type TopicsObserver } from './topics.ts';
import type { Upgrader } from './upgrader.ts';

/** What a fleet tells its supervisor. */
export interface FleetObserver {
  /** A connection or a handler has come to its end; perhaps it was the last one. */
  fleetShrank(): void;
  /** An order of the chart of a connection threw. */
  connectionCrashed(error: Error): void;
}

/** What a fleet is made of. */
export interface FleetParts<Peer, In, Out, Sent> {
  readonly options: ResolvedOptions<Peer, In, Out, Sent>;
  /** The parent of every connection's actor. */
  readonly actor: HostedActor;
  readonly charts: ChartSystem;
  readonly upgrader: Upgrader;
  readonly observer: FleetObserver;
}

/** Every connection of one supervisor, with all that they share. */
export class Fleet<Peer, In, Out, Sent>
  implements
    AcceptorSide,
    InboundHost,
    InboundHandleHost<In, Out>,
    HandlersObserver<Connection<Peer, In, Out>>,
    TopicsObserver
{
  readonly context: OutboxRuntime;
  readonly charts: ChartSystem;
  readonly actor: HostedActor;
  readonly registry: Registry;
  readonly topics: Topics;
  readonly contract: Contract<In, Out, Sent>;
  readonly handlers: Handlers<Peer, In, Out>;
  readonly events: Stream<SupervisorEvent<Connection<Peer, In, Out> | DialedConnection>>;
  readonly unheard = new Unheard(waysToHear);

  readonly #options: ResolvedOptions<Peer, In, Out, Sent>;
  readonly #observer: FleetObserver;
  readonly leases: Leases;
  readonly #admission: Admission;
  readonly #authentication: Authentication<Peer>;
  readonly #upgrader: Upgrader;
  #lastId = 0;

  constructor({ options, actor, charts, upgrader, observer }: FleetParts<Peer, In, Out, Sent>) {
    this.#options = options;
    this.#observer = observer;
    this.#upgrader = upgrader;
    this.actor = actor;
    this.charts = charts;
    this.registry = new Registry(options.admission.ipv6PrefixBits);
    const shared = sharedRuntime(options);
    this.context = {
      ...shared,
      writeBatcher: new WriteBatcher(options.clock),
      reads: new Reads(shared, options.admission.unfinishedBytesMax),
    };
    this.topics = new Topics(options.limits.topicsMax, this.charts.notifications, this);
    this.contract = new Contract(options.codec, options.messages, options.sends);
    this.leases = new Leases(this.context.wheel);
    this.handlers = new Handlers(options, this, this.context.wheel);
    this.events = new Stream((error) => this.handlers.errored('events$', error, undefined));
    const { registry, handlers } = this;
    const errored = (handler: HandlerName, error: Error) =>
      handlers.errored(handler, error, undefined);
    this.#admission = new Admission(options, { registry, errored }, options.clock.now());
    this.#authentication = new Authentication(options, this);
  }

  /** Takes over one upgrade request. Whatever happens from here on ends in exactly one report. */
  accept(upgrade: Upgrade, paths: Paths, state: AdmissionState): void {
    const { request } = upgrade;
    const address = this.#admission.addressOf(request, upgrade.socket);
    const path = requestPath(request);
    const connection = inboundConnection(this, this.#nextId(), { ...upgrade, address, path });
    if (connection.isOver) return;
    const refusal =
      this.#admission.judge({ request, path, paths, state }) ??
      this.#admission.judgeLoad(address, upgrade.socket, this.context.clock.now());
    if (refusal === null) this.#authentication.begin(connection, request);
    else connection.side.refuse(refusal);
  }

  notUpgraded(request: IncomingMessage, httpStatus: number | undefined): void {
    const description = describeFailure({
      refusal: { cause: 'not-upgraded', status: httpStatus ?? 426, body: '' },
      isAnsweredByOthers: httpStatus === undefined,
      address: this.#admission.addressOf(request, request.socket),
      path: requestPath(request),
    });
    const failure = { ...description, trail: [] };
    this.registry.counts.failed += 1;
    this.emit({ type: 'connection.failed', id: this.#nextId(), failure });
    this.#failed(failure);
  }

  attachErrored(handler: 'path' | 'otherwise', error: Error): void {
    this.handlers.errored(handler, error, undefined);
  }

  #nextId(): string {
    this.#lastId += 1;
    return `c${this.#lastId.toString(36)}`;
  }

  /** Tells news, if anybody listens. */
  emit(event: UntimedEvent<Connection<Peer, In, Out> | DialedConnection> | undefined): void {
    if (event === undefined || !this.events.observed) return;
    this.events.next({ ...event, at: this.context.clock.wallNow() });
  }

  /**
   * Sends one message to every open connection.
   *
   * @throws MooringError when the message or an option is wrong.
   */
  broadcast(message: Out, audience: AudienceOptions<Connection<Peer, In, Out>>): Delivery {
    const publication = this.publication(message, audience);
    fanOut(publication, this.registry, this.charts.notifications);
    return deliveryOf(publication);
  }

  /** @throws MooringError when the message or an option is wrong. */
  publication(
    message: Out,
    audience: AudienceOptions<Connection<Peer, In, Out>>,
    policyOf?: PolicyOf<Sent>,
  ): Publication {
    const accepts = filterOf(audience, this.handlers);
    return publicationOf(this.contract, message, { accepts, policyOf });
  }

  // What a connection needs.

  completeUpgrade(upgrade: UpgradeRequest): UpgradeResult {
    return this.#upgrader.complete(upgrade);
  }

  connectionMoved(
    connection: InboundConnection,
    from: ConnectionState | null,
    to: ConnectionState,
  ): void {
    this.registry.moved(connection, from, to);
  }

  connectionOpened(connection: InboundConnection): void {
    connection.handle = new InboundHandle<Peer, In, Out>(connection, this);
    this.registry.enter(connection);
  }

  connectionQuarantined(connection: InboundConnection): void {
    this.registry.leave(connection);
    this.topics.leaveAll(connection);
  }

  connectionCrashed(error: Error): void {
    this.#observer.connectionCrashed(error);
  }

  randomErrored(error: Error): void {
    this.charts.notifications.add(() => this.handlers.errored('random', error, undefined));
  }

  connectionReported(connection: InboundConnection, report: ConnectionReport): void {
    if (this.events.observed)
      this.emit(describeReport(report, connection, this.handlers.handleOf(connection)));
    this.#runHandler(connection, report);
    // It has left its topics before it could be told.
    this.topics.emitEvents();
    if (report === 'closed' || report === 'failed') this.#observer.fleetShrank();
  }

  #runHandler(connection: InboundConnection, report: ConnectionReport): void {
    const { verdict, failure } = connection;
    if (report === 'opened') this.handlers.opened(connection);
    else if (report === 'closed' && verdict) {
      this.handlers.closed(connection, verdict, this.leases.end(connection));
    } else if (report === 'failed' && failure) {
      this.#authentication.abort(connection);
      this.#failed(failure, this.leases.end(connection));
    } else if (report === 'closing' && connection.record.isStartedByPeer) {
      const { code, reason } = connection.record.closing;
      this.handlers.closing(connection, code, reason);
    }
  }

  /** The chart of a connection threw. */
  crashed(error: Error): void {
    this.emit({ type: 'connection.crashed', error });
    if (!this.events.observed) this.unheard.crash(error);
  }

  #failed(failure: Failure, release?: Release): void {
    this.handlers.failed(failure, release);
    const isHeard = this.events.observed || this.#options.onFailed !== undefined;
    if (!isHeard) this.unheard.failure(failure);
  }

  messageInvalid(connection: InboundConnection, fault: InvalidMessage): void {
    this.emit({ type: 'message.invalid', connection: this.handlers.handleOf(connection), fault });
    const policy = this.#options.invalidMessages;
    // Where the first one closes, there is nothing to count.
    if (policy !== 'close' && !connection.intake.countInvalid()) return;
    if (policy === 'ignore' || (policy === 'reply' && this.#replied(connection, fault))) return;
    const { closeCode, path, problem } = fault;
    connection.close('invalid-message', checkedCloseFrame(closeCode, path || problem));
  }

  /** Tells the peer what was wrong; `false` when the codec has no way to say it. */
  #replied(connection: InboundConnection, fault: InvalidMessage): boolean {
    try {
      connection.side.outbox?.send(messageFrame(this.contract.encode(faultMessage(fault))));
      return true;
    } catch {
      return false;
    }
  }

  // What a public handle needs.

  frame(message: Out): Frame {
    return messageFrame(this.contract.payload(message));
  }

  join(connection: InboundConnection, topic: string): boolean {
    const isMember = this.topics.join(connection, topic);
    // One that is refused may come from a subscriber who hears just now why.
    if (isMember) this.topics.emitEvents();
    return isMember;
  }

  leave(connection: InboundConnection, topic: string): boolean {
    const hasLeft = this.topics.leave(connection, topic);
    if (hasLeft) this.topics.emitEvents();
    return hasLeft;
  }

  /** A `key` that throws leaves peer and key as they were, and is an error of this connection. */
  renew(connection: InboundConnection, peer: unknown, options: RenewOptions): boolean {
    checkRenewal(options);
    if (!connection.isOpen) return false;
    const named = this.handlers.run('key', connection, () => ({
      key: this.#authentication.keyOf(peer as Peer),
    }));
    if (named === undefined || !connection.isOpen) return false;
    connection.side.peer = peer;
    this.registry.rename(connection, named.key);
    this.leases.renew(connection, options.expiresInMs);
    return true;
  }

  actorErrored(error: Error): void {
    this.handlers.errored('actor', error, undefined);
  }

  messageStream(connection: InboundConnection): Stream<In> {
    return new Stream((error) => this.handlers.errored('messages$', error, connection));
  }

  // What the topics tell.

  topicChanged(event: TopicEvent): void {
    this.emit(event);
  }

  listenerErrored(error: Error): void {
    this.handlers.errored('topic.messages$', error, undefined);
  }

  // What the handlers tell.

  handlerErrored(handler: HandlerName, error: Error, connection?: Connection<Peer, In, Out>): void {
    // A listener of the events that throws must not be told of its own error: it would throw again.
    const isEmitted = handler !== 'events$' && this.events.observed;
    if (isEmitted) {
      this.emit({ type: 'handler.errored', handler, error, ...(connection && { connection }) });
    }
    const isHandled = handler !== 'onHandlerError' && this.#options.onHandlerError !== undefined;
    if (!isEmitted && !isHandled) this.unheard.handler(handler, error);
  }

  handlerSettled(): void {
    this.#observer.fleetShrank();
  }
}

const waysToHear: WaysToHear = {
  events: 'call logEvents(supervisor.events$, logger)',
  onHandlerError: 'pass onHandlerError',
  onFailed: 'pass onFailed',
};
