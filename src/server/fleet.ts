import type { IncomingMessage } from 'node:http';
import type { AnyActorRef } from 'xstate';
import { countInvalid } from '../connection/invalid-messages.ts';
import { portContext } from '../connection/port-context.ts';
import type { PortContext, PortReport } from '../connection/port-host.ts';
import type { Upgrade } from '../connection/upgrade.ts';
import { checkedCloseFrame } from '../core/close-code.ts';
import type {
  Connection,
  ConnectionState,
  DialedConnection,
  RenewOptions,
} from '../core/connection.ts';
import { Contract, faultMessage } from '../core/contract.ts';
import type { InvalidMessage, SupervisorEvent, SupervisorNews } from '../core/events.ts';
import { describeFailure, type Failure } from '../core/failure.ts';
import { type Frame, messageFrame } from '../core/frame.ts';
import type { HandlerName } from '../core/guard.ts';
import { Stream } from '../core/stream.ts';
import { Unheard, type WaysToHear } from '../core/unheard.ts';
import {
  AcceptedPort,
  type AcceptedPortHost,
  type UpgradeRequest,
  type UpgradeResult,
} from './accepted-port.ts';
import type { AcceptorSide } from './acceptor.ts';
import { Admission, type Door, type Paths, requestPath } from './admission.ts';
import { checkRenewal } from './admitted.ts';
import { filterOf } from './audience.ts';
import { Authentication } from './authentication.ts';
import { deliveryOf, fanOut, type PolicyOf, type Publication, publicationOf } from './fan-out.ts';
import { ConnectionHandle, type HandleHost } from './handle.ts';
import { Handlers, type HandlersObserver, type Release } from './handlers.ts';
import { Leases } from './leases.ts';
import type { ResolvedOptions } from './options.ts';
import { Registry } from './registry.ts';
import { describeReport } from './report.ts';
import type { AudienceOptions } from './supervisor-types.ts';
import type { Delivery } from './topic.ts';
import { type TopicNews, Topics, type TopicsObserver } from './topics.ts';
import type { Upgrader } from './upgrader.ts';

/** What a fleet tells its supervisor. */
export interface FleetObserver {
  /** A connection or a handler has come to its end; perhaps it was the last one. */
  fleetShrank(): void;
}

/** What a fleet is made of. */
export interface FleetParts<Peer, In, Out, Sent> {
  readonly options: ResolvedOptions<Peer, In, Out, Sent>;
  /** The parent of every connection's actor. */
  readonly actor: AnyActorRef;
  readonly upgrader: Upgrader;
  readonly observer: FleetObserver;
}

/** Every connection of one supervisor, with all that they share. */
export class Fleet<Peer, In, Out, Sent>
  implements
    AcceptorSide,
    AcceptedPortHost,
    HandleHost<In, Out>,
    HandlersObserver<Connection<Peer, In, Out>>,
    TopicsObserver
{
  readonly context: PortContext;
  readonly actor: AnyActorRef;
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
  /** What `random` threw, until the chart of the connection has settled. */
  #randomError: Error | null = null;

  constructor({ options, actor, upgrader, observer }: FleetParts<Peer, In, Out, Sent>) {
    this.#options = options;
    this.#observer = observer;
    this.#upgrader = upgrader;
    this.actor = actor;
    this.registry = new Registry(options.admission.ipv6PrefixBits);
    this.context = portContext(options);
    this.topics = new Topics(options.limits.topicsMax, this.context.reports, this);
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
  accept(upgrade: Upgrade, paths: Paths, door: Door): void {
    const { request } = upgrade;
    const address = this.#admission.addressOf(request, upgrade.socket);
    const path = requestPath(request);
    const port = new AcceptedPort(this, this.#nextId(), { ...upgrade, address, path });
    if (port.isOver) return;
    const refusal =
      this.#admission.judge({ request, path, paths, door }) ??
      this.#admission.judgeLoad(address, upgrade.socket, this.context.clock.now());
    if (refusal === null) this.#authentication.begin(port, request);
    else port.refuse(refusal);
  }

  notUpgraded(request: IncomingMessage, httpStatus: number | undefined): void {
    const failure = describeFailure({
      refusal: { cause: 'not-upgraded', status: httpStatus ?? 426, body: '' },
      isAnsweredByOthers: httpStatus === undefined,
      address: this.#admission.addressOf(request, request.socket),
      path: requestPath(request),
    });
    this.registry.counts.failed += 1;
    this.tell({ type: 'connection.failed', id: this.#nextId(), failure });
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
  tell(news: SupervisorNews<Connection<Peer, In, Out> | DialedConnection> | undefined): void {
    if (news === undefined || !this.events.observed) return;
    this.events.next({ ...news, at: this.context.clock.wallNow() });
  }

  /**
   * Sends one message to every open connection.
   *
   * @throws SupervisorError when the message or an option is wrong.
   */
  broadcast(message: Out, audience: AudienceOptions<Connection<Peer, In, Out>>): Delivery {
    const publication = this.publication(message, audience);
    fanOut(publication, this.registry, this.context.reports);
    return deliveryOf(publication);
  }

  /** @throws SupervisorError when the message or an option is wrong. */
  publication(
    message: Out,
    audience: AudienceOptions<Connection<Peer, In, Out>>,
    policyOf?: PolicyOf<Sent>,
  ): Publication {
    const accepts = filterOf(audience, this.handlers);
    return publicationOf(this.contract, message, { accepts, policyOf });
  }

  // What a port needs.

  completeUpgrade(upgrade: UpgradeRequest): UpgradeResult {
    return this.#upgrader.complete(upgrade);
  }

  portMoved(port: AcceptedPort, from: ConnectionState | null, to: ConnectionState): void {
    this.registry.moved(port, from, to);
  }

  portOpened(port: AcceptedPort): void {
    port.handle = new ConnectionHandle<Peer, In, Out>(port, this);
    this.registry.enter(port);
  }

  portQuarantined(port: AcceptedPort): void {
    this.registry.leave(port);
    this.topics.leaveAll(port);
  }

  randomErrored(error: Error): void {
    this.#randomError = error;
  }

  portReported(port: AcceptedPort, report: PortReport): void {
    this.#reportRandom();
    if (this.events.observed) this.tell(describeReport(report, port, this.handlers.handleOf(port)));
    this.#runHandler(port, report);
    // It has left its topics before it could be told.
    this.topics.tellNews();
    if (report === 'closed' || report === 'failed') this.#observer.fleetShrank();
  }

  #reportRandom(): void {
    const error = this.#randomError;
    this.#randomError = null;
    if (error !== null) this.handlers.errored('random', error, undefined);
  }

  #runHandler(port: AcceptedPort, report: PortReport): void {
    const { verdict, failure, closeFrame } = port;
    if (report === 'opened') this.handlers.opened(port);
    else if (report === 'closed' && verdict) {
      this.handlers.closed(port, verdict, this.leases.end(port));
    } else if (report === 'failed' && failure) {
      this.#authentication.abort(port);
      this.#failed(failure, this.leases.end(port));
    } else if (report === 'closing' && isStartedByPeer(port) && closeFrame) {
      this.handlers.closing(port, closeFrame.code, closeFrame.reason);
    }
  }

  /** The chart of a connection threw. */
  crashed(error: Error): void {
    this.tell({ type: 'connection.crashed', error });
    if (!this.events.observed) this.unheard.crash(error);
  }

  #failed(failure: Failure, release?: Release): void {
    this.handlers.failed(failure, release);
    const isHeard = this.events.observed || this.#options.onFailed !== undefined;
    if (!isHeard) this.unheard.failure(failure);
  }

  messageArrived(port: AcceptedPort, payload: Uint8Array, isBinary: boolean): unknown {
    const intake = this.handlers.run('messages', port, () => this.contract.read(payload, isBinary));
    if (intake === undefined) return undefined;
    if ('message' in intake) return this.handlers.message(port, intake.message);
    this.#refuseMessage(port, intake.fault);
    port.intake.messageRefused();
    return undefined;
  }

  #refuseMessage(port: AcceptedPort, fault: InvalidMessage): void {
    this.tell({ type: 'message.invalid', connection: this.handlers.handleOf(port), fault });
    if (!countInvalid(port, this.context.clock.now())) return;
    const policy = this.#options.invalidMessages;
    if (policy === 'ignore' || (policy === 'reply' && this.#replied(port, fault))) return;
    port.close('invalid-message', checkedCloseFrame(fault.closeCode, fault.path || fault.problem));
  }

  /** Tells the peer what was wrong; `false` when the codec has no way to say it. */
  #replied(port: AcceptedPort, fault: InvalidMessage): boolean {
    try {
      port.outbox?.send(messageFrame(this.contract.encode(faultMessage(fault))));
      return true;
    } catch {
      return false;
    }
  }

  // What a public handle needs.

  frame(message: Out): Frame {
    return messageFrame(this.contract.payload(message));
  }

  join(port: AcceptedPort, topic: string): boolean {
    const isMember = this.topics.join(port, topic);
    // One that is refused may come from a subscriber who hears just now why.
    if (isMember) this.topics.tellNews();
    return isMember;
  }

  leave(port: AcceptedPort, topic: string): boolean {
    const hasLeft = this.topics.leave(port, topic);
    if (hasLeft) this.topics.tellNews();
    return hasLeft;
  }

  /** A `key` that throws leaves peer and key as they were, and is an error of this connection. */
  renew(port: AcceptedPort, peer: unknown, options: RenewOptions): boolean {
    checkRenewal(options);
    if (!port.isOpen) return false;
    const named = this.handlers.run('key', port, () => ({
      key: this.#authentication.keyOf(peer as Peer),
    }));
    if (named === undefined || !port.isOpen) return false;
    port.peer = peer;
    this.registry.rename(port, named.key);
    this.leases.renew(port, options.expiresInMs);
    return true;
  }

  messageStream(port: AcceptedPort): Stream<In> {
    return new Stream((error) => this.handlers.errored('messages$', error, port));
  }

  // What the topics tell.

  topicChanged(news: TopicNews): void {
    this.tell(news);
  }

  listenerErrored(error: Error): void {
    this.handlers.errored('topic.messages$', error, undefined);
  }

  // What the handlers tell.

  handlerErrored(
    handler: HandlerName,
    error: Error,
    connection: Connection<Peer, In, Out> | undefined,
  ): void {
    // A listener of the events that throws must not be told of its own error: it would throw again.
    const isEmitted = handler !== 'events$' && this.events.observed;
    if (isEmitted) {
      this.tell({ type: 'handler.errored', handler, error, ...(connection && { connection }) });
    }
    const isHandled = handler !== 'onHandlerError' && this.#options.onHandlerError !== undefined;
    if (!isEmitted && !isHandled) this.unheard.handler(handler, error);
  }

  handlerSettled(): void {
    this.#observer.fleetShrank();
  }
}

function isStartedByPeer({ witness: { evidence } }: AcceptedPort): boolean {
  return evidence.received !== undefined && evidence.intent === undefined;
}

const waysToHear: WaysToHear = {
  events: 'call logEvents(supervisor.events$, logger)',
  onHandlerError: 'pass onHandlerError',
  onFailed: 'pass onFailed',
};
