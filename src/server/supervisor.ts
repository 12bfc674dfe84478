import type { Server } from 'node:net';
import type { Observable } from 'rxjs';
import { type ActorRefFrom, createActor } from 'xstate';
import { hide, thrownBy } from '../../machines/hidden.ts';
import {
  type SupervisorFact,
  type SupervisorOrders,
  supervisorMachine,
} from '../../machines/supervisor.ts';
import { inspected } from '../connection/inspection.ts';
import type { Parent } from '../connection/parent.ts';
import { checkPaths, checkUpgrade } from '../core/arguments.ts';
import { type Child, parentSide } from '../core/child.ts';
import type { Connection, DialedConnection } from '../core/connection.ts';
import { toError } from '../core/errors.ts';
import type { DrainReport, SupervisorEvent } from '../core/events.ts';
import { type InspectArguments, inspection, inspectKey } from '../core/inspect.ts';
import { runAll } from '../core/run-each.ts';
import { warnOfOtherPlan } from '../core/warning.ts';
import type { Upgrade } from '../transport/upgrade.ts';
import { type AcceptorSide, acceptorSide } from './acceptor.ts';
import type { AdmissionState } from './admission.ts';
import type { AdmittedPeer, HandlerPeer } from './admitted.ts';
import { everybody } from './audience.ts';
import { Children } from './children.ts';
import { Drain, type DrainPlan, drainPlan } from './drain.ts';
import { Fleet, type FleetObserver } from './fleet.ts';
import { resolveOptions, type SupervisorOptions } from './options.ts';
import type {
  AudienceOptions,
  Counts,
  DrainOptions,
  Supervisor,
  SupervisorState,
} from './supervisor-types.ts';
import type { Delivery, Topic, TopicOptions, TopicSize } from './topic.ts';
import { topicHandle } from './topic-handle.ts';
import { type Upgrader, WsUpgrader } from './upgrader.ts';

/**
 * The machine, spared the signal of each connection that has come to its end: the chart does nothing with it,
 * and to find that out anew costs 3 KB of garbage each time (measured).
 */
const supervisorLogic: typeof supervisorMachine = Object.create(supervisorMachine, {
  transition: {
    value: (...[snapshot, event, scope]: Parameters<typeof supervisorMachine.transition>) =>
      event.type.startsWith('xstate.done.actor.')
        ? snapshot
        : supervisorMachine.transition(snapshot, event, scope),
  },
});

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
  implements Supervisor<Peer, In, Out, Sent>, SupervisorOrders, FleetObserver
{
  readonly #actor: ActorRefFrom<typeof supervisorMachine>;
  readonly #fleet: Fleet<Peer, In, Out, Sent>;
  readonly #children: Children;
  /** What the chart ordered; carried out when it has settled, because it reaches user code. */
  readonly #effects: (() => void)[] = [];
  #drain: Drain | null = null;
  #begun: { readonly plan: DrainPlan; readonly drained: Promise<DrainReport> } | null = null;

  /** @param upgrader - makes the WebSockets. @default ws does */
  constructor(options: SupervisorOptions<Peer, In, Out, Sent>, upgrader?: Upgrader) {
    const resolved = resolveOptions(options);
    this.#actor = createActor(resolved.inspect ? supervisorMachine : supervisorLogic, {
      id: 'supervisor',
      input: hide<SupervisorOrders>(this),
      // The very first step is that of the supervisor's own chart, before there is a fleet.
      ...inspected(resolved.inspect, (error) =>
        this.#fleet?.handlers.errored('inspect', error, undefined),
      ),
    });
    this.#fleet = new Fleet({
      options: resolved,
      actor: this.#actor,
      upgrader: upgrader ?? new WsUpgrader(resolved.limits, resolved.subprotocols),
      observer: this,
    });
    this.#children = new Children({
      actor: this.#actor,
      isInspected: resolved.inspect !== undefined,
      registry: this.#fleet.registry,
      isEnding: () => admissionStateOf(this.state) === 'draining',
      isHeard: () => this.#fleet.events.observed,
      emit: (event) => this.#fleet.emit(event),
      shrank: () => this.fleetShrank(),
    });
    this.#actor.start();
  }

  get state(): SupervisorState {
    const { value } = this.#actor.getSnapshot();
    return typeof value === 'string' ? value : 'draining';
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
    const plan = drainPlan(options);
    if (this.#begun !== null) {
      warnOfOtherPlan(this.#begun.plan, plan, options);
      return this.#begun.drained;
    }
    const drained = new Promise<DrainReport>((resolve) => {
      this.#drain = new Drain(plan, this.#fleet, {
        children: this.#children,
        expired: () => this.#send('deadline.passed'),
        ended: resolve,
      });
    });
    this.#begun = { plan, drained };
    this.#send('drain.requested');
    return drained;
  }

  [inspectKey](...given: InspectArguments): string {
    const { state, counts } = this;
    const topics = [...this.topics].map(({ name }) => name);
    return inspection(
      'Supervisor',
      { state, counts, topics, children: this.#children.size },
      given,
    );
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

  /** Gives the chart a fact, then carries out what it ordered. */
  #send(type: SupervisorFact['type']): void {
    this.#actor.send({ type });
    this.#settle();
  }

  #settle(): void {
    runAll(
      () => this.#effects.shift(),
      (effect) => effect(),
    );
  }

  // What the fleet tells.

  fleetShrank(): void {
    this.#drain?.shrank();
    if (this.#drain?.isOver(this.state)) this.#send('fleet.emptied');
    this.#settle();
  }

  // The chart's orders.

  announceSuspended(): void {
    this.#effects.push(() => this.#fleet.emit({ type: 'supervisor.suspended' }));
  }

  announceAdmitting(): void {
    this.#effects.push(() => this.#fleet.emit({ type: 'supervisor.admitting' }));
  }

  recordCrash({ error }: { error: unknown }): void {
    this.#effects.push(() => this.#fleet.crashed(toError(thrownBy(error))));
  }

  beginDrain(): void {
    this.#effects.push(() => {
      this.#drain?.begin();
      this.fleetShrank();
    });
  }

  expireAll(): void {
    this.#effects.push(() => {
      this.#drain?.expire();
      this.fleetShrank();
    });
  }

  finish(): void {
    this.#effects.push(() => this.#drain?.end());
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
