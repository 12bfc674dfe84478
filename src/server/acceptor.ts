import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { ChartSystem } from '../chart/chart-system.ts';
import type { HostedActor } from '../chart/hosted-actor.ts';
import type { ConnectionReport, MessageHandlers } from '../connection/connection-host.ts';
import { closingOf } from '../connection/ending-record.ts';
import type { OutboxRuntime } from '../connection/outbox.ts';
import { checkedCloseFrame } from '../core/close-code.ts';
import type { ConnectionState } from '../core/connection.ts';
import {
  type Contract,
  faultMessage,
  type RequestContracts,
  requestContracts,
} from '../core/contract.ts';
import { toError } from '../core/errors.ts';
import type { InvalidMessage } from '../core/events.ts';
import { describeFailure, type FailureEvidence, type RefusalAnswer } from '../core/failure.ts';
import { messageFrame } from '../core/frame.ts';
import { isSupervised } from '../transport/node-transport.ts';
import { answerAndLetGo, type Upgrade } from '../transport/upgrade.ts';
import {
  Admission,
  type AdmissionState,
  type Paths,
  requestPath,
  stateRefusal,
} from './admission.ts';
import { Authentication } from './authentication.ts';
import type { Broadcaster } from './broadcaster.ts';
import type { DurableTopics } from './durable/durable-topics.ts';
import type { Handlers } from './handlers.ts';
import {
  type InboundConnection,
  type InboundHost,
  inboundConnection,
  type Sharing,
  type UpgradeRequest,
  type UpgradeResult,
} from './inbound-connection.ts';
import { InboundHandle, type InboundHandleParts } from './inbound-handle.ts';
import type { Keys } from './keys.ts';
import type { ResolvedOptions } from './options.ts';
import type { Registry } from './registry.ts';
import { handleOf, type Reporter } from './report.ts';
import { ignoreErrors } from './upgrade-server.ts';
import type { Upgrader } from './upgrader.ts';

/** The property under which every copy of Mooring keeps the acceptor of a supervisor. `attach` and `captureFrames` read it. */
export const acceptorKey: unique symbol = Symbol.for('mooring.acceptor');

/** The dependencies of an acceptor. @internal */
export interface AcceptorParts<Peer, In, Out, Sent> {
  readonly options: ResolvedOptions<Peer, In, Out, Sent>;
  /** The parent of every connection's actor. */
  readonly actor: HostedActor;
  readonly charts: ChartSystem;
  readonly context: OutboxRuntime;
  readonly upgrader: Upgrader;
  readonly registry: Registry;
  readonly reporter: Reporter<Peer, In, Out>;
  readonly handlers: Handlers<Peer, In, Out>;
  readonly broadcaster: Broadcaster<Peer, In, Out, Sent>;
  readonly keys: Keys;
  /** Whether the supervisor admits connections now. */
  admissionState(): AdmissionState;
  /** Called when a connection has ended, which may have been the last. */
  shrank(): void;
  /** Called when an order of the chart of a connection threw. */
  connectionCrashed(error: Error): void;
}

/**
 * Turns upgrade requests into connections, or refuses them. It is the host of these connections until they have ended.
 *
 * @internal
 */
export class Acceptor<Peer, In, Out, Sent> implements InboundHost {
  readonly context: OutboxRuntime;
  readonly charts: ChartSystem;
  readonly actor: HostedActor;
  readonly registry: Registry;
  readonly contract: Contract<In, Out, Sent>;
  readonly contracts: RequestContracts;
  readonly handlers: MessageHandlers;
  readonly sharing: Sharing;
  readonly durable: DurableTopics | null;
  readonly #parts: AcceptorParts<Peer, In, Out, Sent>;
  readonly #admission: Admission;
  readonly #authentication: Authentication<Peer, In, Out>;
  readonly #handleParts: InboundHandleParts<Peer, In, Out>;
  #lastId = 0;

  constructor(parts: AcceptorParts<Peer, In, Out, Sent>) {
    const { options, actor, charts, context, registry, reporter, handlers, broadcaster } = parts;
    const { keys } = parts;
    this.#parts = parts;
    this.actor = actor;
    this.charts = charts;
    this.context = context;
    this.registry = registry;
    this.contract = broadcaster.contract;
    this.contracts = requestContracts(options);
    this.sharing = broadcaster.fanOut;
    this.durable = broadcaster.durable;
    this.handlers = handlers;
    this.#admission = new Admission(options, registry, reporter, options.clock.now());
    const { wheel } = context;
    this.#authentication = new Authentication(options, {
      ...{ registry, reporter, handlers, keys, wheel },
    });
    this.#handleParts = { broadcaster, reporter, authentication: this.#authentication };
  }

  /**
   * Takes over one upgrade request. From here on, it leads to exactly one report, whatever happens.
   *
   * Admission judges the request first. If admission refuses it, no connection is made for it.
   */
  accept(upgrade: Upgrade, paths: Paths): void {
    const { request, socket, head } = upgrade;
    const address = this.#admission.addressOf(request, socket);
    const path = requestPath(request);
    const id = this.#nextId();
    // A socket that is taken or gone gets no answer. The connection that is made for it reports why.
    const isFree = !isSupervised(socket) && !socket.closed;
    const refusal = isFree ? this.#judge(upgrade, paths, { address, path }) : null;
    if (refusal !== null) {
      const crash = this.#answer(socket, refusal);
      this.#fail(id, { refusal, crash, address, path });
      return;
    }
    const connection = inboundConnection(this, id, { request, socket, head, address, path });
    if (!connection.isOver) this.#authentication.begin(connection, request);
  }

  #judge(
    { request, socket }: Upgrade,
    paths: Paths,
    { address, path }: { readonly address: string; readonly path: string },
  ): RefusalAnswer | null {
    const { admissionState } = this.#parts;
    return (
      this.#admission.judge({ request, path, paths, state: admissionState() }) ??
      // A function of the application that was just called may have suspended or drained the supervisor.
      stateRefusal(admissionState()) ??
      this.#admission.judgeLoad(address, socket, this.context.clock.now())
    );
  }

  /** Answers the request. Returns the error if the socket threw, because the application may have instrumented it. */
  #answer(socket: Socket, refusal: RefusalAnswer): Error | undefined {
    ignoreErrors(socket);
    try {
      answerAndLetGo(socket, refusal, this.context.wheel);
      return undefined;
    } catch (thrown) {
      const error = toError(thrown);
      this.connectionCrashed(error);
      socket.destroy();
      return error;
    }
  }

  /** Reports a request for which no connection was made. */
  #fail(id: string, evidence: FailureEvidence): void {
    const { registry, reporter, handlers } = this.#parts;
    const failure = { ...describeFailure(evidence), trail: [] };
    registry.counts.failed += 1;
    this.charts.notifications.add(() => {
      reporter.emit({ type: 'connection.failed', id, failure });
      handlers.failed(failure);
    });
  }

  /** Reports a plain request for a path of the WebSocket. */
  notUpgraded(request: IncomingMessage, httpStatus: number | undefined): void {
    this.#fail(this.#nextId(), {
      refusal: { cause: 'not-upgraded', status: httpStatus ?? 426, body: '' },
      isAnsweredByOthers: httpStatus === undefined,
      address: this.#admission.addressOf(request, request.socket),
      path: requestPath(request),
    });
  }

  /** Reports what `path` or `otherwise`, given to `attach`, threw. */
  attachErrored(handler: 'path' | 'otherwise', error: Error): void {
    this.#parts.reporter.errored(handler, error);
  }

  #nextId(): string {
    this.#lastId += 1;
    const { reach } = this.#parts.broadcaster;
    const id = `c${this.#lastId.toString(36)}`;
    return reach === null ? id : `${reach.node}.${id}`;
  }

  // The host of a connection.

  completeUpgrade(upgrade: UpgradeRequest): UpgradeResult {
    return this.#parts.upgrader.complete(upgrade);
  }

  connectionMoved(
    connection: InboundConnection,
    from: ConnectionState | null,
    to: ConnectionState,
  ): void {
    this.#parts.registry.moved(connection, from, to);
  }

  connectionOpened(connection: InboundConnection): void {
    connection.handle = new InboundHandle<Peer, In, Out>(connection, this.#handleParts);
    const { registry } = this.#parts;
    // It must not get what was broadcast before.
    if (registry.shared !== null) this.sharing.setApart(connection);
    registry.enter(connection);
  }

  connectionQuarantined(connection: InboundConnection): void {
    this.#parts.registry.leave(connection);
    this.#parts.broadcaster.topics.leaveAll(connection);
    this.sharing.forget(connection);
  }

  connectionCrashed(error: Error): void {
    this.#parts.connectionCrashed(error);
  }

  randomErrored(error: Error): void {
    this.charts.notifications.add(() => this.#parts.reporter.errored('random', error));
  }

  connectionReported(connection: InboundConnection, report: ConnectionReport): void {
    const { reporter, broadcaster } = this.#parts;
    reporter.reported(report, connection, handleOf<Peer, In, Out>(connection));
    if (report === 'flowing') this.durable?.flows(connection);
    this.#runHandler(connection, report);
    // The connection left its topics before the report, so the events of the topics are due now.
    broadcaster.topics.emitEvents();
    if (report === 'closed' || report === 'failed') this.#parts.shrank();
  }

  #runHandler(connection: InboundConnection, report: ConnectionReport): void {
    const { handlers } = this.#parts;
    const { verdict, failure } = connection;
    if (report === 'opened') {
      this.#parts.keys.entered(connection);
      handlers.opened(connection);
    } else if (report === 'closed' && verdict) {
      handlers.closed(connection, verdict, this.#authentication.end(connection));
    } else if (report === 'failed' && failure) {
      handlers.failed(failure, this.#authentication.end(connection));
    } else if (report === 'closing' && connection.record.isStartedByPeer) {
      const { code, reason } = closingOf(connection.record);
      handlers.closing(connection, code, reason);
    }
  }

  messageInvalid(connection: InboundConnection, fault: InvalidMessage, isAnswered = false): void {
    const { reporter, options } = this.#parts;
    reporter.emit({
      type: 'message.invalid',
      connection: handleOf<Peer, In, Out>(connection),
      fault,
    });
    const policy = options.invalidMessages;
    // With `close` the first invalid message ends the connection, so there is nothing to count.
    if (policy !== 'close' && !connection.intake.countInvalid()) return;
    if (policy === 'ignore') return;
    if (policy === 'reply' && (isAnswered || this.#replied(connection, fault))) return;
    const { closeCode, path, problem } = fault;
    connection.close('invalid-message', checkedCloseFrame(closeCode, path || problem));
  }

  /** Answers an invalid message. Returns `false` if the codec cannot encode the answer. */
  #replied(connection: InboundConnection, fault: InvalidMessage): boolean {
    try {
      const payload = this.#parts.broadcaster.contract.encode(faultMessage(fault));
      connection.side.outbox?.send(messageFrame(payload));
      return true;
    } catch {
      return false;
    }
  }
}
