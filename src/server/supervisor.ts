import type { Server } from 'node:net';
import type { Observable } from 'rxjs';
import type { SupervisorFact, SupervisorOrders } from '../../machines/supervisor.ts';
import { countsOf } from '../chart/chart-counts.ts';
import { ChartSystem } from '../chart/chart-system.ts';
import { FlightRecorder } from '../chart/flight-recorder.ts';
import { type HostedActor, xstateHost } from '../chart/hosted-actor.ts';
import type { ChartOwner, ChartRunner } from '../chart/runner.ts';
import { clientTable } from '../chart/tables/client.ts';
import { connectionTable } from '../chart/tables/connection.ts';
import { poolTable } from '../chart/tables/pool.ts';
import { supervisorTable } from '../chart/tables/supervisor.ts';
import { Drain, drainPlan, GOING_AWAY, supervisorDrain } from '../connection/drain.ts';
import type { OutboxRuntime } from '../connection/outbox.ts';
import type { Parent } from '../connection/parent.ts';
import { sharedRuntime } from '../connection/shared-runtime.ts';
import { WriteBatcher } from '../connection/write-batcher.ts';
import type { ChartActor } from '../core/actor.ts';
import { checkPaths, checkUpgrade } from '../core/arguments.ts';
import { type Child, parentSide } from '../core/child.ts';
import type { Clock } from '../core/clock.ts';
import type { Connection, DialedConnection } from '../core/connection.ts';
import type { DrainReport, SupervisorEvent } from '../core/events.ts';
import { printAs } from '../core/text.ts';
import { Reads } from '../transport/reads.ts';
import type { Upgrade } from '../transport/upgrade.ts';
import { Acceptor, acceptorKey } from './acceptor.ts';
import { admissionStateOf, drainingRefusal } from './admission.ts';
import type { AdmittedPeer, HandlerPeer } from './authenticate-result.ts';
import { Broadcaster } from './broadcaster.ts';
import { Children } from './children.ts';
import { Handlers } from './handlers.ts';
import type { InboundConnection } from './inbound-connection.ts';
import { Keys } from './keys.ts';
import { type ResolvedOptions, resolveOptions, type SupervisorOptions } from './options.ts';
import { Registry } from './registry.ts';
import { handleOf, Reporter } from './report.ts';
import type {
  AudienceOptions,
  BusState,
  ChartStatistics,
  Counts,
  Delivery,
  DrainOptions,
  KeyClosing,
  Supervisor,
  SupervisorState,
  Topic,
  TopicOptions,
  TopicSize,
} from './supervisor-types.ts';
import { type Upgrader, WsUpgrader } from './upgrader.ts';

/**
 * Creates the supervisor of a service's connections.
 *
 * Options are checked once, in this call.
 *
 * @throws MooringError `invalid-options`, with the path of every wrong option.
 *
 * @example
 * ```ts
 * const supervisor = createSupervisor({
 *   messages: z.object({ text: z.string().max(500) }),
 *   onOpen: (connection) => connection.join('lobby'),
 *   onMessage(connection, { text }) {
 *     supervisor.topic('lobby').publish({ text });
 *   },
 * });
 * attach(httpServer, supervisor, { path: '/ws' });
 * ```
 */
export function createSupervisor<
  Peer extends undefined = undefined,
  In = unknown,
  Out = unknown,
  Sent = Out,
  Ask = unknown,
  Answer = unknown,
  Request = unknown,
  Reply = unknown,
>(
  options?: SupervisorOptions<
    Peer,
    In,
    Out,
    Sent,
    Peer,
    Peer,
    Peer,
    Ask,
    Answer,
    Request,
    Reply
  > & { authenticate?: undefined },
): Supervisor<Peer, In, Out, Sent, Ask, Answer>;
export function createSupervisor<
  Peer = undefined,
  In = unknown,
  Out = unknown,
  Sent = Out,
  KeyPeer = HandlerPeer<Peer>,
  OpenPeer = HandlerPeer<Peer>,
  SeenPeer = HandlerPeer<Peer>,
  Ask = unknown,
  Answer = unknown,
  Request = unknown,
  Reply = unknown,
>(
  options: SupervisorOptions<
    Peer,
    In,
    Out,
    Sent,
    KeyPeer,
    OpenPeer,
    SeenPeer,
    Ask,
    Answer,
    Request,
    Reply
  >,
): Supervisor<AdmittedPeer<Peer>, In, Out, Sent, Ask, Answer>;
export function createSupervisor(options: SupervisorOptions = {}): Supervisor {
  return new ServiceSupervisor(options);
}

/**
 * The supervisor of a service. It makes its parts and owns the supervisor chart.
 *
 * @internal
 */
export class ServiceSupervisor<Peer, In, Out, Sent>
  implements Supervisor<Peer, In, Out, Sent>, SupervisorOrders, ChartOwner
{
  /** Used in error messages about values. */
  static readonly spokenName = 'a supervisor';

  readonly #charts: ChartSystem;
  readonly #chart: ChartRunner<SupervisorFact['type']>;
  readonly #actor: HostedActor;
  readonly #context: OutboxRuntime;
  readonly #registry: Registry;
  readonly #reporter: Reporter<Peer, In, Out>;
  readonly #handlers: Handlers<Peer, In, Out>;
  readonly #broadcaster: Broadcaster<Peer, In, Out, Sent>;
  readonly #keys: Keys;
  readonly #acceptor: Acceptor<Peer, In, Out, Sent>;
  readonly #children: Children;
  readonly #drain: Drain<InboundConnection, DrainReport>;
  /** Errors of connections that crashed, until this chart has taken the fact. */
  readonly #crashes: Error[] = [];

  /** @param upgrader - makes the WebSockets. @default one that uses ws */
  constructor(given: SupervisorOptions<Peer, In, Out, Sent>, upgrader?: Upgrader) {
    const options = resolveOptions(given);
    const { clock, inspect, actors, admission } = options;
    const areEager = actors === 'eager' || inspect !== undefined;
    const makeRecorder = (clock: Clock) => new FlightRecorder(clock);
    const charts = new ChartSystem({ actorHost: xstateHost, areEager, makeRecorder }, clock);
    const reporter = new Reporter<Peer, In, Out>(options);
    const registry = new Registry(admission.ipv6PrefixBits);
    const context = acceptedRuntime(options);
    const shrank = () => this.#shrank();
    const handlers = new Handlers<Peer, In, Out>(options, reporter, context.wheel, shrank);
    const broadcaster = new Broadcaster(options, { registry, charts, reporter, context });
    this.#charts = charts;
    this.#reporter = reporter;
    this.#registry = registry;
    this.#context = context;
    this.#handlers = handlers;
    this.#broadcaster = broadcaster;
    this.#chart = charts.run(supervisorTable, this);
    const report = (error: Error) => reporter.errored('inspect', error);
    const inspector = inspect && { inspect, report };
    const actor = charts.host(this.#chart, { id: 'supervisor', parent: null, inspector });
    this.#actor = actor;
    const connectionCrashed = (error: Error) => this.#connectionCrashed(error);
    const parts = { actor, charts, registry, reporter, shrank, connectionCrashed };
    const { reach } = broadcaster;
    this.#keys = new Keys({ policy: options.sameKey, clock, registry, reach });
    const admissionState = () => admissionStateOf(this.state);
    this.#children = new Children({ ...parts, isEnding: () => admissionState() === 'draining' });
    upgrader ??= new WsUpgrader(options.limits, options.subprotocols);
    const keys = this.#keys;
    const further = { options, context, handlers, broadcaster, keys, upgrader, admissionState };
    this.#acceptor = new Acceptor({ ...parts, ...further });
    this.#drain = new Drain({
      runtime: context,
      counts: () => registry.tally,
      send: (fact) => this.#send(fact),
      close: (connection, frame) => {
        if (this.#isHandingOver) connection.side.sendOn();
        connection.close('drain', frame);
      },
      // Last, because handlers of the accepted connections may need clients and pools.
      stopServices: ({ reason }) => this.#children.stop({ code: GOING_AWAY, reason }),
      errored: (error) => this.#notify(() => this.#reporter.crashed(error)),
    });
    this.#chart.start();
  }

  get state(): SupervisorState {
    return this.#chart.state.top as SupervisorState;
  }

  get actor(): ChartActor {
    const report = (error: Error) => this.#reporter.errored('actor', error);
    return this.#actor.reader(() => undefined, report);
  }

  get chart(): ChartStatistics {
    return {
      connection: countsOf(this.#charts.chartOf(connectionTable)),
      client: countsOf(this.#charts.chartOf(clientTable)),
      pool: countsOf(this.#charts.chartOf(poolTable)),
      supervisor: countsOf(this.#charts.chartOf(supervisorTable)),
    };
  }

  get [parentSide](): Parent {
    return this.#children;
  }

  get children(): Iterable<Child> {
    return this.#children;
  }

  get dialed(): Iterable<DialedConnection> {
    return this.#children.connections;
  }

  get events$(): Observable<SupervisorEvent<Connection<Peer, In, Out> | DialedConnection>> {
    return this.#reporter.events.observable;
  }

  get bus(): BusState {
    return this.#broadcaster.reach?.state ?? 'alone';
  }

  get counts(): Readonly<Counts> {
    return { ...this.#registry.counts };
  }

  get connections(): Iterable<Connection<Peer, In, Out>> {
    const { open } = this.#registry;
    return {
      *[Symbol.iterator]() {
        for (const connection of open.values()) yield handleOf<Peer, In, Out>(connection);
      },
    };
  }

  get(id: string): Connection<Peer, In, Out> | undefined {
    const connection = this.#registry.open.get(id);
    return connection && handleOf<Peer, In, Out>(connection);
  }

  byKey(key: string): readonly Connection<Peer, In, Out>[] {
    return this.#registry.byKey(key).map((connection) => handleOf<Peer, In, Out>(connection));
  }

  closeKey(key: string, code = 1000, reason = ''): KeyClosing {
    return this.#keys.close(key, code, reason);
  }

  topic(name: string, options?: TopicOptions<Sent>): Topic<Out, Sent, Connection<Peer, In, Out>> {
    return this.#broadcaster.topic(name, options);
  }

  get topics(): Iterable<TopicSize> {
    const { topics } = this.#broadcaster;
    return { [Symbol.iterator]: () => topics.sizes() };
  }

  broadcast(message: Out, audience?: AudienceOptions<Connection<Peer, In, Out>>): Delivery {
    return this.#broadcaster.broadcast(message, audience);
  }

  suspend(): void {
    this.#send('suspend.requested');
  }

  admit(): void {
    this.#send('admit.requested');
  }

  async drain(options: DrainOptions = {}): Promise<DrainReport> {
    const report = this.#drain.request(drainPlan(options, supervisorDrain), options);
    if (this.#chart.error !== null) this.#destroyAll();
    return report;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.drain();
  }

  /** Read by `attach` and `captureFrames`. */
  get [acceptorKey](): Acceptor<Peer, In, Out, Sent> {
    return this.#acceptor;
  }

  handleUpgrade(upgrade: Upgrade, paths?: readonly string[]): void {
    checkUpgrade(upgrade);
    checkPaths(paths);
    this.#acceptor.accept(upgrade, paths);
  }

  /** How many live sockets of one HTTP server belong to its connections. */
  socketsOf(server: Server): number {
    return this.#registry.socketsOf(server);
  }

  /** Other processes can take the clients if there is a bus, unless the caller of the drain knows better. */
  get #isHandingOver(): boolean {
    return this.#drain.handOver ?? this.#broadcaster.reach !== null;
  }

  #send(fact: SupervisorFact['type']): void {
    this.#chart.send(fact);
  }

  /** Called when a connection, a child or a close handler has ended, which may have been the last. */
  #shrank(): void {
    if (this.state !== 'draining') return;
    const registry = this.#registry;
    const handlers = this.#handlers;
    const isServing = registry.connections.size > 0 || handlers.unsettled > 0;
    if (!isServing) this.#drain.stopServices();
    const left = registry.connections.size + registry.dialed.size + this.#children.size;
    // After the deadline, it does not wait for handlers of the application.
    const isExpiring = this.#chart.state.paths.includes('draining.expiring');
    if (left === 0 && (isExpiring || handlers.unsettled === 0)) this.#send('fleet.emptied');
  }

  #connectionCrashed(error: Error): void {
    this.#crashes.push(error);
    this.#send('connection.crashed');
    // A chart that is over takes no facts and gives no orders.
    if (this.#chart.isOver) this.recordCrash();
  }

  /** Reports an error of the supervisor's own chart. Connections stay open, unless a drain was requested. */
  chartCrashed(error: Error): void {
    this.#notify(() => this.#reporter.crashed(error));
    if (this.#drain.isRequested) this.#destroyAll();
  }

  #destroyAll(): void {
    const { connections, dialed } = this.#registry;
    this.#drain.stopServices();
    this.#drain.each([...connections, ...dialed], (connection) => connection.expire());
    this.#drain.end();
    this.#charts.notifications.addLast(() => this.#leaveBus(this.#report));
  }

  get #report(): DrainReport {
    return { ...this.#drain.tally, unsettled: this.#handlers.unsettled };
  }

  // The chart's orders.

  #notify(notification: () => void): void {
    this.#charts.notifications.add(notification);
  }

  announceSuspended(): void {
    this.#notify(() => this.#reporter.emit({ type: 'supervisor.suspended' }));
  }

  announceAdmitting(): void {
    this.#notify(() => this.#reporter.emit({ type: 'supervisor.admitting' }));
  }

  recordCrash(): void {
    const error = this.#crashes.shift();
    if (error !== undefined) this.#notify(() => this.#reporter.crashed(error));
  }

  beginDrain(): void {
    const registry = this.#registry;
    const { connected: connections } = registry.tally;
    const { withinMs } = this.#drain;
    this.#notify(() => this.#reporter.emit({ type: 'supervisor.draining', connections, withinMs }));
    this.#drain.each(registry.connections, (connection) => {
      if (connection.state === 'handshaking') connection.side.refuse(drainingRefusal);
    });
    this.#drain.begin([...registry.open.values()]);
    this.#shrank();
  }

  expireAll(): void {
    const registry = this.#registry;
    const left = [...registry.connections, ...registry.dialed];
    this.#drain.expire(left, (connection) => connection.expire(), this.#context.timeouts.forcedMs);
    this.#shrank();
  }

  finish(): void {
    const registry = this.#registry;
    this.#drain.end();
    // Ends connections whose sockets are still closing, so that each has its report before `supervisor.stopped`.
    const left = [...registry.connections, ...registry.dialed];
    this.#drain.each(left, (connection) => connection.abandon());
    // After their reports, and after what their clients and pools report in turn.
    this.#charts.notifications.addLast(() => this.#conclude());
  }

  #conclude(): void {
    const report = this.#report;
    this.#reporter.emit({ type: 'supervisor.stopped', report });
    this.#broadcaster.topics.complete();
    this.#reporter.complete();
    this.#leaveBus(report);
  }

  /** Last, because close handlers may publish. */
  #leaveBus(report: DrainReport): void {
    const left = this.#broadcaster.leaveBus();
    const resolve = () => this.#drain.resolve(report);
    if (left === null) resolve();
    else void left.then(resolve);
  }

  static {
    printAs(ServiceSupervisor.prototype, 'Supervisor', (supervisor) => {
      const { state, counts } = supervisor;
      const topics = [...supervisor.topics].map(({ name }) => name);
      return { state, counts, topics, children: supervisor.#children.size };
    });
  }
}

/** What accepted connections share. */
function acceptedRuntime(options: ResolvedOptions): OutboxRuntime {
  const shared = sharedRuntime(options);
  return {
    ...shared,
    writeBatcher: new WriteBatcher(options.clock),
    reads: new Reads(shared, options.admission.unfinishedBytesMax),
  };
}
