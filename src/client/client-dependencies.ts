import type { ChartSystem } from '../chart/chart-system.ts';
import type { SharedRuntime } from '../connection/connection-host.ts';
import type { Parent } from '../connection/parent.ts';
import type { Contract } from '../core/contract.ts';
import type { ResolvedClientOptions } from './options.ts';
import type { Platform } from './platform.ts';
import type { ErrorReporter, ReconnectPolicy } from './reconnect/reconnect-policy.ts';

/** What a client is made of. */
export interface ClientDependencies<In, Out> {
  /** What is known of it before the first attempt. */
  readonly url: string;
  readonly options: ResolvedClientOptions<In, Out>;
  readonly charts: ChartSystem;
  readonly context: SharedRuntime;
  readonly contract: Contract<In, Out, unknown>;
  readonly platform: Platform;
  readonly parent: Parent | null;
  /** Makes what decides whether it dials again, when, and where. */
  readonly makeReconnectPolicy: (reporter: ErrorReporter) => ReconnectPolicy;
}
