import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { ChartSystem } from '../chart/chart-system.ts';
import type { HostedActor } from '../chart/hosted-actor.ts';
import type { ConnectionReport, MessageHandlers } from '../connection/connection-host.ts';
import { closingOf } from '../connection/ending-record.ts';
import type { OutboxRuntime } from '../connection/outbox.ts';
import { checkedCloseFrame } from '../core/close-code.ts';
import type { ConnectionState } from '../core/connection.ts';
import { type Contract, faultMessage } from '../core/contract.ts';
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
import type { Handlers } from './handlers.ts';
import {
  type InboundConnection,
  type InboundHost,
  inboundConnection,
  type UpgradeRequest,
  type UpgradeResult,
} from './inbound-connection.ts';
import { InboundHandle, type InboundHandleParts } from './inbound-handle.ts';
import type { ResolvedOptions } from './options.ts';
import type { Registry } from './registry.ts';
import { handleOf, type Reporter } from './report.ts';
import { ignoreErrors } from './upgrade-server.ts';
import type { Upgrader } from './upgrader.ts';

/** Where a supervisor of any copy of Mooring keeps its acceptor, for `attach`. */
export const acceptorKey: unique symbol = Symbol.for('mooring.acceptor');

/** What an acceptor works with. @internal */
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
  /** What the supervisor's own state says about newcomers. */
  admissionState(): AdmissionState;
  /** A connection has ended; perhaps it was the last one. */
  shrank(): void;
  /** An order of the chart of a connection threw. */
  connectionCrashed(error: Error): void;
}

/**
 * Turns upgrade requests into connections, or refuses them, and is there for the connections until they have ended.
 *
 * @internal
 */
export class Acceptor<Peer, In, Out, Sent> implements InboundHost {
  readonly context: OutboxRuntime;
  readonly charts: ChartSystem;
  readonly actor: HostedActor;
  readonly registry: Registry;
  readonly contract: Contract<In, Out, Sent>;
  readonly handlers: MessageHandlers;
  readonly #parts: AcceptorParts<Peer, In, Out, Sent>;
  readonly #admission: Admission;
  readonly #authentication: Authentication<Peer, In, Out>;
  readonly #handleParts: InboundHandleParts<Peer, In, Out>;
  #lastId = 0;

  constructor(parts: AcceptorParts<Peer, In, Out, Sent>) {
    const { options, actor, charts, context, registry, reporter, handlers, broadcaster } = parts;
    this.#parts = parts;
    this.actor = actor;
    this.charts = charts;
    this.context = context;
    this.registry = registry;
    this.contract = broadcaster.contract;
    this.handlers = {
      message: (connection, message) =>
        handlers.message(connection as InboundConnection, message as In),
      errored: (handler, error, connection) =>
        reporter.errored(handler, error, connection as InboundConnection | undefined),
    };
    this.#admission = new Admission(options, registry, reporter, options.clock.now());
    const { wheel } = context;
    this.#authentication = new Authentication(options, { registry, reporter, handlers, wheel });
    this.#handleParts = { broadcaster, reporter, authentication: this.#authentication };
  }

  /**
   * Takes over one upgrade request. Whatever happens from here on ends in exactly one report.
   *
   * The request is judged first. One that is refused is answered and reported, and nothing is made for it.
   */
  accept(upgrade: Upgrade, paths: Paths): void {
    const { request, socket } = upgrade;
    const address = this.#admission.addressOf(request, socket);
    const path = requestPath(request);
    const id = this.#nextId();
    // A socket that is somebody else's, or gone, gets no answer: its connection finds out.
    const isFree = !isSupervised(socket) && !socket.closed;
    const refusal = isFree ? this.#judge(upgrade, paths, { address, path }) : null;
    if (refusal !== null) {
      const crash = this.#answer(socket, refusal);
      this.#fail(id, { refusal, crash, address, path });
      return;
    }
    const connection = inboundConnection(this, id, { ...upgrade, address, path });
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
      // A rule of the application may have suspended or drained the supervisor.
      stateRefusal(admissionState()) ??
      this.#admission.judgeLoad(address, socket, this.context.clock.now())
    );
  }

  /** Returns what the socket threw: it may be one that somebody has instrumented. */
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
    return `c${this.#lastId.toString(36)}`;
  }

  // What a connection needs.

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
    this.#parts.registry.enter(connection);
  }

  connectionQuarantined(connection: InboundConnection): void {
    this.#parts.registry.leave(connection);
    this.#parts.broadcaster.topics.leaveAll(connection);
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
    this.#runHandler(connection, report);
    // It left its topics before its report.
    broadcaster.topics.emitEvents();
    if (report === 'closed' || report === 'failed') this.#parts.shrank();
  }

  #runHandler(connection: InboundConnection, report: ConnectionReport): void {
    const { handlers } = this.#parts;
    const { verdict, failure, record } = connection;
    if (report === 'opened') handlers.opened(connection);
    else if (report === 'closed' && verdict) {
      handlers.closed(connection, verdict, this.#authentication.end(connection));
    } else if (report === 'failed' && failure) {
      handlers.failed(failure, this.#authentication.end(connection));
    } else if (report === 'closing' && record.isStartedByPeer) {
      const { code, reason } = closingOf(record);
      handlers.closing(connection, code, reason);
    }
  }

  messageInvalid(connection: InboundConnection, fault: InvalidMessage): void {
    const { reporter, options } = this.#parts;
    reporter.emit({
      type: 'message.invalid',
      connection: handleOf<Peer, In, Out>(connection),
      fault,
    });
    const policy = options.invalidMessages;
    // Where the first one closes, there is nothing to count.
    if (policy !== 'close' && !connection.intake.countInvalid()) return;
    if (policy === 'ignore' || (policy === 'reply' && this.#replied(connection, fault))) return;
    const { closeCode, path, problem } = fault;
    connection.close('invalid-message', checkedCloseFrame(closeCode, path || problem));
  }

  /** Sends the peer what was wrong; `false` when the codec has no way to say it. */
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
