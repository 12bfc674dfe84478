import { type ActorOptions, ChartSystem } from '../chart/chart-system.ts';
import type { SharedRuntime } from '../connection/connection-host.ts';
import type { Parent } from '../connection/parent.ts';
import { sharedRuntime } from '../connection/shared-runtime.ts';
import type { Clock } from '../core/clock.ts';
import { Contract } from '../core/contract.ts';
import type { ResolvedClientOptions } from './options.ts';

/** What is made of the options of a client, and changes no more. */
export interface ClientRuntime<In, Out> {
  readonly options: ResolvedClientOptions<In, Out>;
  readonly context: SharedRuntime;
  readonly contract: Contract<In, Out, unknown>;
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
