import { type ActorOptions, ChartSystem } from '../chart/chart-system.ts';
import type { SharedRuntime } from '../connection/connection-host.ts';
import type { ManagedConnection } from '../connection/managed-connection.ts';
import type { Parent } from '../connection/parent.ts';
import { sharedRuntime } from '../connection/shared-runtime.ts';
import type { Clock } from '../core/clock.ts';
import { Contract } from '../core/contract.ts';
import type { WakeListener } from '../core/timer-wheel.ts';
import type { OutboundTransport } from '../transport/transport.ts';
import type { ClientStreams } from './client-streams.ts';
import type { ClientWarnings } from './client-warnings.ts';
import type { ResolvedClientOptions } from './options.ts';
import type { ReconnectPolicy } from './reconnect/reconnect-policy.ts';
import type { Route } from './reconnect/route.ts';

/** Hears what the host knows of its network and of its sleep. */
export interface HostObserver extends WakeListener {
  networkLost(): void;
  networkReturned(): void;
}

/** What Node.js and a browser do each in their own way. */
export interface Platform {
  /** Warns the operator of what nobody listens to; `null` in a page. */
  readonly warnings: ClientWarnings | null;
  /** Makes the transport of one attempt. */
  makeTransport(connection: ManagedConnection, context: SharedRuntime): OutboundTransport;
  /** Keeps the process alive until what it returns is called. */
  holdProcess(): () => void;
  /** Calls `aborted` when the signal aborts, until what it returns is called. */
  whenAborted(signal: AbortSignal, aborted: () => void): () => void;
  /** Watches for signs of the host until what it returns is called. */
  watchHost(observer: HostObserver): () => void;
}

/** What is made of the options of a client, and changes no more. Clients with the same options share one. */
export interface ClientRuntime<In, Out> {
  readonly options: ResolvedClientOptions<In, Out>;
  readonly context: SharedRuntime;
  readonly contract: Contract<In, Out, unknown>;
}

/** What a client is made of. */
export interface ClientDependencies<In, Out> {
  readonly runtime: ClientRuntime<In, Out>;
  readonly charts: ChartSystem;
  readonly platform: Platform;
  readonly parent: Parent | null;
  readonly streams: ClientStreams<In>;
  readonly route: Route;
  readonly policy: ReconnectPolicy;
}

/** Makes what a client has of its options. */
export function clientRuntime<In, Out>(
  options: ResolvedClientOptions<In, Out>,
  context = sharedRuntime(options),
): ClientRuntime<In, Out> {
  const { codec, messages, sends } = options;
  return { options, context, contract: new Contract(codec, messages, sends) };
}

/** Those of clients that have no supervisor. Each clock has one system, or two: with actors from the start, and without. */
const systems = new WeakMap<Clock, ChartSystem[]>();

/** The charts that a client or a pool belongs to. With an inspector of its own it has a system of its own. */
export function chartsFor(
  { clock, inspect }: Pick<ResolvedClientOptions, 'clock' | 'inspect'>,
  parent: Parent | null,
  actors: ActorOptions,
): ChartSystem {
  if (parent !== null) return parent.charts;
  const make = (options: ActorOptions) => new ChartSystem(options, actors.makeRecorder?.(clock));
  if (inspect !== undefined) return make({ ...actors, areEager: true });
  const ofClock = systems.get(clock) ?? [];
  const known = ofClock.find((each) => each.has(actors)) ?? make(actors);
  if (!ofClock.includes(known)) systems.set(clock, [...ofClock, known]);
  return known;
}
