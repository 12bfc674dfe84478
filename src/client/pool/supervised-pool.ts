import type { PoolFact, PoolOrders } from '../../../machines/pool-contract.ts';
import type { ChartSystem } from '../../chart/chart-system.ts';
import type { HostedActor } from '../../chart/hosted-actor.ts';
import type { ChartOwner, ChartRunner } from '../../chart/runner.ts';
import { poolTable } from '../../chart/tables/pool.ts';
import type { ConnectionReport } from '../../connection/connection-host.ts';
import { Drain, type DrainPlan } from '../../connection/drain.ts';
import type { ManagedConnection } from '../../connection/managed-connection.ts';
import type { ChildActor, Parent } from '../../connection/parent.ts';
import type { SharedRuntime } from '../../connection/shared-runtime.ts';
import type { CloseFrame } from '../../core/close-code.ts';
import type { ConnectionState, DialedConnection } from '../../core/connection.ts';
import { whenAborted } from '../../core/guard.ts';
import type { Inspector } from '../../core/inspection.ts';
import { ClientStreams } from '../client-streams.ts';
import type { Ending } from '../client-types.ts';
import { clientWarnings } from '../client-warnings.ts';
import { addressIn } from '../reconnect/route.ts';
import { defaultCloseFrame, type SupervisedClient } from '../supervised-client.ts';
import type { PoolDrainReport, PoolState, PoolStatus } from './pool-types.ts';
import type { Upstreams } from './upstreams.ts';

export interface PoolParts<In, Out> {
  readonly size: number;
  readonly upstreams: Upstreams;
  readonly charts: ChartSystem;
  readonly context: SharedRuntime;
  readonly parent: Parent | null;
  readonly signal: AbortSignal | undefined;
  readonly inspect: Inspector | undefined;
  /** Makes a member whose parent is this pool. */
  readonly makeMember: (pool: SupervisedPool<In, Out>) => SupervisedClient<In, Out>;
}

/** A pool behind its public handle. It sends facts to its chart, and is the parent of its members. */
export class SupervisedPool<In, Out> implements ChartOwner, PoolOrders, Parent, ChildActor {
  readonly kind = 'pool';
  readonly charts: ChartSystem;
  readonly streams: ClientStreams<In, PoolStatus>;

  readonly #parts: PoolParts<In, Out>;
  readonly #chart: ChartRunner<PoolFact['type']>;
  #actor: HostedActor | null = null;
  readonly #members = new Set<SupervisedClient<In, Out>>();
  /** The open connections. The one that was checked out longest ago comes first. */
  readonly #open = new Map<ManagedConnection, DialedConnection<In, Out>>();
  #status: PoolStatus;
  #ids = 0;
  /** The connections that have opened and not closed, and how many have closed. */
  readonly #connected = new Set<ManagedConnection>();
  #closed = 0;
  readonly #drain: Drain<SupervisedClient<In, Out>, PoolDrainReport>;
  #ignoreSignal: (() => void) | null = null;

  constructor(parts: PoolParts<In, Out>) {
    const { parent, signal, charts, context } = parts;
    this.#parts = parts;
    this.charts = charts;
    this.#drain = new Drain({
      runtime: context,
      counts: () => ({ connected: this.#connected.size, closed: this.#closed }),
      send: (fact) => this.#send(fact),
      close: (member, frame) => void member.stop(frame),
      errored: (error) => this.#errored(error),
    });
    this.#status = this.#describe('starting', ['starting']);
    this.streams = new ClientStreams(this.#status, clientWarnings);
    this.#chart = charts.run(poolTable, this);
    if (charts.areActorsEager) this.#actor = this.actor;
    this.#chart.start();
    const isWelcome = parent === null || parent.adopt(this);
    if (signal?.aborted || !isWelcome) this.#abort();
    else this.#start();
  }

  get actor(): HostedActor {
    this.#actor ??= this.charts.host(this.#chart, { id: 'pool', ...this.#actorPlace });
    return this.#actor;
  }

  get #actorPlace() {
    const { inspect, parent } = this.#parts;
    if (inspect === undefined) return { parent: parent?.actor ?? this.charts.root };
    return { parent: null, inspector: { inspect, report: this.streams.report('inspect') } };
  }

  #start(): void {
    const { signal } = this.#parts;
    if (signal !== undefined) this.#ignoreSignal = whenAborted(signal, this.#abort);
    // An inspector sees each member being made, and may drain the pool.
    for (let index = 0; index < this.#parts.size && !this.#drain.isRequested; index += 1) {
      const member = this.#parts.makeMember(this);
      this.#members.add(member);
      this.#follow(member.streams);
      member.streams.endings.observable.subscribe((ending) => this.#warnIfRefused(ending));
      if (this.#drain.isRequested) void member.stop(defaultCloseFrame);
    }
  }

  /** Emits all that a member emits, except its status. */
  #follow({ events, messages, endings }: ClientStreams<In>): void {
    events.observable.subscribe((event) => this.streams.emit(event));
    messages.observable.subscribe((message) => this.streams.messages.next(message));
    endings.observable.subscribe((ending) => this.streams.endings.next(ending));
  }

  get isHeard(): boolean {
    return this.streams.isHeard || this.#parts.parent?.isHeard === true;
  }

  #warnIfRefused(ending: Ending): void {
    if (!this.isHeard) clientWarnings.poolRefused(this.address, ending);
  }

  /** Made at each call, because time alone can change a circuit from open to half-open. */
  get status(): PoolStatus {
    const { state, states } = this.#status;
    return this.#describe(state, states);
  }

  get state(): PoolState {
    return this.#status.state;
  }

  get address(): string {
    return this.#parts.upstreams.all.map(({ url }) => addressIn(url)).join(', ');
  }

  get connections(): Iterable<DialedConnection<In, Out>> {
    return [...this.#open.values()];
  }

  checkout(): DialedConnection<In, Out> | undefined {
    if (this.#drain.isRequested) return undefined;
    let [best] = this.#open;
    for (const entry of this.#open) {
      if (best === undefined || bufferedBytes(entry) < bufferedBytes(best)) best = entry;
      if (bufferedBytes(best) === 0) break;
    }
    if (best === undefined) return undefined;
    // Moved to the end of the map, behind all others.
    const [connection, handle] = best;
    this.#open.delete(connection);
    this.#open.set(connection, handle);
    return handle;
  }

  /** @param options - as the caller gave them, for the warning about a second call. */
  drain(plan: DrainPlan, options?: object): Promise<PoolDrainReport> {
    return this.#drain.request(plan, options);
  }

  async stop(frame: CloseFrame): Promise<void> {
    await this.drain({ withinMs: STOP_MS, perSecond: Number.POSITIVE_INFINITY, frame });
  }

  readonly #abort = (): void => void this.stop(defaultCloseFrame);

  // The chart's orders.

  beginDrain(): void {
    this.#drain.begin([...this.#members]);
    this.#emptied();
  }

  expireAll(): void {
    // Twice, because each member has a deadline of its own for this, and reports its end when that has passed.
    const lastMs = 2 * this.#parts.context.timeouts.forcedMs;
    this.#drain.expire(this.#members, (member) => member.terminate(), lastMs);
  }

  finish(): void {
    this.#letGo();
    // Connections whose sockets are still closing report their ends now, because nothing would report them later.
    this.#drain.each(this.#connected, (connection) => connection.abandon());
  }

  #letGo(): void {
    this.#drain.end();
    this.#ignoreSignal?.();
  }

  // The parent of the members.

  adopt(): boolean {
    return true;
  }

  release(member: ChildActor): void {
    this.#members.delete(member as SupervisedClient<In, Out>);
    this.#emptied();
  }

  childMoved(): void {
    this.#updateStatus();
  }

  nextId(): string {
    this.#ids += 1;
    return this.#parts.parent?.nextId() ?? `p${this.#ids}`;
  }

  connectionMoved(
    connection: ManagedConnection,
    from: ConnectionState | null,
    to: ConnectionState,
  ): void {
    if (to === 'open') this.#connected.add(connection);
    else if (to === 'closed' && this.#connected.delete(connection)) this.#closed += 1;
    this.#parts.parent?.connectionMoved(connection, from, to);
  }

  connectionCrashed(error: Error): void {
    this.#parts.parent?.connectionCrashed(error);
  }

  connectionQuarantined(connection: ManagedConnection): void {
    this.#open.delete(connection);
    this.#parts.parent?.connectionQuarantined(connection);
  }

  connectionReported(
    connection: ManagedConnection,
    report: ConnectionReport,
    handle: DialedConnection,
  ): void {
    this.#parts.parent?.connectionReported(connection, report, handle);
    if (!connection.isOpen) this.#send('pool.thinned');
  }

  connectionWelcomed(connection: ManagedConnection, handle: DialedConnection): void {
    this.#open.set(connection, handle as DialedConnection<In, Out>);
    if (this.#open.size === this.#parts.size) this.#send('pool.filled');
  }

  // Facts and reports.

  #emptied(): void {
    if (this.#drain.isRequested && this.#members.size === 0) this.#send('pool.emptied');
  }

  #send(type: PoolFact['type']): void {
    this.#chart.send(type);
  }

  chartSettled(): void {
    this.#updateStatus();
  }

  /** Completes after the reports of abandoned members. */
  chartEnded(): void {
    const { notifications } = this.charts;
    const complete = () => this.#complete();
    notifications.add(() =>
      this.#members.size > 0 ? notifications.addLast(complete) : complete(),
    );
  }

  #updateStatus(): void {
    const { paths } = this.#chart.state;
    const status = this.#describe(paths[0] as PoolState, paths);
    // A member has just lost its connection. The report of its end follows, and changes the state.
    if (status.state === 'operational' && status.open < status.size) return;
    if (JSON.stringify(status) === JSON.stringify(this.#status)) return;
    this.#status = status;
    this.charts.notifications.add(() => {
      this.streams.moved(status);
      this.#parts.parent?.childMoved(this);
    });
  }

  chartCrashed(error: Error): void {
    this.#errored(error);
    this.#letGo();
    this.#drain.each(this.#members, (member) => {
      void member.stop(defaultCloseFrame);
      member.terminate();
    });
  }

  #errored(error: Error): void {
    this.charts.notifications.add(() => this.streams.report('pool')(error));
  }

  #complete(): void {
    this.streams.complete();
    this.#parts.parent?.release(this);
    this.#drain.resolve(this.#drain.tally);
  }

  #describe(state: PoolState, states: readonly string[]): PoolStatus {
    const nowMs = this.#parts.context.clock.now();
    return {
      ...{ state, states, size: this.#parts.size, open: this.#open.size },
      upstreams: this.#parts.upstreams.all.map(({ url, circuit, members }) => ({
        ...{ url, circuit: circuit.state(nowMs), members },
      })),
    };
  }
}

/** No limit: each closing handshake has its own deadline. */
const STOP_MS = 2 ** 31 - 1;

function bufferedBytes([connection]: readonly [ManagedConnection, unknown]): number {
  return connection.transport.bufferedBytes;
}
