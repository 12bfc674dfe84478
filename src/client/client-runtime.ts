import { type ActorOptions, ChartSystem } from '../chart/chart-system.ts';
import type { ConnectionCore } from '../connection/connection-core.ts';
import type { Parent } from '../connection/parent.ts';
import { type SharedRuntime, sharedRuntime } from '../connection/shared-runtime.ts';
import type { Clock } from '../core/clock.ts';
import { Contract, type RequestContracts, requestContracts } from '../core/contract.ts';
import type { OutboundTransport } from '../transport/transport.ts';
import type { ClientStreams } from './client-streams.ts';
import type { ClientWarnings } from './client-warnings.ts';
import type { HostSigns } from './host-signs.ts';
import type { ResolvedClientOptions } from './options.ts';
import type { ErrorReporter, ReconnectPolicy } from './reconnect/reconnect-policy.ts';
import type { Route } from './reconnect/route.ts';

/** What differs between Node.js and a browser. */
export interface Platform {
  /** Warns the operator about problems that nothing listens to; `null` in a page. */
  readonly warnings: ClientWarnings | null;
  /** Makes the transport of one attempt. */
  makeTransport(connection: ConnectionCore, context: SharedRuntime): OutboundTransport;
  /** Keeps the process alive. Returns a function that stops this. */
  holdProcess(): () => void;
  /** Calls `aborted` when the signal aborts. Returns a function that stops this. */
  whenAborted(signal: AbortSignal, aborted: () => void): () => void;
  /** Watches the host. Returns a function that stops this. */
  watchHost(client: HostSigns): () => void;
}

/**
 * Everything that is made from the options of a client. It does not change. In Node.js, clients with the same options
 * share it.
 */
export interface ClientRuntime<In, Out> {
  readonly options: ResolvedClientOptions<In, Out>;
  readonly context: SharedRuntime;
  readonly contract: Contract<In, Out, unknown>;
  readonly contracts: RequestContracts;
}

export interface ClientDependencies<In, Out> {
  readonly runtime: ClientRuntime<In, Out>;
  readonly charts: ChartSystem;
  readonly platform: Platform;
  readonly parent: Parent | null;
  readonly streams: ClientStreams<In>;
  readonly route: Route;
  readonly policy: ReconnectPolicy;
}

/** Makes the runtime of a client from its options. */
export function clientRuntime<In, Out>(
  options: ResolvedClientOptions<In, Out>,
  context = sharedRuntime(options),
): ClientRuntime<In, Out> {
  const { codec, messages, sends } = options;
  const contract = new Contract(codec, messages, sends);
  return { options, context, contract, contracts: requestContracts(options) };
}

/** The chart systems of clients without a supervisor: at most two for each clock, with eager actors and without. */
const systems = new WeakMap<Clock, ChartSystem[]>();

/** Returns the chart system of a client or a pool. One with its own inspector gets its own system. */
export function chartsFor(
  { clock, inspect }: Pick<ResolvedClientOptions, 'clock' | 'inspect'>,
  parent: Parent | null,
  actors: ActorOptions,
): ChartSystem {
  if (parent !== null) return parent.charts;
  if (inspect !== undefined) return new ChartSystem({ ...actors, areEager: true }, clock);
  const ofClock = systems.get(clock) ?? [];
  const known = ofClock.find((each) => each.has(actors)) ?? new ChartSystem(actors, clock);
  if (!ofClock.includes(known)) systems.set(clock, [...ofClock, known]);
  return known;
}

/**
 * Makes a reporter for functions that a step of a chart calls. It reports after the step, because subscribers must not
 * run before the chart has settled.
 */
export function reportLater(charts: ChartSystem, streams: ErrorReporter): ErrorReporter {
  return {
    report: (handler) => (error) => charts.notifications.add(() => streams.report(handler)(error)),
  };
}
