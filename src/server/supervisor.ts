import type { Server } from 'node:net';
import type { Observable } from 'rxjs';
import type { SupervisorFact, SupervisorOrders } from '../../machines/supervisor.ts';
import { ChartSystem } from '../chart/chart-system.ts';
import { FlightRecorder } from '../chart/flight-recorder.ts';
import { type HostedActor, xstateHost } from '../chart/hosted-actor.ts';
import type { ChartOwner, ChartRunner } from '../chart/runner.ts';
import { clientTable } from '../chart/tables/client.ts';
import { connectionTable } from '../chart/tables/connection.ts';
import { poolTable } from '../chart/tables/pool.ts';
import { supervisorTable } from '../chart/tables/supervisor.ts';
import { Drain, drainPlan, GOING_AWAY, supervisorDrain } from '../connection/drain.ts';
import type { Parent } from '../connection/parent.ts';
import type { ChartActor } from '../core/actor.ts';
import { checkPaths, checkUpgrade } from '../core/arguments.ts';
import { type Child, parentSide } from '../core/child.ts';
import type { Connection, DialedConnection } from '../core/connection.ts';
import type { DrainReport, SupervisorEvent } from '../core/events.ts';
import { printAs } from '../core/text.ts';
import type { Upgrade } from '../transport/upgrade.ts';
import { type AcceptorSide, acceptorSide } from './acceptor.ts';
import { type AdmissionState, drainingRefusal } from './admission.ts';
import type { AdmittedPeer, HandlerPeer } from './admitted.ts';
import { everybody } from './audience.ts';
import { Children } from './children.ts';
import { Fleet, type FleetObserver } from './fleet.ts';
import type { InboundConnection } from './inbound-connection.ts';
import { resolveOptions, type SupervisorOptions } from './options.ts';
import type {
  AudienceOptions,
  ChartStatistics,
  Counts,
  DrainOptions,
  Supervisor,
  SupervisorState,
} from './supervisor-types.ts';
import type { Delivery, Topic, TopicOptions, TopicSize } from './topic.ts';
import { topicHandle } from './topic-handle.ts';
import { type Upgrader, WsUpgrader } from './upgrader.ts';

/**
 * Creates the supervisor of a service's connections.
 *
 * Everything about it is settled here: options are checked at once and never again.
 *
 * @throws MooringError `invalid-options`, naming every option that is wrong by its path.
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
>(
  options?: SupervisorOptions<Peer, In, Out, Sent> & { authenticate?: undefined },
): Supervisor<Peer, In, Out, Sent>;
export function createSupervisor<
  Peer = undefined,
  In = unknown,
  Out = unknown,
  Sent = Out,
  KeyPeer = HandlerPeer<Peer>,
  OpenPeer = HandlerPeer<Peer>,
  SeenPeer = HandlerPeer<Peer>,
>(
  options: SupervisorOptions<Peer, In, Out, Sent, KeyPeer, OpenPeer, SeenPeer>,
): Supervisor<AdmittedPeer<Peer>, In, Out, Sent>;
export function createSupervisor(options: SupervisorOptions = {}): Supervisor {
  return new FleetSupervisor(options);
}

/**
 * The supervisor that is a fleet and a chart.
 *
 * @internal
 */
export class FleetSupervisor<Peer, In, Out, Sent>
  implements Supervisor<Peer, In, Out, Sent>, SupervisorOrders, FleetObserver, ChartOwner
{
  readonly #charts: ChartSystem;
  readonly #chart: ChartRunner<SupervisorFact['type']>;
  readonly #actor: HostedActor;
  readonly #fleet: Fleet<Peer, In, Out, Sent>;
  readonly #children: Children;
  readonly #drain: Drain<InboundConnection, DrainReport>;
  /** What orders of connections' charts threw, until this chart has taken the fact. */
  readonly #crashes: Error[] = [];

  /** @param upgrader - makes the WebSockets. @default ws does */
  constructor(options: SupervisorOptions<Peer, In, Out, Sent>, upgrader?: Upgrader) {
    const resolved = resolveOptions(options);
    const { clock, inspect, actors } = resolved;
    const areEager = actors === 'eager' || inspect !== undefined;
    const recorder = new FlightRecorder(clock);
    this.#charts = new ChartSystem({ actorHost: xstateHost, areEager }, recorder);
    this.#chart = this.#charts.run(supervisorTable, this);
    // The first step is that of the supervisor's own chart, before there is a fleet.
    const report = (error: Error) => this.#fleet?.handlers.errored('inspect', error, undefined);
    const inspector = inspect && { inspect, report };
    this.#actor = this.#charts.host(this.#chart, { id: 'supervisor', parent: null, inspector });
    this.#fleet = new Fleet({
      options: resolved,
      actor: this.#actor,
      charts: this.#charts,
      upgrader: upgrader ?? new WsUpgrader(resolved.limits, resolved.subprotocols),
      observer: this,
    });
    this.#children = new Children({
      actor: this.#actor,
      charts: this.#charts,
      registry: this.#fleet.registry,
      isEnding: () => admissionStateOf(this.state) === 'draining',
      isHeard: () => this.#fleet.events.observed,
      emit: (event) => this.#fleet.emit(event),
      shrank: () => this.fleetShrank(),
      connectionCrashed: (error) => this.connectionCrashed(error),
    });
    this.#drain = new Drain({
      runtime: this.#fleet.context,
      counts: () => this.#fleet.registry.tally,
      send: (fact) => this.#send(fact),
      close: (connection, frame) => void connection.close('drain', frame),
      // Until then those who are served may need clients and pools.
      stopServices: ({ reason }) => this.#children.stop({ code: GOING_AWAY, reason }),
      errored: (error) => this.#notify(() => this.#fleet.crashed(error)),
    });
    this.#chart.start();
  }

  get state(): SupervisorState {
    return this.#chart.state.paths[0] as SupervisorState;
  }

  get actor(): ChartActor {
    const report = (error: Error) => this.#fleet.handlers.errored('actor', error, undefined);
    return this.#actor.reader(() => undefined, report);
  }

  get chart(): ChartStatistics {
    return {
      connection: this.#charts.countsOf(connectionTable),
      client: this.#charts.countsOf(clientTable),
      pool: this.#charts.countsOf(poolTable),
      supervisor: this.#charts.countsOf(supervisorTable),
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
    return this.#fleet.events.observable;
  }

  get counts(): Readonly<Counts> {
    return { ...this.#fleet.registry.counts };
  }

  get connections(): Iterable<Connection<Peer, In, Out>> {
    const { registry, handlers } = this.#fleet;
    return {
      *[Symbol.iterator]() {
        for (const connection of registry.open.values()) yield handlers.handleOf(connection);
      },
    };
  }

  get(id: string): Connection<Peer, In, Out> | undefined {
    const connection = this.#fleet.registry.open.get(id);
    return connection && this.#fleet.handlers.handleOf(connection);
  }

  byKey(key: string): readonly Connection<Peer, In, Out>[] {
    const { registry, handlers } = this.#fleet;
    return registry.byKey(key).map((connection) => handlers.handleOf(connection));
  }

  topic(name: string, options?: TopicOptions<Sent>): Topic<Out, Sent, Connection<Peer, In, Out>> {
    return topicHandle(this.#fleet, name, options);
  }

  get topics(): Iterable<TopicSize> {
    const { topics } = this.#fleet;
    return { [Symbol.iterator]: () => topics.sizes() };
  }

  broadcast(
    message: Out,
    audience: AudienceOptions<Connection<Peer, In, Out>> = everybody,
  ): Delivery {
    return this.#fleet.broadcast(message, audience);
  }

  suspend(): void {
    this.#send('suspend.requested');
  }

  admit(): void {
    this.#send('admit.requested');
  }

  async drain(options: DrainOptions = {}): Promise<DrainReport> {
    return this.#drain.request(drainPlan(options, supervisorDrain), options);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.drain();
  }

  get [acceptorSide](): AcceptorSide {
    return this.#fleet;
  }

  handleUpgrade(upgrade: Upgrade, paths?: readonly string[]): void {
    checkUpgrade(upgrade);
    checkPaths(paths);
    this.#fleet.accept(upgrade, paths, admissionStateOf(this.state));
  }

  /** How many live sockets of one HTTP server belong to its connections. */
  socketsOf(server: Server): number {
    return this.#fleet.registry.socketsOf(server);
  }

  #send(fact: SupervisorFact['type']): void {
    this.#chart.send(fact);
  }

  // What the fleet tells.

  fleetShrank(): void {
    if (this.state !== 'draining') return;
    const { registry, handlers } = this.#fleet;
    const isServing = registry.connections.size > 0 || handlers.unsettled > 0;
    if (!isServing) this.#drain.stopServices();
    const left = registry.connections.size + registry.dialed.size + this.#children.size;
    // After the deadline the application's handlers are not waited for.
    const isExpiring = this.#chart.state.paths.includes('draining.expiring');
    if (left === 0 && (isExpiring || handlers.unsettled === 0)) this.#send('fleet.emptied');
  }

  connectionCrashed(error: Error): void {
    this.#crashes.push(error);
    this.#send('connection.crashed');
  }

  /** Nothing below the supervisor decides what follows from an error in its own chart: connections live on. */
  chartCrashed(error: Error): void {
    this.#notify(() => this.#fleet.crashed(error));
  }

  // The chart's orders.

  #notify(notification: () => void): void {
    this.#charts.notifications.add(notification);
  }

  announceSuspended(): void {
    this.#notify(() => this.#fleet.emit({ type: 'supervisor.suspended' }));
  }

  announceAdmitting(): void {
    this.#notify(() => this.#fleet.emit({ type: 'supervisor.admitting' }));
  }

  recordCrash(): void {
    const error = this.#crashes.shift();
    if (error !== undefined) this.#notify(() => this.#fleet.crashed(error));
  }

  beginDrain(): void {
    const { registry } = this.#fleet;
    const { connected: connections } = registry.tally;
    const { withinMs } = this.#drain;
    this.#notify(() => this.#fleet.emit({ type: 'supervisor.draining', connections, withinMs }));
    this.#drain.each(registry.connections, (connection) => {
      if (connection.state === 'handshaking') connection.side.refuse(drainingRefusal);
    });
    this.#drain.begin([...registry.open.values()]);
    this.fleetShrank();
  }

  expireAll(): void {
    const { context, registry } = this.#fleet;
    const left = [...registry.connections, ...registry.dialed];
    this.#drain.expire(left, (connection) => connection.expire(), context.timeouts.forcedMs);
    this.fleetShrank();
  }

  finish(): void {
    const { registry } = this.#fleet;
    this.#drain.end();
    // A socket may take longer to go than the drain may last; its report must not be lost behind the last one.
    const left = [...registry.connections, ...registry.dialed];
    this.#drain.each(left, (connection) => connection.abandon());
    this.#notify(() => this.#conclude());
  }

  #conclude(): void {
    const { handlers, topics, events } = this.#fleet;
    const report: DrainReport = { ...this.#drain.tally, unsettled: handlers.unsettled };
    this.#fleet.emit({ type: 'supervisor.stopped', report });
    topics.complete();
    events.complete();
    this.#drain.resolve(report);
  }

  static {
    printAs(FleetSupervisor.prototype, 'Supervisor', (supervisor) => {
      const { state, counts } = supervisor;
      const topics = [...supervisor.topics].map(({ name }) => name);
      return { state, counts, topics, children: supervisor.#children.size };
    });
  }
}

function admissionStateOf(state: SupervisorState): AdmissionState {
  switch (state) {
    case 'admitting':
      return 'open';
    case 'suspended':
      return 'suspended';
    case 'draining':
    case 'stopped':
      return 'draining';
  }
}
